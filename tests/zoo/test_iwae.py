"""The IWAE: its gradient against autodiff of the bound and of the doubly reparameterised estimator by hand, and bounds
that rise with k to the likelihood."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support.variationals import IMAGES, perturbed
from zoo import random
from zoo.latent import iwae
from zoo.training.game import losses_and_gradients

TINY = dict(shape=(2, 2, 1), levels=2, activation="tanh", k=4)
ONE, TWO = dict(latent_sizes=(2,), hidden=(5,)), dict(latent_sizes=(2, 1), hidden=(5, 4))


def make(**arguments):
    return perturbed(zoo.IWAE, TINY | arguments)


def noise(model, seed, num):
    return tf.random.stateless_normal([model.k, num, model.noise_size], seed)


def log_posterior(model, x, z):
    """log q(h|x), [k, batch], of given latents, layer by layer."""
    found = [model.posterior(x),
             *(iwae._given(head, up, below) for head, up, below in zip(model.heads[1:], model.up[1:], z))]
    return tf.add_n([q.distribution().log_prob(h) for q, h in zip(found, z)])


def objective(estimator="iwae", beta=1.0, **arguments):
    """A model, its weights, and the loss's terms and gradients at the step of a warm-up at which the prior and the
    posterior count beta."""
    model = make(estimator=estimator, warmup_steps=10, **arguments)
    player, = model.players()
    return model, player.weights, lambda x, seed: losses_and_gradients(player, x, seed, tf.constant(round(10 * beta)))


@pytest.mark.parametrize("beta", [1.0, 0.3])
@pytest.mark.parametrize("layers", [ONE, TWO])
def test_the_loss_is_the_bound_and_its_gradient_that_of_the_bound(layers, beta):
    model, weights, compute = objective(beta=beta, **layers)
    x, seed = IMAGES[3:8], random.seed(1)
    terms, gradients = compute(x, seed)
    with tf.GradientTape() as tape:
        z, log_q = model.approximate(x)(noise(model, seed, 5))
        np.testing.assert_allclose(log_q, log_posterior(model, x, z), rtol=1e-4, atol=1e-4)
        w = tf.exp(model.likelihood(z).log_prob(x)) * tf.exp(model.log_prior(z) - log_q) ** beta
        loss = -tf.reduce_mean(tf.math.log(tf.reduce_mean(w, 0)))
    np.testing.assert_allclose(tf.reduce_mean(terms["bound"]), loss, rtol=1e-5)
    for mine, theirs in zip(gradients, tape.gradient(loss, weights), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("beta", [1.0, 0.3])
@pytest.mark.parametrize("layers", [ONE, TWO])
def test_dreg_by_hand(layers, beta):
    """d/dphi = sum_k ((1 - beta) s_k + beta s_k^2) dlog w_k/dz_k dz_k/dphi with the density's own weights held;
    d/dtheta is the bound's."""
    model, weights, compute = objective("dreg", beta, **layers)
    twin = make(estimator="dreg", **layers)  # holds the density's weights
    x, seed = IMAGES[3:5], random.seed(1)
    terms, gradients = compute(x, seed)
    eps = noise(model, seed, 2)
    with tf.GradientTape(persistent=True) as tape:
        z, _ = model.approximate(x)(eps)
        tape.watch(z)
        log_w = model.likelihood(z).log_prob(x) + beta * (model.log_prior(z) - log_posterior(twin, x, z))
        shares = tf.stop_gradient(tf.nn.softmax(log_w, 0))
        bound = tf.reduce_mean(tf.reduce_logsumexp(log_w, 0) - np.log(model.k))
    np.testing.assert_allclose(-tf.reduce_mean(terms["bound"]), bound, rtol=1e-5)
    np.testing.assert_allclose(terms["bound"], objective(beta=beta, **layers)[2](x, seed)[0]["bound"], rtol=1e-5)
    # Latents enter one another, so the total derivative is taken draw by draw: log w of draw k alone, weighed by its
    # share once more.
    inference = {id(w) for layer in (*model.up, *model.heads) for w in layer.trainable_weights}
    with tf.GradientTape(persistent=True) as tape:
        z, _ = model.approximate(x)(eps)
        log_w = model.likelihood(z).log_prob(x) + beta * (model.log_prior(z) - log_posterior(twin, x, z))
        squares = -tf.reduce_mean(tf.reduce_sum(((1 - beta) * shares + beta * shares**2) * log_w, 0))
        bound = -tf.reduce_mean(tf.reduce_logsumexp(log_w, 0))
    for weight, mine in zip(weights, gradients, strict=True):
        theirs = tape.gradient(squares if id(weight) in inference else bound, weight)
        np.testing.assert_allclose(mine, theirs, atol=2e-5, err_msg=weight.path)


