"""A number that was measured, with what a record says of it."""

import math
from typing import NamedTuple

from zoo.metrics.likelihood import Estimate


class Number(NamedTuple):
    """One number of a model.

    metric: its name. estimate: the value and its standard error, NaN where there is none. kind: `exact`, `upper_bound`,
    `lower_bound` or `estimate`, of the metric itself. protocol: how it was made, JSON values, besides what is said of
    the whole evaluation.
    """

    metric: str
    estimate: Estimate
    unit: str
    kind: str
    protocol: dict


def single(metric, value, unit, protocol):
    """Makes the estimate of what is no mean over examples, and so has no standard error."""
    return Number(metric, Estimate(float(value), math.nan), unit, "estimate", protocol)


def fraction(metric, truths, protocol):
    """Makes the estimate of how many of a list of truths hold, with its standard error."""
    num = max(len(truths), 1)
    value = float(sum(truths)) / num
    return Number(metric, Estimate(value, math.sqrt(value * (1.0 - value) / num)), "fraction", "estimate", protocol)
