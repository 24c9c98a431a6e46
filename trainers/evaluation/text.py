"""What is measured of a model of text: nats a token and bits a byte, whatever the tokenizer.

Windows that follow one another, the first token of each given, is how small language models are compared (contexts of 1
to T - 1 tokens). Bits a byte
count every byte of the split: windows overlap by half, and each token but the first T is given at least T / 2 before
it.
"""

import math

import numpy as np


def measure(evaluation):
    """Numbers (metric, Estimate, unit, kind, protocol) of a model of tokens on its data set's split."""
    text = evaluation.dataset.text
    tokens = evaluation.dataset.tokens(evaluation.split)
    return _windows(evaluation, tokens) if text.windows else _lines(evaluation, tokens)


def _windows(evaluation, tokens):
    length = evaluation.domain.shape[0]
    whole = evaluation.num == evaluation.dataset.sizes[evaluation.split]
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
    found = [("nats_per_token", _ratio(-terms[following, 1:].sum(1), np.full(following.sum(), length - 1)), "nats",
              "exact",
              protocol | dict(context=f"windows of {length} tokens that follow one another, the first token of each "
                                      "given"))]
    if whole and length > 1:
        size = evaluation.dataset.text_bytes(evaluation.split)
        found.append(("bits_per_byte", _ratio(nats / math.log(2), (~given).sum(1) * (size / len(tokens))), "bits/byte",
                      "exact",
                      protocol | dict(bytes=size, context=f"windows of {length} tokens that overlap by half")))
    return found


def _lines(evaluation, tokens):
    x = np.concatenate([x.numpy() for x, _ in evaluation.batches(evaluation.num)])
    nats = -_log_probs(evaluation, x).sum(1)
    end = evaluation.dataset.tokenizer.end
    counts = (x != end).sum(1) + 1
    found = [("nats_per_token", _ratio(nats, counts), "nats", "exact",
              dict(tokens=int(counts.sum()), context="a line, its end counted as a token"))]
    if evaluation.num == evaluation.dataset.sizes[evaluation.split]:
        size = evaluation.dataset.text_bytes(evaluation.split)
        found.append(("bits_per_byte", _ratio(nats / math.log(2), counts * (size / len(tokens))), "bits/byte", "exact",
                      dict(bytes=size)))
    return found


def _log_probs(evaluation, x):
    import tensorflow as tf

    from trainers.runs.drawing import map_rows

    return map_rows(tf.function(lambda x: evaluation.model.log_probs(x), reduce_retracing=True), x,
                    rows=evaluation.batch_size).astype(np.float64)


def _ratio(totals, counts):
    """sum of totals / sum of counts, with the standard error of a ratio."""
    from zoo.metrics.likelihood import Estimate

    value = totals.sum() / counts.sum()
    num = len(totals)
    error = (
        math.sqrt(((totals - value * counts) ** 2).sum() * num / max(num - 1, 1)) / counts.sum()
        if num > 1
        else math.nan
    )
    return Estimate(float(value), error)