@pytest.mark.parametrize("layers", [ONE, TWO])
@pytest.mark.parametrize("estimator", iwae.ESTIMATORS)
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_draws_picked_by_their_weights_have_the_gradient_of_all(estimator, layers, beta):
    """The noise is that of the seed, so what differs is which of the k draws were picked: 40,000 picks come to the
    shares themselves."""
    all_of_them, some, few = (objective(estimator, beta, **layers, **more)[2](IMAGES[3:5], random.seed(1))
                              for more in ({}, dict(backward_draws=40_000), dict(backward_draws=1)))
    np.testing.assert_allclose(some[0]["bound"], all_of_them[0]["bound"], rtol=1e-6)
    largest = max(float(tf.reduce_max(tf.abs(g))) for g in all_of_them[1])
    for mine, theirs in zip(some[1], all_of_them[1], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=0.02 * largest)
    assert any(np.abs(mine - theirs).max() > 0.05 * largest for mine, theirs in zip(few[1], all_of_them[1]))


def test_a_bound_of_few_draws_comes_first():
    seed, x = random.seed(2), IMAGES[3:8]
    model = make(early_k=2, early_steps=10, **ONE)
    for step, k in ((0, 2), (9, 2), (10, 4), (None, 4)):
        bound = model.objective(x, seed, None if step is None else tf.constant(step))["bound"]
        np.testing.assert_allclose(bound, make(k=k, **ONE).objective(x, seed)["bound"], rtol=1e-5)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_both_estimators_agree_on_average_and_dreg_is_quieter(beta):
    def gradients(estimator):
        model, weights, once = objective(estimator, beta, k=16, **ONE)
        index = next(i for i, w in enumerate(weights) if w is model.heads[0].head.kernel)
        compute = tf.function(lambda s: tf.map_fn(lambda one: once(IMAGES[5:6], one)[1][index], s,
                                                  fn_output_signature=tf.float32, parallel_iterations=1))
        return compute(random.rows(random.seed(0), 1500)).numpy()

    first, second = gradients("iwae"), gradients("dreg")
    error = np.sqrt(first.var(0) + second.var(0)) / np.sqrt(len(first))
    assert np.all(np.abs(first.mean(0) - second.mean(0)) < 5 * error + 1e-4)
    assert second.var(0).sum() < 0.8 * first.var(0).sum()


@pytest.mark.parametrize("layers", [ONE, TWO])
def test_bounds_rise_with_k_to_the_likelihood(layers):
    model = make(**layers)
    z = model.draw_prior(random.rows(random.seed(9), 50_000))
    likelihood = model.likelihood(z)
    # by the prior alone
    exact = tf.stack([tf.reduce_logsumexp(likelihood.log_prob(x)) - np.log(50_000.0) for x in IMAGES])
    np.testing.assert_allclose(tf.reduce_sum(tf.exp(exact)), 1.0, atol=1e-5)
    many = tf.repeat(IMAGES, 100, axis=0)
    compute = tf.function(lambda num, chunk: model.log_prob(many, random.rows(random.seed(3), len(many)),
                                                            num_samples=num, chunk=chunk))
    bounds = [tf.reduce_mean(tf.reshape(compute(k, chunk), [16, 100]), 1).numpy() for k,
              chunk in ((1, 1), (5, 5), (50, 25))]
    assert np.mean(bounds[0]) < np.mean(bounds[1]) < np.mean(bounds[2]) < np.mean(exact) + 0.01
    np.testing.assert_allclose(bounds[2], exact, atol=0.2)
    elbo = tf.reduce_mean(tf.reshape(model.elbo(many, random.rows(random.seed(4), len(many))), [16, 100]), 1)
    np.testing.assert_allclose(np.mean(elbo), np.mean(bounds[0]), atol=0.1)


def test_prior_and_posterior_agree_with_their_draws():
    model = make(**TWO)
    z = model.draw_prior(random.rows(random.seed(1), 50_000))
    grid = np.linspace(-6, 6, 121)
    h1, h2 = np.meshgrid(grid, grid)
    one = tf.constant(np.stack([h1.ravel(), np.zeros(h1.size)], -1),
                      tf.float32), tf.constant(h2.reshape(-1, 1), tf.float32)
    assert np.all(np.isfinite(model.log_prior(one)))
    np.testing.assert_allclose(tf.reduce_mean(z[1]), 0.0, atol=0.02)
    np.testing.assert_allclose(tf.math.reduce_std(z[1]), 1.0, atol=0.02)
    shifted = iwae._given(model.conditionals[0], model.down[0], z[1])
    np.testing.assert_allclose(tf.reduce_mean((z[0] - shifted.mean()) / tf.exp(shifted.log_scale), 0), [0, 0],
                               atol=0.02)


@pytest.mark.parametrize("arguments",
                         [dict(k=0), dict(latent_sizes=(2, 0), hidden=(3, 3)), dict(latent_sizes=(2, 2), hidden=(3,)),
                          dict(latent_sizes=(2, 2, 2), hidden=(3, 3, 3)), dict(estimator="vimco"),
                          dict(likelihood="poisson"),
                          dict(backward_draws=-1), dict(early_k=0), dict(early_steps=-1), dict(warmup_steps=-1)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError):
        zoo.IWAE(**(TINY | ONE | arguments))
