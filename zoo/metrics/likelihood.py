"""Units of likelihood: nats per example and bits per dimension, each as a mean over examples with its standard error.

A discrete model of D dimensions has -log P(x) / (D log 2) bits per dimension. A density of dequantized data x = (level
+ u) / K on [0, 1]^D bounds log P(level) >= E_u [log p(x)] - D log K (the cell has volume K^-D), so its bits per
dimension count the K levels.

L. Theis, A. van den Oord, M. Bethge, A note on the evaluation of generative models, 2015, arXiv:1511.01844, section
3.1.
"""

import math
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A mean over examples, and its standard error (NaN for one example)."""

    value: float
    stderr: float


def estimate(values):
    """Computes the mean and its standard error, sd / sqrt(n), of one value per example, [n]. Raises ValueError unless
    there is at least one, in one dimension.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"one value for each of at least one example is needed, found shape {values.shape}.")
    stderr = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), float(stderr))


def nats(log_prob):
    """Computes the negative log-likelihood per example, in nats, from log p(x) [n]."""
    return estimate(-np.asarray(log_prob, np.float64))


def bits_per_dimension(log_prob, dimensions, levels=None):
    """Computes -(log p(x) - D log K) / (D log 2) from log p(x) in nats [n]; `levels` K for a density of dequantized
    data on [0, 1]^D, else None.
    """
    log_prob = np.asarray(log_prob, np.float64)
    return estimate(-(log_prob - (dimensions * math.log(levels) if levels else 0.0)) / (dimensions * math.log(2.0)))
