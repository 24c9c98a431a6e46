"""The discretized mixture of logistics: sums to one, is what its sampler draws, and never loses its gradients."""

import numpy as np
import pytest
import tensorflow as tf

from zoo import random
from zoo.distributions import discretized_logistic_mixture as dlm
from zoo.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture


def parameters(shape, components, channels, scale=1.0):
    return tf.constant(np.random.default_rng(0).normal(size=(*shape, components * dlm.size(channels)), scale=scale),
                       tf.float32)


def every_pixel(levels, channels):
    return np.stack(np.meshgrid(*[np.arange(levels)] * channels, indexing="ij"),
                    -1).reshape(-1, channels).astype(np.int32)


def sigma(t):
    return 1.0 / (1.0 + np.exp(-np.asarray(t, np.float64)))


def by_hand(raw, x, levels, channels):
    """P(x) of one pixel as the paper writes it, in float64, with loops."""
    total, raw = 0.0, np.reshape(raw, [-1, dlm.size(channels)]).astype(np.float64)
    weights = np.exp(raw[:, 0]) / np.exp(raw[:, 0]).sum()
    v = 2.0 * x / (levels - 1) - 1.0
    for weight, row in zip(weights, raw):
        loc, scale = row[1:1 + channels].copy(), np.exp(row[1 + channels:1 + 2 * channels])
        c = np.tanh(row[1 + 2 * channels:])
        if channels > 1:
            loc[1] += c[0] * v[0]
        if channels > 2:
            loc[2] += c[1] * v[0] + c[2] * v[1]
        p = 1.0
        for i in range(channels):
            high = 1.0 if x[i] == levels - 1 else sigma((v[i] + 1.0 / (levels - 1) - loc[i]) / scale[i])
            low = 0.0 if x[i] == 0 else sigma((v[i] - 1.0 / (levels - 1) - loc[i]) / scale[i])
            p *= high - low
        total += weight * p
    return total


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("levels", [2, 4])
def test_probabilities_are_the_papers_and_sum_to_one(levels, channels):
    raw, x = parameters([], 3, channels), every_pixel(levels, channels)
    p = np.exp(dlm.mixture(raw, levels, channels, 0).log_prob(x), dtype=np.float64)
    np.testing.assert_allclose(p, [by_hand(raw.numpy(), pixel, levels, channels) for pixel in x], rtol=1e-4)
    assert abs(p.sum() - 1.0) < 1e-5


