"""Drawing categories by inverting their cumulative distribution function."""

import numpy as np
import pytest
import tensorflow as tf

from zoo import random
from zoo.distributions import categories

ALMOST_ONE = np.nextafter(np.float32(1), np.float32(0))


def test_the_smallest_category_whose_cumulated_probability_exceeds_the_uniform():
    p = np.array([0.25, 0.5, 0.125, 0.125], np.float32)  # sums without rounding
    for u, expected in [(0.0, 0), (0.2499, 0), (0.25, 1), (0.7499, 1), (0.75, 2), (0.8749, 2), (0.875, 3),
                        (ALMOST_ONE, 3)]:
        drawn = categories.from_noise(tf.constant(np.log(p)), tf.constant(u, tf.float32))
        assert drawn.dtype == tf.int32 and int(drawn) == expected, u


@pytest.mark.parametrize("num", [2, 65, 256, 5000])
def test_no_category_of_probability_zero_is_drawn_at_either_end(num):
    logits = np.random.default_rng(num).normal(size=(200, num)).astype(np.float32)
    logits[:, 0] = logits[:, -1] = -np.inf if num > 2 else 0.0
    for u in (0.0, ALMOST_ONE):
        drawn = categories.from_noise(tf.constant(logits), tf.fill([200], u)).numpy()
        assert np.all(np.isfinite(logits[np.arange(200), drawn]))


def test_one_category_that_is_certain_is_drawn_by_any_noise():
    logits = tf.constant([[-np.inf, 3.0, -np.inf]] * 2)
    np.testing.assert_array_equal(categories.from_noise(logits, tf.constant([0.0, ALMOST_ONE])), [1, 1])


def test_draws_occur_as_often_as_their_probability_and_do_not_depend_on_the_batch():
    logits = tf.constant(np.random.default_rng(0).normal(size=(3, 5)), tf.float32)
    seeds = random.rows(random.seed(1), 4096)
    noise = categories.noise_rows(seeds, (3,))
    np.testing.assert_array_equal(noise[7:9], categories.noise_rows(seeds[7:9], (3,)))
    drawn = categories.from_noise(tf.broadcast_to(logits, [4096, 3, 5]), noise).numpy()
    p = tf.nn.softmax(logits).numpy()
    for place in range(3):
        share = np.bincount(drawn[:, place], minlength=5) / 4096
        assert np.all(np.abs(share - p[place]) < 4.5 * np.sqrt(p[place] * (1 - p[place]) / 4096))


def test_the_distribution_adds_the_places():
    logits = tf.constant(np.random.default_rng(0).normal(size=(2, 3, 5)), tf.float32)
    x = tf.constant([[0, 4, 2], [1, 1, 3]])
    expected = tf.gather(tf.nn.log_softmax(logits), x, batch_dims=2).numpy().sum(1)
    np.testing.assert_allclose(categories.categories(logits).log_prob(x), expected, rtol=1e-5)
