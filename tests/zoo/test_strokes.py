"""A step of the pen: its density against TFP's own and against quadrature, its samples, temperature, and what an end
means."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.distributions import strokes

tfd = tfp.distributions


def parameters(batch=(), components=3, seed=0, spread=0.7):
    return tf.constant(np.random.default_rng(seed).normal(size=(*batch, 6 * components + 3), scale=spread), tf.float32)


def by_tfp(raw):
    """The mixture, from the paper's formula for the covariance."""
    logits, mx, my, sx, sy, r = np.split(np.asarray(raw, np.float64)[..., 3:], 6, -1)
    sx, sy, rho = np.exp(sx), np.exp(sy), np.tanh(r)
    covariance = np.stack([np.stack([sx ** 2, rho * sx * sy], -1), np.stack([rho * sx * sy, sy ** 2], -1)], -2)
    return tfd.MixtureSameFamily(tfd.Categorical(logits=logits),
                                 tfd.MultivariateNormalTriL(np.stack([mx, my], -1), np.linalg.cholesky(covariance)))


def with_pen(offsets, state):
    offsets = np.asarray(offsets, np.float32)
    return np.concatenate([offsets, np.broadcast_to(np.eye(3, dtype=np.float32)[state], (*offsets.shape[:-1], 3))], -1)


@pytest.mark.parametrize("components", [1, 4])
def test_the_density_is_tfps(components):
    raw, rng = parameters((50,), components), np.random.default_rng(1)
    offsets, states = rng.normal(size=(50, 2), scale=2), rng.integers(0, 3, 50)
    x = with_pen(offsets, states)
    pen = np.log(tf.nn.softmax(raw[:, :3]))[np.arange(50), states]
    np.testing.assert_allclose(strokes.Strokes(raw).log_prob(x),
                               np.where(states == 2, 0, by_tfp(raw).log_prob(offsets)) + pen, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(strokes.Strokes(raw).pen().log_prob(x[:, 2:]), pen, rtol=1e-5)


def test_probabilities_sum_and_densities_integrate_to_one():
    axis = np.linspace(-9, 9, 181)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    for seed in range(3):
        step = strokes.Strokes(parameters(seed=seed, spread=0.5))
        mass = [np.exp(step.log_prob(with_pen(grid, state)), dtype=np.float64).sum() * 0.1 ** 2 for state in (0, 1)]
        end = float(step.prob(with_pen([0, 0], 2)))
        np.testing.assert_allclose(mass + [end], tf.nn.softmax(step.raw[:3]), rtol=1e-4)


def test_samples_have_the_mixtures_moments():
    raw = parameters(seed=5)
    x = strokes.Strokes(raw).sample(40_000, seed=[1, 2]).numpy()
    p = tf.nn.softmax(raw[:3]).numpy()
    np.testing.assert_allclose(x[:, 2:].mean(0), p, atol=0.012)
    assert np.all(x[x[:, 4] == 1] == strokes.END) and np.all(x[:, 2:].sum(1) == 1)
    inside, exact = x[x[:, 4] == 0, :2], by_tfp(raw)
    np.testing.assert_allclose(inside.mean(0), exact.mean(), atol=5 * inside.std() / np.sqrt(len(inside)))
    np.testing.assert_allclose(np.cov(inside.T), exact.covariance(), atol=0.05 * inside.var())


@pytest.mark.parametrize("tau", [0.3, 1.0, 1.7])
def test_temperature_divides_logits_and_multiplies_variances(tau):
    raw, noise = parameters((300,)), strokes.noise_rows(random.rows(random.seed(3), 300), 1)[:, 0]
    x = strokes.from_noise(raw, noise, tau)
    pen, logits, rest = np.split(raw.numpy(), [3, 6], -1)
    locations, scales, correlations = np.split(rest, [6, 12], -1)
    cooled = np.concatenate([pen / tau, logits / tau, locations, scales + 0.5 * np.log(tau), correlations],
                            -1).astype(np.float32)
    np.testing.assert_allclose(x, strokes.from_noise(cooled, noise), atol=1e-5)
    np.testing.assert_allclose(x, strokes.from_noise(raw, noise, tf.fill([300], tau)), atol=1e-6)  # or one for each row
    if tau != 1.0:
        assert np.abs(x - strokes.from_noise(raw, noise)).max() > 0.1


def test_the_likeliest_step_is_that_of_temperature_zero():
    raw, noise = parameters((200,)), strokes.noise_rows(random.rows(random.seed(4), 200), 1)[:, 0]
    np.testing.assert_allclose(strokes.likeliest(raw), strokes.from_noise(raw, noise, 1e-6), atol=0.02)
    logits, x_loc, found = raw[:, 3:6].numpy(), raw[:, 6:9].numpy(), strokes.likeliest(raw).numpy()
    inside = found[:, 4] == 0
    np.testing.assert_array_equal(found[inside, 0], x_loc[np.arange(200), logits.argmax(1)][inside])


def test_extreme_parameters_stay_finite():
    raw = tf.constant([[0.0, 0, 0, 0, 0, 5, -5, -5, 5, s, s, -s, -s, 30, -30] for s in (40.0, -40.0)])
    with tf.GradientTape() as tape:
        tape.watch(raw)
        value = strokes.Strokes(raw).log_prob(with_pen([[0.0, 0], [1e-3, 2]], 0))
    assert np.all(np.isfinite(value)) and np.all(np.isfinite(tape.gradient(value, raw)))


def test_what_an_end_means():
    x = np.zeros((2, 4, 5), np.float32)
    x[..., 2] = 1
    x[0, 1] = x[0, 2] = x[0, 3] = strokes.END
    np.testing.assert_array_equal(strokes.over(x), [[False, False, True, True], [False] * 4])
    np.testing.assert_array_equal(strokes.lengths(tf.constant(x)), [2, 4])
    raw = strokes.certain(parameters((2, 4)), strokes.over(x))
    terms = strokes.Strokes(raw).log_prob(x).numpy()
    assert np.all(terms[0, 2:] == 0) and np.all(terms[1] != 0) and np.all(terms[0, :2] != 0)
    assert np.all(strokes.Strokes(raw).log_prob(with_pen(np.zeros((2, 4, 2)), 0))[0, 2:] < -1e6)
    np.testing.assert_array_equal(strokes.filled(np.float32([[0] * 5, [0, 0, 0, 1, 0]])),
                                  [strokes.END, (0, 0, 0, 1, 0)])


@pytest.mark.parametrize("shape", [(5,), (4, 4), (0, 5), (2, 4, 5)])
def test_wrong_shapes_raise(shape):
    with pytest.raises(ValueError, match="shape must be a sketch's"):
        strokes.sketch_shape(shape)
