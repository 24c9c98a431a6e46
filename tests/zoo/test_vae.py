"""The VAE against closed forms: a linear-Gaussian model's log p(x), analytic against Monte-Carlo KL, enumeration, the
order of the bounds."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import zoo
from tests.support import cases
from zoo import random
from zoo.latent.parts.importance_weighting import log_mean_weight

tfd = tfp.distributions
BINARY = dict(shape=(2, 2, 1), levels=2, latent_size=2, network="dense", hidden=(8,), activation="tanh")


def vae(**arguments):
    keras.utils.set_random_seed(2)
    model = zoo.VAE(**(BINARY | arguments))
    for weight in model.weights:
        weight.assign_add(tf.random.stateless_normal(weight.shape, [3, len(weight.path)], stddev=0.25))
    return model


def images(levels):
    return tf.reshape(tf.constant(list(itertools.product(range(levels), repeat=4)),
                                  tf.float32 if levels == 2 else tf.int32), [-1, 2, 2, 1])


def grid_log_prob(model, x, points=161, limit=7.0):
    """log p(x) by the trapezoidal rule over a 2-D latent space."""
    axis = np.linspace(-limit, limit, points)
    z = tf.constant(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2), tf.float32)
    cell = np.log((axis[1] - axis[0]) ** 2)
    prior = model.prior().log_prob(z)
    return np.array([float(tf.reduce_logsumexp(model.likelihood(z).log_prob(one) + prior)) + cell for one in x])


@pytest.mark.parametrize("levels, shape", [(2, (2, 2, 1)), pytest.param(3, (1, 4, 1), marks=pytest.mark.slow)])
def test_the_bounds_lie_in_order_below_the_likelihood(levels, shape):
    model = vae(levels=levels, shape=shape)
    # A posterior as broad as the prior: the weights are bounded, and the bound is tight at a number of samples that a
    # test can afford.
    dense = model.head.head
    dense.kernel.assign(dense.kernel * [[0.3, 0.3, 0.0, 0.0]])
    dense.bias.assign(tf.zeros([4]))
    x = tf.reshape(images(levels), [-1, *shape])
    exact = grid_log_prob(model, x)
    np.testing.assert_allclose(np.sum(np.exp(exact)), 1.0, atol=1e-4)  # the quadrature, over every image that there is
    repeats = 200
    elbo_of, log_prob_of = tf.function(model.elbo), tf.function(model.log_prob)
    seeds = random.rows(random.seed(0), repeats * len(x))
    many = tf.repeat(x, repeats, axis=0)

    def mean(values):
        values = np.reshape(values, [len(x), repeats])
        return values.mean(1), values.std(1) / np.sqrt(repeats)

    elbo, error = mean(elbo_of(many, seeds))
    bounds = [mean(log_prob_of(many, seeds, num_samples=k, chunk=5))[0] for k in (1, 5, 50)]
    # the same expectation, by another estimator
    np.testing.assert_array_less(np.abs(bounds[0] - elbo), 6 * error + 0.25)
    assert (
        np.all(elbo < exact + 4 * error)
        and np.mean(elbo) < np.mean(bounds[1]) < np.mean(bounds[2]) < np.mean(exact) + 0.02
    )
    tight = np.asarray(log_prob_of(x, random.rows(random.seed(1), len(x)), num_samples=10_000, chunk=2000))
    np.testing.assert_allclose(tight, exact, atol=0.05)


def test_analytic_kl_equals_monte_carlo():
    model = vae()
    x = images(2)[:4]
    posterior, prior = model.posterior(x).distribution(), model.prior()
    z = posterior.sample(200_000, seed=[1, 2])
    difference = posterior.log_prob(z) - prior.log_prob(z)
    kl = model.terms(x, tf.zeros([4, 2]))["kl"]
    np.testing.assert_allclose(tf.reduce_mean(difference, 0), kl,
                               atol=5 * float(tf.reduce_max(tf.math.reduce_std(difference, 0))) / 447)
    np.testing.assert_allclose(kl,
                               0.5 * tf.reduce_sum(posterior.variance() + posterior.mean() ** 2 - 1
                                                   - tf.math.log(posterior.variance()), -1), rtol=1e-5)
    features = model.head.head(model.trunk(x))  # the head's second half is the logarithm of the variance
    np.testing.assert_allclose(tf.math.log(posterior.variance()), features[:, 2:], rtol=1e-4, atol=1e-5)


class LinearGaussian:
    """p(z) = N(0, I), p(x|z) = N(W z, s^2 I): log p(x) = log N(x; 0, W W^T + s^2 I), q(z|x) a Gaussian near the true
    posterior."""

    def __init__(self, quality):
        self.W, self.s = tf.constant([[1.0, 0.5], [0.2, -1.0], [0.3, 0.7]]), 0.7
        precision = tf.eye(2) + tf.transpose(self.W) @ self.W / self.s**2
        self.covariance = tf.linalg.inv(precision)
        self.quality = quality

    def posterior(self, x):
        loc = x @ self.W @ self.covariance / self.s**2
        scale = tf.linalg.cholesky(self.covariance) if self.quality == "true" else tf.eye(2) * 0.6
        return tfd.MultivariateNormalTriL(loc, scale)

    def log_prob(self, x):
        return tfd.MultivariateNormalTriL(tf.zeros(3),
                                          tf.linalg.cholesky(self.W @ tf.transpose(self.W) + self.s**2
                                                             * tf.eye(3))).log_prob(x)

    @tf.function
    def bound(self, x, seed, num_samples, chunk):
        posterior = self.posterior(x)

        def log_weights(index, num):
            z = posterior.sample(num, seed=random.fold_in(seed, index))
            likelihood = tfd.MultivariateNormalDiag(z @ tf.transpose(self.W), [self.s] * 3)
            return likelihood.log_prob(x) + tfd.MultivariateNormalDiag([0.0, 0.0]).log_prob(z) - posterior.log_prob(z)

        return log_mean_weight(log_weights, num_samples, chunk)


def test_importance_weighting_reaches_the_closed_form():
    x = tf.constant([[0.1, -0.5, 1.0], [2.0, 0.3, -0.2]])
    true = LinearGaussian("true")
    for k, chunk in ((1, 1), (7, 3), (7, 100), (8, 4)):  # with the true posterior every weight is p(x)
        np.testing.assert_allclose(true.bound(x, random.seed(k), k, chunk), true.log_prob(x), atol=1e-5)
    rough = LinearGaussian("rough")
    copies = tf.repeat(x, 4_000, axis=0)
    means = [tf.reduce_mean(tf.reshape(rough.bound(copies, random.seed(k), k, 8), [2, -1]), 1).numpy()
             for k in (1, 4, 32)]
    assert np.all(means[0] < means[1]) and np.all(means[1] < means[2]) and np.all(means[2] < rough.log_prob(x) + 0.02)
    np.testing.assert_allclose(rough.bound(x, random.seed(0), 100_000, 10_000), rough.log_prob(x), atol=0.02)


def test_chunks_are_only_a_matter_of_memory():
    values = tf.random.stateless_normal([100, 3], [1, 2])

    def log_weights(index, num):  # `num` is the chunk, or the rest, which comes last
        return values[index * 30:index * 30 + num]

    np.testing.assert_allclose(log_mean_weight(log_weights, 100, 30), tf.reduce_logsumexp(values, 0) - np.log(100),
                               rtol=1e-5)
    for bad in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            log_mean_weight(log_weights, *bad)


@pytest.mark.parametrize("levels", [2, 5])
def test_samples_follow_the_decoder(levels):
    model = vae(levels=levels)
    seeds = random.rows(random.seed(4), 4000)
    x, mean = model.sample(seeds), model.sample_mean(seeds)
    scale = levels - 1
    np.testing.assert_allclose(tf.reduce_mean(tf.cast(x, tf.float32), 0), tf.reduce_mean(mean, 0), atol=0.05 * scale)
    assert float(tf.reduce_mean(tf.abs(tf.cast(x, tf.float32) - mean))) > 0.01 * scale


def test_many_levels_take_smaller_chunks(monkeypatch):
    model = vae(levels=5)
    x, seeds = cases.batch(model, 3), random.rows(random.seed(1), 3)
    # seven samples' parameters of a 2x2 image of 5 levels
    monkeypatch.setattr("zoo.latent.parts.image_vae._ENTRIES", 7 * 4 * 5)
    np.testing.assert_allclose(model.log_prob(x, seeds, num_samples=20),
                               model.log_prob(x, seeds, num_samples=20, chunk=7), rtol=1e-6)


def test_decode_is_the_mean_of_the_likelihood():
    z = tf.random.stateless_normal([3, 2], [1, 2])
    model = vae()
    np.testing.assert_allclose(model.decode(z), model.likelihood(z).mean(), rtol=1e-6)
    model = vae(levels=5)
    probabilities = tf.nn.softmax(model.parameters(z)).numpy()
    np.testing.assert_allclose(model.decode(z), (probabilities * np.arange(5)).sum(-1), rtol=1e-5)


@pytest.mark.parametrize("network, shape, hidden",
                         [("conv", (7, 9, 3), (4, 6, 8)), ("conv", (8, 8, 1), (4,)), ("dense", (5, 3, 2), (7, 6))])
def test_networks_fit_any_size(network, shape, hidden):
    model = vae(network=network, shape=shape, hidden=hidden, levels=3)
    x = cases.batch(model, 2)
    assert model.parameters(model.encode(x)).shape == (2, *shape, 3) and model.call(x).shape == (2,)


@pytest.mark.parametrize("arguments", [dict(network="mlp"), dict(levels=1), dict(latent_size=0)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError):
        zoo.VAE(**(BINARY | arguments))


SHAPED = dict(mixture=dict(prior="mixture", components=3), vamp=dict(prior="vamp", components=3),
              full=dict(posterior="full"),
              rank_one=dict(posterior="rank_one"), iaf=dict(posterior="iaf", flows=2),
              planar=dict(posterior="planar", flows=2))


@pytest.mark.parametrize("shaped", cases.slow_but(SHAPED, "full", "iaf"))
def test_every_prior_and_posterior_bounds_the_same_likelihood(shaped):
    model = vae(**SHAPED[shaped])
    for weight in model.head.weights:  # near the prior: the weights are bounded
        weight.assign(0.3 * weight)
    x = images(2)
    z = model.draw_prior(random.rows(random.seed(9), 40_000))
    likelihood = model.likelihood(z)
    exact = np.array([tf.reduce_logsumexp(likelihood.log_prob(one)) - np.log(40_000.0) for one in x])
    np.testing.assert_allclose(np.exp(exact).sum(), 1.0, atol=1e-4)
    many, seeds = tf.repeat(x, 50, axis=0), random.rows(random.seed(1), 50 * len(x))
    compute = tf.function(lambda num, chunk: model.log_prob(many, seeds, num_samples=num, chunk=chunk))
    bounds = [float(tf.reduce_mean(compute(k, chunk))) for k, chunk in ((1, 1), (10, 10), (100, 20))]
    assert bounds[0] < bounds[1] < bounds[2] < exact.mean() + 0.03
    np.testing.assert_allclose(bounds[2], exact.mean(), atol=0.12)


def test_schedules_weigh_the_loss_of_training_and_not_the_bound():
    model, plain = vae(warmup_steps=10, free_bits=0.5), vae()
    x, seed = images(2)[:5], random.seed(1)
    first, half, end = (model.objective(x, seed, *step)["kl"] for step in ((tf.constant(0),), (tf.constant(5),), ()))
    np.testing.assert_array_equal(first, 0.0)
    free = tf.reduce_sum(tf.maximum(0.5, tf.reduce_mean(model.posterior(x).kls(), 0)))
    np.testing.assert_allclose(tf.reduce_mean(half), 0.5 * free, rtol=1e-5)
    np.testing.assert_allclose(end, plain.objective(x, seed)["kl"], rtol=1e-6)
    np.testing.assert_allclose(model.elbo(x, random.rows(seed, 5)), plain.elbo(x, random.rows(seed, 5)), rtol=1e-6)


def test_completions_keep_what_is_known_and_follow_the_conditional():
    """Of a model whose latents hardly matter, what is missing is drawn from the pixels' own distribution; the bound
    says its probability."""
    model = vae()
    model.head.head.kernel.assign(tf.zeros_like(model.head.head.kernel))
    # q(z|x) is the prior: importance does all the work
    model.head.head.bias.assign(tf.zeros_like(model.head.head.bias))
    x, mask = tf.repeat(images(2)[9:10], 400, 0), tf.constant([[[True, False], [True, True]]] * 400)
    drawn = model.complete(x, mask, random.rows(random.seed(1), 400))
    assert np.all(np.where(mask[..., None], drawn == x, True))
    z = model.draw_prior(random.rows(random.seed(9), 40_000))
    both = [tf.reduce_logsumexp(model.likelihood(z).log_prob(tf.where(mask[:1, ..., None], x[:1], value)))
            for value in (0.0, 1.0)]
    conditional = tf.nn.softmax(both).numpy()
    np.testing.assert_allclose(np.mean(drawn[:, 0, 1]), conditional[1], atol=0.08)
    bound = model.missing_log_prob(x, mask, random.rows(random.seed(2), 400))
    truth = np.log(conditional[int(x[0, 0, 1, 0])])
    assert np.mean(bound) <= truth + 0.02 and np.mean(bound) > truth - 0.15
    with pytest.raises(ValueError, match="mask"):
        model.complete(x, mask[:, :1], random.rows(random.seed(1), 400))
