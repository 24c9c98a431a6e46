"""Mu-law codes: bins and their centres, a distribution that sums to one, and draws that occur as often as their
probabilities say."""

import math

import numpy as np
import pytest
import tensorflow as tf

from zoo import random
from zoo.distributions import mu_law
from zoo.distributions.mu_law import MuLaw


@pytest.mark.parametrize("levels", [2, 5, 16, 256, 1024])
def test_a_decoded_code_is_encoded_again_and_stays_in_its_range(levels):
    codes = np.arange(levels)
    x = mu_law.decode(codes, levels).numpy()
    np.testing.assert_array_equal(mu_law.encode(x, levels), codes)
    assert x[0] == -1 and x[-1] == 1 and np.all(np.diff(x) > 0)
    np.testing.assert_allclose(x, -x[::-1], atol=1e-7)
    np.testing.assert_array_equal(mu_law.encode([-3.0, -1.0, 1.0, 3.0], levels), [0, 0, levels - 1, levels - 1])


def test_companding_against_its_formula_and_every_amplitude_goes_to_the_nearest_centre():
    x = np.linspace(-1, 1, 20_001)
    y = np.sign(x) * np.log(1 + 255 * np.abs(x)) / math.log(256)
    np.testing.assert_allclose(mu_law.compand(tf.constant(x, tf.float32), 256), y, atol=1e-5)
    centres = np.linspace(-1, 1, 256)
    codes = mu_law.encode(tf.constant(x, tf.float32), 256).numpy()
    distance = np.abs(y[:, None] - centres)
    np.testing.assert_allclose(distance[np.arange(len(x)), codes], distance.min(1), atol=1e-5)
    errors = np.abs(mu_law.decode(codes, 256).numpy() - x)
    assert errors[np.abs(x) < 0.01].max() < 4e-4 and 0.02 < errors.max() < 0.022  # fine where it is quiet


def test_probabilities_sum_to_one_and_a_bin_shares_its_code_s():
    logits = tf.random.stateless_normal([3, 16], [1, 2], stddev=2.0)
    distribution = MuLaw(logits)
    assert distribution.batch_shape == [3] and distribution.event_shape == []
    log_prob = distribution.log_prob(mu_law.decode(np.arange(16)[:, None], 16))  # [16, 3]
    np.testing.assert_allclose(np.exp(log_prob).sum(0), 1.0, atol=1e-5)
    np.testing.assert_allclose(tf.transpose(log_prob), tf.nn.log_softmax(logits), atol=1e-5)
    np.testing.assert_array_equal(distribution.log_prob([0.7, 0.7, 0.7]), distribution.log_prob([0.71, 0.69, 0.7]))
    drawn = distribution.sample(5, seed=[1, 2])
    assert drawn.shape == (5, 3) and set(np.ravel(drawn)) <= set(mu_law.decode(np.arange(16), 16).numpy())


@pytest.mark.parametrize("levels", [2, 3, 10, 16, 256])
def test_a_draw_is_the_inverse_of_the_cumulative_distribution(levels):
    rng = np.random.default_rng(levels)
    logits = rng.normal(size=(4, 7, levels), scale=2.0).astype(np.float32)
    uniform = rng.uniform(size=(4, 7)).astype(np.float32)
    p = np.exp(logits.astype(np.float64))
    cumulative = np.cumsum(p / p.sum(-1, keepdims=True), -1)
    expected = (cumulative <= uniform[..., None]).sum(-1)
    near = np.abs(cumulative - uniform[..., None]).min(-1) < 1e-5
    drawn = mu_law.from_noise(tf.constant(logits), tf.constant(uniform)).numpy()
    np.testing.assert_array_equal(drawn[~near], expected[~near])
    assert near.sum() < 3
    ends = mu_law.from_noise(tf.constant(logits[0]), tf.constant([0.0, 1 - 2.0**-23] + [0.5] * 5)).numpy()
    assert ends[0] == 0 and ends[1] == levels - 1


def test_draws_occur_as_often_as_their_probabilities_say():
    num, logits = 20_000, tf.constant([2.0, -9.0, 0.5, 1.0, -1.0, 0.0])
    drawn = mu_law.from_noise(tf.tile(logits[None], [num, 1]),
                              random.uniform_rows(random.rows(random.seed(0), num), []))
    p = tf.nn.softmax(logits).numpy()
    assert np.all(np.abs(np.bincount(drawn, minlength=6) / num - p) < 4.5 * np.sqrt(p * (1 - p) / num))
