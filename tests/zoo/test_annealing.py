"""Annealed importance sampling on linear-Gaussian models, whose log p(x) is known, with one layer of latents and with
two."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.metrics import annealing

tfd = tfp.distributions
D, K, SIGMA = 5, 2, 0.5
W = np.random.default_rng(0).normal(size=(K, D)).astype(np.float32)
MARGINAL = tfd.MultivariateNormalFullCovariance(tf.zeros(D), W.T @ W + SIGMA ** 2 * np.eye(D, dtype=np.float32))
STEPS, CHAINS, N = 80, 16, 200


def normal(loc, scale):
    return tfd.Independent(tfd.Normal(loc, scale), 1)


def one_layer(x):
    """(log_prior, log_likelihood, draw_prior) of x = W z + noise, for CHAINS rows of each example."""
    x = tf.tile(x, [CHAINS, 1])
    return (
        normal(tf.zeros(K), 1.0).log_prob,
        lambda z: normal(z @ W, SIGMA).log_prob(x),
        lambda seeds: random.normal_rows(seeds, (K,)),
    )


def two_layers(x):
    """The same p(x): z = (0.6 a + 0.8 b, a), b's scale being a part of z's own density."""
    x = tf.tile(x, [CHAINS, 1])

    def draw(seeds):
        above = random.normal_rows(random.fold_in_rows(seeds, 0), (K,))
        return 0.6 * above + 0.8 * random.normal_rows(random.fold_in_rows(seeds, 1), (K,)), above

    return (lambda z: normal(0.6 * z[1], 0.8).log_prob(z[0]) + normal(tf.zeros(K), 1.0).log_prob(z[1]),
            lambda z: normal(z[0] @ W, SIGMA).log_prob(x), draw)


@pytest.mark.slow  # the programs' test holds AIS against quadrature
@pytest.mark.parametrize("model", [one_layer, two_layers])
def test_the_bounds_meet_at_log_p(model):
    seeds = random.rows(random.seed(1), N)
    _, _, draw = model(tf.zeros([N, D]))
    z = draw(seeds)
    x = (z[0] if isinstance(z, tuple) else z) @ W + SIGMA * random.normal_rows(random.fold_in_rows(seeds, 9), (D,))
    log_prior, log_likelihood, draw = model(x)
    z = tf.nest.map_structure(lambda part: tf.tile(part, [CHAINS, 1]), z)

    @tf.function
    def both(seeds):
        low, sizes, acceptance = annealing.lower(log_prior, log_likelihood, draw, seeds, CHAINS, STEPS)
        return low, annealing.upper(log_prior, log_likelihood, z, seeds, CHAINS, sizes), acceptance

    low, high, acceptance = (value.numpy() for value in both(seeds))
    truth = MARGINAL.log_prob(x).numpy()
    for bound in (low, high):  # of 200 examples, each off by 0.2 to 0.4 nats as chance has it
        assert abs(bound.mean() - truth.mean()) < 0.1 and np.median(np.abs(bound - truth)) < 0.25
    assert 0.4 < acceptance.mean() < 0.999


def test_few_steps_are_below_and_above():
    """With one step and no transition that matters the bounds are plain importance sampling from the prior, and its
    reverse: far from the truth, on either side."""
    seeds = random.rows(random.seed(2), 400)  # over which the gaps are 0.5 and 1.3 nats, give or take 0.1
    z = random.normal_rows(seeds, (K,))
    x = z @ W + SIGMA * random.normal_rows(random.fold_in_rows(seeds, 9), (D,))
    log_prior, log_likelihood, draw = one_layer(x)
    low, sizes, _ = annealing.lower(log_prior, log_likelihood, draw, seeds, CHAINS, 2)
    high = annealing.upper(log_prior, log_likelihood, tf.tile(z, [CHAINS, 1]), seeds, CHAINS, sizes)
    truth = tf.reduce_mean(MARGINAL.log_prob(x))
    assert tf.reduce_mean(low) < truth - 0.25 and tf.reduce_mean(high) > truth + 0.25


def test_weights_are_unbiased_whatever_the_sizes():
    """E[w] = p(x): the average of the weights themselves, of many short chains with fixed sizes, accepted or not."""
    rows = 4000
    x = tf.tile(tf.constant([[0.4]]), [rows, 1])
    likelihood = normal(tf.zeros(1), 0.5)
    seeds = random.rows(random.seed(3), rows)
    for size in (0.3, 1.5):
        found = annealing.anneal(normal(tf.zeros(1), 1.0).log_prob, lambda z: likelihood.log_prob(x - z),
                                 random.normal_rows(seeds, (1,)),
                                 random.fold_in_rows(seeds, 5), annealing.schedule(3), tf.fill([3, rows], size),
                                 leapfrogs=2)
        weights = np.exp(found.log_weights.numpy().astype(np.float64))
        truth = np.exp(normal(tf.zeros(1), 1.25 ** 0.5).log_prob([0.4]).numpy())
        assert (
            abs(weights.mean() - truth) < 4 * weights.std() / np.sqrt(rows)
            and weights.std() / np.sqrt(rows) < 0.02 * truth
        )


def test_a_transition_leaves_its_distribution_as_it_is():
    """At a constant exponent of 1 the chain has no weight, and draws of the posterior stay draws of it."""
    rows, x = 4000, 0.7
    post_scale = np.sqrt(1 / (1 + 4.0))
    seeds = random.rows(random.seed(4), rows)
    z = 4.0 * x * post_scale ** 2 + post_scale * random.normal_rows(seeds, (1,))
    log_prior, log_likelihood = normal(tf.zeros(1), 1.0).log_prob, lambda z: normal(z,
                                                                                    0.5).log_prob(tf.fill([rows, 1], x))
    found = annealing.anneal(log_prior, log_likelihood, z, random.fold_in_rows(seeds, 1), tf.ones(6),
                             tf.fill([5, rows], 0.4))
    np.testing.assert_array_equal(found.log_weights, np.zeros(rows))
    last = found.z.numpy()
    assert (
        abs(last.mean() - 4.0 * x * post_scale**2) < 0.03
        and abs(last.std() - post_scale) < 0.03
        and 0.5 < found.acceptance.numpy().mean() < 1
    )


def test_a_row_is_its_seeds():
    seeds, x = random.rows(random.seed(5), 3), tf.constant(np.random.default_rng(1).normal(size=(3, D)), tf.float32)
    whole = annealing.lower(*one_layer(x), seeds, CHAINS, 5)[0]
    np.testing.assert_allclose(annealing.lower(*one_layer(x[1:2]), seeds[1:2], CHAINS, 5)[0], whole[1:2], rtol=1e-4)


def test_the_schedule_rises_from_0_to_1_slowly_at_both_ends():
    b = annealing.schedule(10).numpy()
    assert b[0] == 0 and b[-1] == 1 and (np.diff(b) > 0).all()
    assert np.diff(b)[0] < 0.3 * np.diff(b)[5] and np.diff(b)[-1] < 0.3 * np.diff(b)[5]
