"""Distances between two distributions from samples of each: energy distance and maximum mean discrepancy.

Both are E k(X, X') + E k(Y, Y') - 2 E k(X, Y) for a kernel k, zero if and only if the distributions are equal (k(x, y)
= -|x - y| gives the energy distance). The estimate leaves out pairs of a point with itself, so it is unbiased, and can
fall below zero when the two are close.

G. J. Szekely, M. L. Rizzo, Energy statistics: a class of statistics based on distances, 2013,
doi:10.1016/j.jspi.2013.03.018; A. Gretton et al., A kernel two-sample test, 2012, JMLR 13; D. Sejdinovic et al.,
Equivalence of distance-based and RKHS-based statistics, 2013, arXiv:1207.6076. Standard error: the two-sample jackknife
(J. N. Arvesen, Jackknifing U-statistics, 1969). It describes distributions that differ; where they are equal the
statistic is degenerate and the jackknife is an overestimate on average (a factor of about 1.4 is usual).
"""

import math

import numpy as np

from zoo.metrics.likelihood import Estimate


def _distances(x, y):
    """|x_i - y_j|, [n, m]."""
    squared = (x**2).sum(-1)[:, None] + (y**2).sum(-1) - 2.0 * x @ y.T
    return np.sqrt(np.maximum(squared, 0.0))


def _row_sums(kernel, x, y, chunk):
    """Computes sum_j k(x_i, y_j) [n] and sum_i k(x_i, y_j) [m], `chunk` rows of x at a time."""
    over_y, over_x = np.empty(len(x)), np.zeros(len(y))
    for start in range(0, len(x), chunk):
        block = kernel(x[start:start + chunk], y)  # [chunk, m]
        over_y[start:start + chunk] = block.sum(1)
        over_x += block.sum(0)
    return over_y, over_x


def _within(kernel, x, chunk):
    """sum_{j != i} k(x_i, x_j), [n]."""
    own = np.array([kernel(point[None], point[None])[0, 0] for point in x])
    return _row_sums(kernel, x, x, chunk)[0] - own


def _points(samples, name):
    samples = np.asarray(samples, np.float64).reshape(len(samples), -1)
    if len(samples) < 3:
        raise ValueError(f"{name}: at least 3 examples are needed, found {len(samples)}.")
    return samples


def discrepancy(x, y, kernel, chunk=1000):
    """Estimates E k(X, X') + E k(Y, Y') - 2 E k(X, Y) without bias, and its jackknife standard error; x [n, ...],
    y [m, ...], in O(chunk * m) memory.
    """
    x, y = _points(x, "x"), _points(y, "y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x and y must be of the same size, found {x.shape[1]} and {y.shape[1]}.")
    # Centring changes no difference, and keeps the squares in a distance small.
    centre = y.mean(0)
    x, y = x - centre, y - centre
    n, m = len(x), len(y)
    within_x, within_y = _within(kernel, x, chunk), _within(kernel, y, chunk)
    cross_x, cross_y = _row_sums(kernel, x, y, chunk)
    sum_x, sum_y, cross = within_x.sum(), within_y.sum(), cross_x.sum()

    def value(sum_x, n, sum_y, m, cross):
        return sum_x / (n * (n - 1)) + sum_y / (m * (m - 1)) - 2.0 * cross / (n * m)

    without_x = value(sum_x - 2.0 * within_x, n - 1, sum_y, m, cross - cross_x)  # [n], the estimate without each x_i
    without_y = value(sum_x, n, sum_y - 2.0 * within_y, m - 1, cross - cross_y)  # [m]
    variance = (n - 1) * without_x.var() + (m - 1) * without_y.var()
    return Estimate(float(value(sum_x, n, sum_y, m, cross)), math.sqrt(variance))


def energy_distance(x, y, chunk=1000):
    """Estimates 2 E|X - Y| - E|X - X'| - E|Y - Y'|, with its standard error."""
    return discrepancy(x, y, lambda a, b: -_distances(a, b), chunk)


def maximum_mean_discrepancy(x, y, bandwidth, chunk=1000):
    """Estimates the squared MMD under k(x, y) = exp(-|x - y|^2 / (2 bandwidth^2)), with its standard error."""
    return discrepancy(x, y, lambda a, b: np.exp(-_distances(a, b) ** 2 / (2.0 * bandwidth**2)), chunk)
