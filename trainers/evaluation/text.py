"""What is measured of a model of text: nats a token and bits a byte, whatever the tokenizer.

Windows that follow one another, the first token of each given, is how small language models are compared (contexts of 1
to T - 1 tokens). Bits a byte count every byte of the split: windows overlap by half, and each token but the first T is
given at least T / 2 before it.
"""

import math

import numpy as np
import tensorflow as tf

from trainers.evaluation.number import Number
from trainers.runs.drawing import map_rows
from zoo.capabilities import likelihood_kind
from zoo.metrics.likelihood import Estimate


def measure(evaluation):
    """Measures a model of tokens with an exact likelihood on its data set's split; nothing of another."""
    if evaluation.domain.kind != "tokens" or likelihood_kind(evaluation.model) != "exact":
        return []
    tokens = evaluation.dataset.tokens(evaluation.split)
    return _windows(evaluation, tokens) if evaluation.dataset.text.windows else _lines(evaluation, tokens)


def _windows(evaluation, tokens):
    length, whole = evaluation.domain.shape[0], _whole(evaluation)
    tokens = tokens if whole else tokens[:evaluation.num * length]
    stride = max(1, length // 2)
    starts = sorted({*range(0, len(tokens) - length + 1, stride), len(tokens) - length})
    terms = _log_probs(evaluation, tokens[np.array(starts)[:, None] + np.arange(length)])
    given = np.zeros(terms.shape, bool)  # scored by an earlier window
    for row in range(1, len(starts)):
        given[row, :length - (starts[row] - starts[row - 1])] = True
    following = np.isin(starts, range(0, len(tokens) - length + 1, length))
    nats = np.where(given, 0.0, -terms).sum(1)
    protocol = dict(tokens=len(tokens))
    context = f"windows of {length} tokens that follow one another, the first token of each given"
    per_token = _ratio(-terms[following, 1:].sum(1), np.full(following.sum(), length - 1))
    found = [Number("nats_per_token", per_token, "nats", "exact", protocol | dict(context=context))]
    if whole and length > 1:
        size = evaluation.dataset.text_bytes(evaluation.split)
        per_byte = _ratio(nats / math.log(2), (~given).sum(1) * (size / len(tokens)))
        context = f"windows of {length} tokens that overlap by half"
        found.append(Number("bits_per_byte", per_byte, "bits/byte", "exact",
                            protocol | dict(bytes=size, context=context)))
    return found


def _lines(evaluation, tokens):
    x = evaluation.first(evaluation.num)[0].numpy()
    nats = -_log_probs(evaluation, x).sum(1)
    counts = (x != evaluation.dataset.tokenizer.end).sum(1) + 1
    found = [Number("nats_per_token", _ratio(nats, counts), "nats", "exact",
                    dict(tokens=int(counts.sum()), context="a line, its end counted as a token"))]
    if _whole(evaluation):
        size = evaluation.dataset.text_bytes(evaluation.split)
        per_byte = _ratio(nats / math.log(2), counts * (size / len(tokens)))
        found.append(Number("bits_per_byte", per_byte, "bits/byte", "exact", dict(bytes=size)))
    return found


def _whole(evaluation):
    """Tells whether all of the split is evaluated: only then its bytes are known."""
    return evaluation.num == evaluation.dataset.sizes[evaluation.split]


def _log_probs(evaluation, x):
    """Computes log p of each token given those before it, float64 [num, T]."""
    log_probs = tf.function(lambda x: evaluation.model.log_probs(x), reduce_retracing=True)
    return map_rows(log_probs, x, rows=evaluation.batch_size).astype(np.float64)


def _ratio(totals, counts):
    """Computes the sum of totals over that of counts, with the standard error of a ratio."""
    value, num, error = totals.sum() / counts.sum(), len(totals), math.nan
    if num > 1:
        error = math.sqrt(((totals - value * counts) ** 2).sum() * num / (num - 1)) / counts.sum()
    return Estimate(float(value), error)
