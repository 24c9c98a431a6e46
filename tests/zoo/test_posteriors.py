"""Posteriors against TFP's distributions and autodiff: densities of draws, covariances, KL in closed form, Jacobians of
flows; and the mixture priors."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.latent.parts import posteriors, priors, schedules

tfd = tfp.distributions
SIZE, BATCH = 3, 4


def made(name, flows=0):
    keras.utils.set_random_seed(3)
    layer = posteriors.make(name, SIZE, flows)
    features = tf.random.stateless_normal([BATCH, 5], [1, 2])
    layer(features)
    for number, weight in enumerate(layer.weights):
        weight.assign_add(tf.random.stateless_normal(weight.shape, [3, number], stddev=0.4))
    return layer(features)


def matrix(q):
    """S [BATCH, SIZE, SIZE] of a Gaussian, by what it does to the unit vectors."""
    columns = [q.draw(tf.tile(tf.eye(SIZE)[None, k], [BATCH, 1]))[0] - q.mean() for k in range(SIZE)]
    return tf.stack(columns, -1)


@pytest.mark.parametrize("name", ["diagonal", "rank_one", "full"])
def test_gaussians_are_what_tfp_says(name):
    q = made(name)
    s = matrix(q)
    reference = tfd.MultivariateNormalFullCovariance(q.mean(), tf.matmul(s, s, transpose_b=True))
    eps = tf.random.stateless_normal([7, BATCH, SIZE], [5, 6])
    z, log_q = q.draw(eps)
    np.testing.assert_allclose(log_q, reference.log_prob(z), rtol=2e-4, atol=2e-4)
    prior = tfd.MultivariateNormalDiag(tf.zeros(SIZE), tf.ones(SIZE))
    np.testing.assert_allclose(q.kl(),
                               tfd.kl_divergence(reference, tfd.MultivariateNormalTriL(tf.zeros(SIZE), tf.eye(SIZE))),
                               rtol=1e-3, atol=1e-4)
    many, log_many = q.draw(tf.random.stateless_normal([40_000, BATCH, SIZE], [7, 8]))
    np.testing.assert_allclose(tf.reduce_mean(log_many - prior.log_prob(many), 0), q.kl(), atol=0.15, rtol=0.03)
    if name != "diagonal":
        covariance = tf.matmul(s, s, transpose_b=True).numpy()
        assert np.max(np.abs(covariance - np.einsum("bii->bi", covariance)[..., None] * np.eye(SIZE))) > 0.05


def test_rank_one_has_the_paper_s_precision():
    layer = posteriors.RankOne(SIZE)
    features = tf.random.stateless_normal([BATCH, 5], [1, 2])
    q = layer(features)
    _, log_d, u = tf.split(layer.head(features), 3, axis=-1)
    s = matrix(q)
    precision = tf.linalg.inv(tf.matmul(s, s, transpose_b=True))
    np.testing.assert_allclose(precision, tf.linalg.diag(tf.exp(log_d)) + u[:, :, None] * u[:, None, :], rtol=1e-3,
                               atol=1e-4)


def test_the_kl_of_independent_latents_is_the_sum_of_their_own():
    q = made("diagonal")
    np.testing.assert_allclose(tf.reduce_sum(q.kls(), -1), q.kl(), rtol=1e-5)
    np.testing.assert_allclose(q.kl(), tfd.kl_divergence(q.distribution(), priors.standard_normal(SIZE)), rtol=1e-5)


@pytest.mark.parametrize("name", ["planar", "iaf"])
def test_a_flow_s_density_is_that_of_its_jacobian(name):
    q = made(name, flows=3)
    eps = tf.random.stateless_normal([BATCH, SIZE], [5, 6])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(eps)
        z, log_q = q.draw(eps)
        parts = tf.unstack(z, axis=-1)
    jacobian = tf.stack([tape.gradient(part, eps) for part in parts], 1)  # rows do not know one another
    expected = priors.standard_normal(SIZE).log_prob(eps) - tf.math.log(tf.abs(tf.linalg.det(jacobian)))
    np.testing.assert_allclose(log_q, expected, rtol=1e-4, atol=1e-4)
    assert q.kl() is None and q.mean().shape == (BATCH, SIZE)
    several = q.draw(tf.stack([eps, eps]))
    np.testing.assert_allclose(several[0][1], z, atol=1e-5)
    np.testing.assert_allclose(several[1][1], log_q, atol=1e-5)


def test_an_inverse_autoregressive_step_looks_only_back():
    keras.utils.set_random_seed(3)
    layer = posteriors.make("iaf", SIZE, 1)
    q = layer(tf.random.stateless_normal([BATCH, 5], [1, 2]))
    eps = tf.random.stateless_normal([BATCH, SIZE], [5, 6])
    for d in range(SIZE):
        with tf.GradientTape() as tape:
            tape.watch(eps)
            z = q.draw(eps)[0][:, d]
        gradient = np.abs(tape.gradient(z, eps)).max(0)
        assert np.all(gradient[d + 1:] == 0) and np.all(gradient[:d + 1] > 0)


@pytest.mark.parametrize("name, flows", [("cubic", 0), ("diagonal", 1), ("iaf", 0)])
def test_bad_posteriors(name, flows):
    with pytest.raises(ValueError, match="posterior|flows"):
        posteriors.make(name, SIZE, flows)


def test_a_mixture_s_density_is_tfp_s_and_its_draws_follow_it():
    keras.utils.set_random_seed(1)
    layer = priors.Mixture(4, SIZE)
    for number, weight in enumerate(layer.weights):
        weight.assign(tf.random.stateless_normal(weight.shape, [1, number], stddev=0.7))
    prior = layer.distribution()
    z = tf.random.stateless_normal([5, 6, SIZE], [2, 3], stddev=2.0)
    np.testing.assert_allclose(priors.log_prob(prior, z), prior.log_prob(z), rtol=1e-4, atol=1e-4)
    drawn = priors.draw_rows(prior, random.rows(random.seed(1), 20_000), SIZE)
    np.testing.assert_allclose(tf.reduce_mean(drawn, 0), prior.mean(), atol=0.05)
    np.testing.assert_allclose(tf.math.reduce_variance(drawn, 0), prior.variance(), rtol=0.05)


def test_vamp_is_the_average_of_its_posteriors():
    q = made("diagonal").distribution()
    z = tf.random.stateless_normal([6, SIZE], [2, 3])
    each = tf.stack([tfd.MultivariateNormalDiag(q.mean()[k], q.stddev()[k]).log_prob(z) for k in range(BATCH)])
    np.testing.assert_allclose(priors.log_prob(priors.vamp(q), z), tf.reduce_logsumexp(each, 0) - np.log(BATCH),
                               rtol=1e-4, atol=1e-4)


def test_schedules():
    assert schedules.warmup(None, 10, 2.0) == 2.0 and schedules.warmup(tf.constant(3), 0) == 1.0
    np.testing.assert_allclose([schedules.warmup(tf.constant(s), 10, 2.0) for s in (0, 5, 10, 20)],
                               [0.0, 1.0, 2.0, 2.0])
    kl = tf.Variable([[0.1, 2.0], [0.3, 4.0]])
    with tf.GradientTape() as tape:
        terms = schedules.at_least(kl, 0.5)
        total = tf.reduce_mean(terms)
    np.testing.assert_allclose(total, 0.5 + 3.0)
    np.testing.assert_allclose(tape.gradient(total, kl), [[0.0, 0.5], [0.0, 0.5]])
