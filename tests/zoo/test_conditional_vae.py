"""The conditional VAE: likelihoods of what is hidden that sum to one, given quadrants that stay, and bounds below the
truth."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support.variationals import IMAGES, perturbed
from trainers.runs import config as configs
from zoo import random
from zoo.latent.conditional_vae import given_quadrants

TINY = dict(shape=(2, 2, 1), levels=2, latent_size=2, hidden=(5,), activation="tanh")


def make(**arguments):
    return perturbed(zoo.ConditionalVAE, TINY | arguments)


def given(model, x):
    return tf.where(model.given[..., None], tf.cast(x, tf.float32), -1.0)


def test_quadrants_are_those_of_the_published_numbers():
    assert given_quadrants((4, 4, 1), 1).tolist() == [[0, 0, 0, 0]] * 2 + [[1, 1, 0, 0]] * 2
    assert given_quadrants((4, 4, 1), 2).tolist() == [[1, 1, 0, 0]] * 4
    assert given_quadrants((5, 5, 1), 3).sum() == 25 - 9


@pytest.mark.parametrize("quadrants", [1, 2, 3])
def test_the_hidden_pixels_have_a_distribution(quadrants):
    """Over all images that agree with what is given, p(x|given) sums to one; it is zero for the others; the bound rises
    to it."""
    model = make(quadrants=quadrants)
    # a posterior near the prior: the weights are bounded
    for weight in (*model.head.weights, *model.prior_head.weights):
        weight.assign(0.2 * weight)
    condition = given(model, tf.repeat(IMAGES[6:7], 16, 0))
    agrees = np.all(np.where(model.given[..., None], IMAGES == IMAGES[6], True), (1, 2, 3))
    assert agrees.sum() == 2 ** (4 - quadrants)
    z = model.draw_prior(random.rows(random.seed(1), 30_000), tf.repeat(condition[:1], 30_000, 0))
    likelihood = model.likelihood(z, tf.repeat(condition[:1], 30_000, 0))
    exact = np.array([tf.reduce_logsumexp(likelihood.log_prob(x)) - np.log(30_000.0) for x in IMAGES])
    np.testing.assert_allclose(np.exp(exact[agrees]).sum(), 1.0, atol=1e-4)
    assert np.all(exact[~agrees] < -20)
    seeds = random.rows(random.seed(2), 16)
    bounds = [tf.boolean_mask(model.log_prob(IMAGES, seeds, num_samples=k, condition=condition), agrees).numpy()
              for k in (1, 2000)]
    np.testing.assert_allclose(bounds[1], exact[agrees], atol=0.1)
    terms = model.terms(IMAGES, tf.zeros([16, 2]), condition)
    np.testing.assert_allclose(terms["kl"] >= 0, True)


def test_samples_keep_what_is_given_and_read_nothing_else():
    model = make(quadrants=2, shape=(4, 4, 1), levels=5)
    x = tf.random.stateless_uniform([8, 4, 4, 1], [1, 2], 0, 5, tf.int32)
    seeds = random.rows(random.seed(3), 8)
    drawn = model.sample(seeds, condition=given(model, x))
    assert np.all(np.where(model.given[..., None], drawn == x, True)) and np.any(drawn != x)
    np.testing.assert_array_equal(drawn, model.sample(seeds, condition=tf.cast(x, tf.float32)))


def test_labels_change_what_is_drawn():
    model = make(classes=3)
    seeds = random.rows(random.seed(3), 6)
    first, second = (model.sample_mean(seeds, condition=tf.fill([6], label)) for label in (0, 1))
    assert np.all(np.abs(first - second).max((1, 2, 3)) > 1e-4)
    for label in range(3):
        z = model.draw_prior(random.rows(random.seed(1), 20_000), tf.fill([20_000], label))
        likelihood = model.likelihood(z, tf.fill([20_000], label))
        exact = [tf.reduce_logsumexp(likelihood.log_prob(x)) - np.log(20_000.0) for x in IMAGES]
        np.testing.assert_allclose(np.exp(exact).sum(), 1.0, atol=1e-4)


@pytest.mark.parametrize("arguments",
                         [dict(quadrants=0), dict(quadrants=4), dict(classes=3, quadrants=1),
                          dict(classes=0, quadrants=0), dict(latent_size=0), dict(shape=(1, 4, 1))])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError):
        zoo.ConditionalVAE(**(TINY | arguments))


def test_classes_alone_are_enough():
    assert zoo.create("conditional_vae", classes=10, shape=(2, 2, 1), hidden=(5,)).domain.num_classes == 10
    for dataset in ("digits", "mnist", "table"):  # whatever the recipe
        config = configs.default("conditional_vae", dataset)
        config.model.update(classes=10, hidden=(5,))
        assert configs.make_model("conditional_vae", config, (4, 4, 1)).domain.num_classes == 10
    assert configs.make_model("conditional_vae", configs.default("conditional_vae", "mnist"),
                              (4, 4, 1)).domain.condition.kind == "known"


def test_a_condition_is_needed():
    model = make(quadrants=1)
    with pytest.raises(ValueError, match="condition"):
        model.sample(random.rows(random.seed(0), 2))
    with pytest.raises(ValueError, match="condition"):
        zoo.VAE(shape=(2, 2, 1), hidden=(3,), latent_size=1).sample(random.rows(random.seed(0), 2),
                                                                    condition=tf.zeros([2], tf.int32))
