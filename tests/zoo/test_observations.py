"""Likelihoods of images: probabilities that sum or integrate to one, means, and draws that follow them."""

import numpy as np
import pytest
import tensorflow as tf

from zoo import random
from zoo.latent.parts import observations

NAMES = [("bernoulli", 2), ("categorical", 5), ("discretized_logistic", 5), ("discretized_logistic_mixture", 5),
         ("continuous_bernoulli", 256), ("gaussian", 256)]


def raw(likelihood, *batch):
    return tf.random.stateless_normal([*batch, 2, 1, 1, likelihood.layout((2, 1, 1))[1]], [4, 5], stddev=0.5)


@pytest.mark.parametrize("name, levels", NAMES)
def test_an_entry_s_probabilities_are_whole(name, levels):
    likelihood = observations.make(name, levels)
    given = raw(likelihood, 3)
    if likelihood.domain((2, 1, 1)).kind == "real":
        grid = np.linspace(0, 1, 4001) if name == "continuous_bernoulli" else np.linspace(-4, 5, 20_001)
        density = np.exp(likelihood.entries(given).log_prob(tf.cast(grid, tf.float32)[:, None, None, None, None]))
        np.testing.assert_allclose(np.trapezoid(density, grid, axis=0), 1.0, atol=2e-3)
        mean = np.trapezoid(density * grid[:, None, None, None, None], grid, axis=0)
    else:
        values = tf.cast(tf.range(levels), likelihood.domain((2, 1, 1)).dtype)
        density = np.exp(likelihood.log_probs(given,
                                              tf.broadcast_to(values[:, None, None, None, None], [levels, 3, 2, 1, 1])))
        np.testing.assert_allclose(density.sum(0), 1.0, atol=1e-4)
        mean = (density * np.arange(levels)[:, None, None, None, None]).sum(0)
    if not name.startswith("discretized_logistic"):  # whose mean is the logistic's, not that of its bins
        np.testing.assert_allclose(likelihood.mean(given), mean, atol=5e-3)
    x = likelihood.from_noise(given, likelihood.noise_rows(random.rows(random.seed(1), 3), (2, 1, 1)))
    assert likelihood.distribution(given).log_prob(x).shape == (3,) and x.dtype == likelihood.domain((2, 1, 1)).dtype
    unit = likelihood.read(x).numpy()
    assert unit.min() >= 0.0 and unit.max() <= 1.0


@pytest.mark.parametrize("name, levels", NAMES)
def test_draws_follow_the_probabilities(name, levels):
    likelihood, num = observations.make(name, levels), 20_000
    # A narrow Gaussian in the middle of the range, so that what is cut off at its ends does not count.
    one = tf.constant([0.1, -3.0]) if name == "gaussian" else raw(likelihood, 1)[0, 0, 0, 0]
    given = tf.tile(tf.reshape(one, [1, 1, 1, 1, -1]), [num, 1, 1, 1, 1])
    x = tf.cast(likelihood.from_noise(given, likelihood.noise_rows(random.rows(random.seed(2), num), (1, 1, 1))),
                tf.float32).numpy().ravel()
    entry = likelihood.entries(given[:1])
    if likelihood.domain((1, 1, 1)).kind == "real":
        for v in np.quantile(x, [0.1, 0.5, 0.9]):
            np.testing.assert_allclose(np.mean(x <= v),
                                       np.ravel(entry.cdf(tf.reshape(tf.cast(v, tf.float32), [1, 1, 1, 1])))[0],
                                       atol=0.015)
    else:
        for v in range(levels):
            probability = np.exp(entry.log_prob(tf.fill([1, 1, 1, 1],
                                                        tf.cast(v, likelihood.domain((1, 1, 1)).dtype)))).ravel()[0]
            np.testing.assert_allclose(np.mean(x == v), probability, atol=0.015)


def test_the_discretized_logistic_is_finite_far_out():
    likelihood = observations.make("discretized_logistic", 256)
    given = tf.constant([[[[[60.0, -60.0]]]]])
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = likelihood.distribution(given).log_prob(tf.zeros([1, 1, 1, 1], tf.int32))
    assert np.all(np.isfinite(value)) and np.all(np.isfinite(tape.gradient(value, given)))


def test_a_mixture_s_channels_follow_one_another():
    likelihood, num = observations.make("discretized_logistic_mixture", 256, components=2), 20_000
    grid, parameters = likelihood.layout((2, 1, 3))
    assert grid == (2, 1, 1) and parameters == 20 and likelihood.size((2, 1, 3)) == 40
    # of a component: logit, means, log-scales, and green's dependence on red
    one = [0.0] * 4 + [-3.0] * 3 + [2.0, 0.0, 0.0]
    given = tf.random.stateless_normal([1, *grid, parameters], [4, 5], stddev=0.2) + tf.constant(one * 2)
    x = likelihood.from_noise(tf.repeat(given, num, 0),
                              likelihood.noise_rows(random.rows(random.seed(2), num), (2, 1, 3)))
    assert x.shape == (num, 2, 1, 3) and x.dtype == tf.int32
    np.testing.assert_allclose(likelihood.mean(given)[0], np.mean(x, 0), atol=1.0)
    assert np.corrcoef(np.asarray(x)[:, 0, 0].T)[0, 1] > 0.5
    whole, parts = likelihood.distribution(given).log_prob(x[:1]), likelihood.log_probs(given, x[:1])
    assert parts.shape == (1, 2, 1, 1)
    np.testing.assert_allclose(whole, tf.reduce_sum(parts, [1, 2, 3]), rtol=1e-5)


@pytest.mark.parametrize("name, levels", [("poisson", 2), ("bernoulli", 3), ("categorical", 1)])
def test_bad_likelihoods(name, levels):
    with pytest.raises(ValueError, match="likelihood|levels"):
        observations.make(name, levels)
