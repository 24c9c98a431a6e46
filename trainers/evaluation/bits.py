"""Bits per dimension and per sample of sound, from log p(x) in nats: the units in which models of images and of
waveforms are compared."""

import math

from trainers.evaluation.number import Number
from zoo.metrics import likelihood


def has_dimensions(domain):
    """Tells whether examples are counted in bits per dimension: images of known levels."""
    return len(domain.shape) == 3 and (domain.kind in ("binary", "levels") or domain.dequantized)


def per_dimension(values, evaluation, nats):
    """Computes bits per dimension of values of log p(x), [num] in nats, whose mean is the number `nats`."""
    domain, kind = evaluation.domain, nats.kind
    dimensions, levels = math.prod(domain.example_shape), None
    if domain.dequantized:
        # E_u log p(level + u) <= log P(level): by Jensen's inequality even an exact density bounds the probability of
        # the levels.
        low, high = domain.range
        values, levels, kind = values + dimensions * math.log(high - low), evaluation.dataset.levels, "upper_bound"
    found = likelihood.bits_per_dimension(values, dimensions, levels)
    return Number("bits_per_dimension", found, "bits/dim", kind, nats.protocol)


def per_sample(values, evaluation, nats):
    """Computes the same per sample of a waveform."""
    found = likelihood.bits_per_dimension(values, math.prod(evaluation.domain.shape), None)
    return Number("bits_per_sample", found, "bits/sample", nats.kind, dict(rate=evaluation.dataset.rate))