def test_256_levels_sum_to_one():
    raw = parameters([5], 4, 1, scale=2.0)
    log_prob = dlm.mixture(raw[None], 256, 1, 0).log_prob(np.broadcast_to(np.arange(256)[:, None, None], [256, 5, 1]))
    np.testing.assert_allclose(np.exp(log_prob, dtype=np.float64).sum(0), 1.0, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_what_is_drawn_occurs_as_often_as_log_prob_says(channels):
    levels, num = 4, 40_000
    raw, x = parameters([], 2, channels), every_pixel(4, channels)
    p = np.exp(dlm.mixture(raw, levels, channels, 0).log_prob(x))
    noise = dlm.noise_rows(random.rows(random.seed(1), 1), (num, 1, channels), 2)[0, :, 0]
    from_noise = dlm.draw(tf.broadcast_to(raw, [num, *raw.shape]), noise, levels, channels)
    drawn = dlm.mixture(raw, levels, channels, 0).sample(num, seed=(1, 2))
    for pixels in (from_noise, drawn):
        assert pixels.dtype == tf.int32 and pixels.shape == (num, channels)
        counts = np.bincount(pixels.numpy() @ [levels**c for c in reversed(range(channels))], minlength=len(p))
        assert np.all(np.abs(counts / num - p) < 4.5 * np.sqrt(p * (1.0 - p) / num) + 1e-6)


def test_the_distribution_draws_from_noise_as_the_function_does():
    raw, noise = parameters([5, 6], 3, 3), dlm.noise_rows(random.rows(random.seed(0), 5), (6, 1, 3), 3)[:, :, 0]
    distribution = dlm.mixture(raw, 17, 3, 0).distribution
    np.testing.assert_array_equal(distribution.from_noise(noise), dlm.draw(raw, noise, 17, 3))


def test_the_mean_is_that_of_samples():
    for channels, levels in ((1, 256), (3, 5)):
        distribution = dlm.mixture(parameters([2, 3], 3, channels), levels, channels, 0)
        drawn = distribution.sample(20_000, seed=(3, 4)).numpy()
        assert distribution.mean().shape == (2, 3, channels)
        np.testing.assert_allclose(distribution.mean(), drawn.mean(0), atol=4.5 * levels / 2 / np.sqrt(20_000))
    with pytest.raises(ValueError, match="the mean is a sum"):
        dlm.mixture(parameters([2], 2, 3), 256, 3, 0).mean()


@pytest.mark.parametrize("log_scale", [-30.0, -7.0, 0.0, 12.0])
@pytest.mark.parametrize("loc", [-60.0, 0.1, 60.0])
def test_log_prob_and_gradients_are_finite_far_out(loc, log_scale):
    raw = tf.stack([tf.zeros([256]), tf.fill([256], loc), tf.fill([256], log_scale)], -1)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        log_prob = dlm.mixture(raw, 256, 1, 0).log_prob(tf.range(256)[:, None])
    assert np.all(np.isfinite(log_prob)) and np.all(np.isfinite(tape.gradient(log_prob, raw)))
    scale = np.exp(max(log_scale, -7.0))
    v = 2.0 * np.arange(256) / 255 - 1.0
    if abs(loc) > 1 and log_scale <= -7.0:  # a tail: log P is linear in the distance
        expected = -(np.abs(v - loc) - 1 / 255) / scale
        np.testing.assert_allclose(log_prob[1:-1], expected[1:-1], rtol=1e-4)
    elif log_scale == 12.0:  # a bin far narrower than the scale: the density at its middle times its width
        t = (v - loc) / scale
        np.testing.assert_allclose(log_prob[1:-1], (-t - 2 * np.log1p(np.exp(-t)) - 12.0 + np.log(2 / 255))[1:-1],
                                   rtol=1e-5)


def test_the_gradient_is_that_of_finite_differences():
    raw, x = parameters([], 2, 3).numpy().astype(np.float64), np.array([1, 0, 4], np.int32)
    variable = tf.constant(raw, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        log_prob = dlm.mixture(variable, 6, 3, 0).log_prob(x)
    step = 1e-5 * np.eye(len(raw))
    slopes = [(np.log(by_hand(raw + s, x, 6, 3)) - np.log(by_hand(raw - s, x, 6, 3))) / 2e-5 for s in step]
    np.testing.assert_allclose(tape.gradient(log_prob, variable), slopes, atol=1e-4)


def test_shapes_and_slices():
    distribution = dlm.mixture(parameters([4, 5, 6], 3, 3), 17, 3)
    assert distribution.batch_shape == [4] and distribution.event_shape == [5, 6, 3]
    assert distribution.distribution.batch_shape == [4, 5, 6] and distribution.dtype == tf.int32
    x = distribution.sample(seed=(0, 1))
    np.testing.assert_allclose(distribution[1:3].log_prob(x[1:3]), distribution.log_prob(x)[1:3], rtol=1e-5)


def test_wrong_arguments_raise():
    with pytest.raises(ValueError, match="coefficients"):
        DiscretizedLogisticMixture(tf.zeros([2]), tf.zeros([2, 3]), tf.zeros([2, 3]))
    with pytest.raises(ValueError, match="levels"):
        DiscretizedLogisticMixture(tf.zeros([2]), tf.zeros([2, 1]), tf.zeros([2, 1]), levels=1)
