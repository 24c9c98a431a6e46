"""The DLGM against the equations of its layers and quadrature; and the gradient estimators against each other and
closed forms."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases
from tests.support.variationals import IMAGES, perturbed
from zoo import random
from zoo.latent.parts import gradient_estimators

TINY = dict(shape=(2, 2, 1), levels=2, latent_sizes=(2, 1), hidden=5, activation="tanh")


def make(**arguments):
    return perturbed(zoo.DLGM, TINY | arguments)


def test_layers_are_added_to_what_the_layer_above_says():
    model = make()
    xi = tf.random.stateless_normal([5, 3], [1, 2])
    top = tf.matmul(xi[:, 2:], model.G[1].kernel)
    np.testing.assert_allclose(model.down(xi), model.T[0](top) + tf.matmul(xi[:, :2], model.G[0].kernel), rtol=1e-5)
    np.testing.assert_allclose(model.likelihood(xi[None]).log_prob(IMAGES[:5])[0],
                               model.likelihood(xi).log_prob(IMAGES[:5]), rtol=1e-5)


@pytest.mark.parametrize("posterior", cases.slow_but(["diagonal", "rank_one", "full"], "rank_one"))
def test_bounds_rise_to_the_likelihood(posterior):
    model = make(posterior=posterior)
    for head in model.heads:  # posteriors near the prior: the weights are bounded
        for weight in head.weights:
            weight.assign(0.3 * weight)
    likelihood = model.likelihood(model.draw_prior(random.rows(random.seed(9), 40_000)))
    exact = tf.stack([tf.reduce_logsumexp(likelihood.log_prob(x)) - np.log(40_000.0) for x in IMAGES])
    many = tf.repeat(IMAGES, 100, axis=0)
    seeds = random.rows(random.seed(3), len(many))
    compute = tf.function(lambda num, chunk: model.log_prob(many, seeds, num_samples=num, chunk=chunk))
    bounds = [float(tf.reduce_mean(compute(k, chunk))) for k, chunk in ((1, 1), (8, 8), (64, 16))]
    assert bounds[0] < bounds[1] < bounds[2] < float(tf.reduce_mean(exact)) + 0.02
    np.testing.assert_allclose(bounds[2], tf.reduce_mean(exact), atol=0.1)
    rate, distortion = model.rate_distortion(many, seeds)
    np.testing.assert_allclose(tf.reduce_mean(-rate - distortion), bounds[0], atol=0.1)  # the closed form of the rate


def test_warmup_weighs_the_kl_alone():
    eps = tf.random.stateless_normal([3, 3], [1, 2])
    plain, model = make(), make(warmup_steps=10)
    full = plain.terms(IMAGES[3:6], eps)
    for step, weight in ((0, 0.0), (5, 0.5), (10, 1.0), (40, 1.0), (None, 1.0)):
        found = model.terms(IMAGES[3:6], eps, step=None if step is None else tf.constant(step))
        np.testing.assert_allclose(found["kl"], weight * full["kl"], rtol=1e-5)
        np.testing.assert_allclose(found["reconstruction"], full["reconstruction"], rtol=1e-6)


def quadratic(z):
    return 1.0 + tf.linalg.matvec(z, [0.5, -2.0]) + 0.5 * tf.reduce_sum(z * tf.matmul(z, [[2.0, 0.6], [0.6, 1.0]]), -1)


LOC, SCALE = tf.constant([0.3, -0.7]), tf.constant([[0.8, 0.0], [0.4, 0.6]])


@pytest.mark.parametrize("name", gradient_estimators.ESTIMATORS)
def test_estimators_are_unbiased(name):
    """E f of a quadratic is f(loc) + tr(A C) / 2: its gradients are A loc + b and A / 2."""
    eps = tf.random.stateless_normal([40_000, 2], [4, 5])
    by_loc, by_covariance = gradient_estimators.estimate(name, quadratic, LOC, SCALE, eps)
    a = np.array([[2.0, 0.6], [0.6, 1.0]], np.float32)
    for found, expected in ((by_loc, a @ LOC.numpy() + [0.5, -2.0]), (by_covariance, a / 2)):
        error = tf.math.reduce_std(found, 0) / 200.0
        assert np.all(np.abs(tf.reduce_mean(found, 0) - expected) < 5 * error + 1e-3)


def test_their_variances_are_in_the_known_order():
    eps = tf.random.stateless_normal([20_000, 2], [4, 5])

    def variance(name, f):
        return [float(tf.reduce_sum(tf.math.reduce_variance(g, 0)))
                for g in gradient_estimators.estimate(name, f, LOC, SCALE, eps)]

    found = {name: variance(name, quadratic) for name in gradient_estimators.ESTIMATORS}
    for which in (0, 1):
        assert (
            found["score_function"][which]
            > found["score_function_baseline"][which]
            > found["reparameterised"][which]
            >= found["gaussian"][which]
        )
    assert found["gaussian"][1] < 1e-8  # the Hessian of a quadratic is what it is everywhere


def test_they_agree_on_what_is_no_quadratic():
    f, eps = lambda z: tf.sin(z[:, 0]) * tf.exp(0.3 * z[:, 1]), tf.random.stateless_normal([100_000, 2], [4, 5])
    found = {name: gradient_estimators.estimate(name, f, LOC, SCALE, eps) for name in gradient_estimators.ESTIMATORS}
    for name in gradient_estimators.ESTIMATORS:
        for mine, theirs in zip(found[name], found["gaussian"]):
            error = (tf.math.reduce_std(mine, 0) + tf.math.reduce_std(theirs, 0)) / 316.0
            assert np.all(np.abs(tf.reduce_mean(mine, 0) - tf.reduce_mean(theirs, 0)) < 5 * error)


@pytest.mark.parametrize("arguments",
                         [dict(latent_sizes=()), dict(latent_sizes=(2, 0)), dict(hidden=0), dict(posterior="iaf"),
                          dict(posterior="cubic"),
                          dict(warmup_steps=-1)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError):
        zoo.DLGM(**(TINY | arguments))


def test_unknown_estimator():
    with pytest.raises(ValueError, match="score_function"):
        gradient_estimators.estimate("vimco", quadratic, LOC, SCALE, tf.zeros([2, 2]))
