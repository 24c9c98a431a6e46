"""Parzen-window log-likelihood of samples: how generative adversarial nets reported a likelihood that they do not have.

A Gaussian window of width sigma is put on every generated sample, sigma is chosen from a grid by the likelihood of
validation examples, and the test examples' mean log density under it is the number.

I. J. Goodfellow et al., Generative Adversarial Nets, 2014, arXiv:1406.2661, section 5.
L. Theis, A. van den Oord, M. Bethge, A note on the evaluation of generative models, 2015, arXiv:1511.01844, section
3.2.
"""

import math
from typing import NamedTuple

import numpy as np

from zoo.metrics.likelihood import Estimate, estimate

SIGMAS = tuple(np.logspace(-1.0, 0.0, 10))  # for pixels on [0, 1]


class Parzen(NamedTuple):
    """log_likelihood: mean over test examples in nats, with its standard error; sigma: the width that the validation
    examples chose."""

    log_likelihood: Estimate
    sigma: float


def parzen_log_likelihood(samples, validation, test, sigmas=SIGMAS, chunk=1000):
    """Computes log p(x) = log 1/N sum_n N(x; sample_n, sigma^2 I) of the test examples, sigma by the validation
    examples.

    WARNING: this number says little about the model (Theis et al. 2015, section 3.2). In high dimensions the estimate
    is far from the model's likelihood even with very many samples, and it ranks models wrongly: 10,000 centroids that
    k-means finds in the training images get a higher score on MNIST than as many true images do. Use it to compare with
    old tables, never to choose a model.

    Args:
        samples, validation, test: examples [n, ...] of the same shape in the same units; the papers take 10,000
            samples.
        sigmas: the grid, in units of x.
        chunk: test examples in memory at once, each against all samples.

    Raises:
        ValueError: if one of them is empty, their sizes differ, or a sigma is not more than 0.
    """
    arrays = {}
    for name, x in (("samples", samples), ("validation", validation), ("test", test)):
        arrays[name] = np.asarray(x, np.float64).reshape(len(x), -1) if len(x) else np.zeros([0, 0])
        if not len(x) or arrays[name].shape[1] != arrays["samples"].shape[1]:
            raise ValueError(f"{name}: at least one example of the same size as the samples is needed, found shape "
                             f"{np.shape(x)}.")
    if not len(sigmas) or not min(sigmas) > 0:
        raise ValueError(f"sigmas must be one or more numbers above 0, found {tuple(sigmas)}.")
    means = log_densities(arrays["samples"], arrays["validation"], sigmas, chunk).mean(axis=1)
    sigma = float(sigmas[int(np.argmax(means))])
    return Parzen(estimate(log_densities(arrays["samples"], arrays["test"], (sigma,), chunk)[0]), sigma)


def log_densities(samples, x, sigmas, chunk=1000):
    """Computes log 1/N sum_n N(x_i; sample_n, sigma^2 I) for each sigma and each row of x [m, D], [len(sigmas), m]; the
    distances are computed once.
    """
    centre = samples.mean(axis=0)  # squares of large numbers that nearly cancel lose their digits
    samples, found = samples - centre, []
    norms = np.sum(samples**2, axis=1)
    for start in range(0, len(x), chunk):
        part = x[start:start + chunk] - centre
        squares = np.maximum(np.sum(part**2, axis=1)[:, None] + norms - 2.0 * part @ samples.T, 0.0)  # [chunk, N]
        found.append([_log_mean(squares, sigma, samples.shape[1]) for sigma in sigmas])
    return np.concatenate(found, axis=1)


def _log_mean(squares, sigma, dims):
    """Computes the log of the mean density, over samples, of points at squared distances [m, N] from them, [m]."""
    nearest = squares.min(axis=1, keepdims=True)
    mean = np.exp(-(squares - nearest) / (2.0 * sigma**2)).mean(axis=1)
    return np.log(mean) - nearest[:, 0] / (2.0 * sigma**2) - dims * math.log(sigma * math.sqrt(2.0 * math.pi))
