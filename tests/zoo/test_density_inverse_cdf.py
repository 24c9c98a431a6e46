"""Inverse CDFs against known quantiles; the claw against its formula, its quantiles and its data set."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from trainers.data.embedded.claw import points
from zoo import random
from zoo.density.parts import inverse_cdf
from zoo.density.parts.claw import claw

tfd = tfp.distributions
P = np.array([1e-4, 0.1, 0.5, 0.9, 0.999], np.float32)


@pytest.mark.parametrize("distribution, quantile", [
    (tfd.Normal(3.0, 0.01), scipy.stats.norm(3, 0.01).ppf),
    (tfd.Logistic(-1e4, 2.0), scipy.stats.logistic(-1e4, 2).ppf),
    (tfd.Gamma(2.0, 3.0), scipy.stats.gamma(2, scale=1 / 3).ppf), (tfd.Beta(0.5, 2.0), scipy.stats.beta(0.5, 2).ppf),
    (tfd.StudentT(3.0, 100.0, 5.0), scipy.stats.t(3, 100, 5).ppf)])
def test_bisection_finds_known_quantiles(distribution, quantile):
    expected = quantile(P.astype(float))
    np.testing.assert_allclose(inverse_cdf.bisect(distribution, tf.constant(P)), expected, rtol=1e-3)
    np.testing.assert_allclose(inverse_cdf.quantile(distribution, P), expected, rtol=1e-3)


def test_bisection_inverts_mixtures_of_any_shape_and_in_a_graph():
    mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=[[0.3, 0.7], [0.9, 0.1]]),
                                    tfd.LogNormal([[0.0, 1.0], [-3.0, 2.0]], [0.2, 0.3]))
    found = tf.function(lambda p: inverse_cdf.quantile(mixture, p), autograph=False)(tf.constant(P)[:, None])
    assert found.shape == (5, 2)
    np.testing.assert_allclose(mixture.cdf(found), np.broadcast_to(P[:, None], (5, 2)), rtol=1e-3, atol=1e-6)


def test_samples_follow_the_distribution_row_by_row():
    seeds = random.rows(random.seed(1), 2000)
    x = inverse_cdf.sample(claw(), seeds)
    assert scipy.stats.kstest(x, lambda q: claw().cdf(q.astype(np.float32)).numpy()).pvalue > 1e-3
    np.testing.assert_array_equal(inverse_cdf.sample(claw(), seeds[7:9]), x[7:9])


def test_vectors_are_refused():
    with pytest.raises(ValueError, match="scalars"):
        inverse_cdf.quantile(tfd.MultivariateNormalDiag([0.0, 0.0]), 0.5)


def test_the_claw_is_its_formula_and_the_data_are_drawn_from_it():
    x = np.linspace(-3, 3, 50)
    expected = 0.5 * scipy.stats.norm.pdf(x) + 0.1 * sum(scipy.stats.norm(j / 2 - 1, 0.1).pdf(x) for j in range(5))
    np.testing.assert_allclose(claw().prob(x.astype(np.float32)), expected, rtol=1e-4)
    data = points(0, 5000)
    assert data.shape == (5000, 1) and data.dtype == np.float32
    assert scipy.stats.kstest(data[:, 0], lambda q: claw().cdf(q.astype(np.float32)).numpy()).pvalue > 1e-3
    np.testing.assert_array_equal(data, points(0, 5000))
    assert not np.array_equal(data[:1000], points(1, 1000))
