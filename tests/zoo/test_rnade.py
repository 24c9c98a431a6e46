"""RNADE and its mixtures: densities integrate to one; the equations entry by entry; the naive sampler; samples against
the density."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from tests.zoo.test_fvsbn import dependence, make
from zoo import random
from zoo.autoregressive.rnade import RNADE
from zoo.distributions import mixtures

KINDS = sorted(mixtures.KINDS)
# 2 mixtures of 3
PARAMETERS = tf.constant([[0.3, -1.0, 1.0, -2.0, 0.0, 3.0, -1.0, 0.2, -0.5],
                          [0.0, 1.0, 2.0, 5.0, 1.0, -4.0, 0.5, -2.0, 0.1]])


def component_cdf(kind, z):
    return tf.sigmoid(z) if kind == "logistic" else 0.5 * (1.0 + tf.math.erf(z / np.sqrt(2.0)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_mixture_is_what_its_parameters_say(kind):
    """Its distribution function, by integrating the density, against the sum of the components' own."""
    x = tf.linspace(-60.0, 60.0, 240001)[:, None]
    density = np.exp(mixtures.mixture(PARAMETERS, kind).log_prob(x), dtype=np.float64)
    integral = np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(x, axis=0), axis=0)
    np.testing.assert_allclose(integral[-1], 1.0, atol=1e-4)
    logits, loc, log_scale = np.split(PARAMETERS.numpy(), 3, axis=-1)
    expected = tf.reduce_sum(tf.nn.softmax(logits) * component_cdf(kind, (x[1:, :, None] - loc) * np.exp(-log_scale)),
                             -1)
    np.testing.assert_allclose(integral, expected, atol=1e-3)
    np.testing.assert_allclose(mixtures.mean(PARAMETERS), np.sum(x * density, axis=0) * 0.0005, atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mixtures_draws_follow_its_distribution_function(kind):
    num = 8192
    noise = mixtures.noise_rows(random.rows(random.seed(1), num), (2,), 3)
    assert noise.shape == (num, 2, 4)
    x = mixtures.from_noise(tf.tile(PARAMETERS[None], [num, 1, 1]), noise, kind)
    u = np.sort(mixtures.mixture(PARAMETERS, kind).cdf(x), axis=0)
    # Kolmogorov and Smirnov, p = 0.0015
    assert np.abs(u - (np.arange(num)[:, None] + 0.5) / num).max() < 1.9 / np.sqrt(num)


@pytest.mark.parametrize("kind", KINDS)
def test_the_scales_floor_bounds_the_density(kind):
    peak = mixtures.mixture(tf.constant([0.0, 0.0, -50.0]), kind).log_prob(0.0)
    assert peak == mixtures.mixture(tf.constant([0.0, 0.0, mixtures.LOG_SCALE_FLOOR]), kind).log_prob(
        0.0
    ) and np.isfinite(peak)


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_noise_gives_finite_draws(kind):
    noise = tf.constant([[-3.0, 17.0, 0.0, 2.0 ** -24], [17.0, -3.0, 0.0, 1.0 - 2.0 ** -24]])
    x = mixtures.from_noise(PARAMETERS, noise, kind)
    assert np.all(np.isfinite(x)) and np.abs(x).max() < 60.0


@pytest.mark.parametrize("kind", KINDS)
def test_density_integrates_to_one_in_one_and_two_dimensions(kind):
    grid = np.linspace(-60.0, 60.0, 3001, dtype=np.float32)
    one = make(RNADE, 0.3, shape=(1,), hidden=5, components=3, kind=kind)
    assert np.trapezoid(np.exp(one.log_prob(grid[:, None]), dtype=np.float64), grid) == pytest.approx(1.0, abs=1e-3)
    two = make(RNADE, 0.3, shape=(2,), hidden=5, components=3, kind=kind, order=(1, 0))
    grid = np.linspace(-40.0, 40.0, 801, dtype=np.float32)
    x = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(tf.function(two.log_prob)(x), dtype=np.float64).reshape(801, 801)
    assert np.trapezoid(np.trapezoid(density, grid), grid) == pytest.approx(1.0, abs=5e-3)
    # entry 0 depends on entry 1, which is drawn first
    assert np.std((density / density.sum(0))[:, 300:501], axis=1).max() > 1e-4


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_parameters_are_those_of_the_paper_entry_by_entry(activation):
    model = make(RNADE, 0.3, shape=(5,), hidden=6, components=2, activation=activation, order=(3, 1, 4, 0, 2))
    W, c, V, b, rho = (np.asarray(w) for w in (model.W, model.c, model.V, model.b, model.rho))
    x = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    expected = np.zeros([4, 5, 6])
    for d, entry in enumerate(model.order):
        a = rho[d] * (c + x[:, model.order[:d]] @ W[:d])
        expected[:, entry] = b[d] + (np.maximum(a, 0.0) if activation == "relu" else 1.0 / (1.0 + np.exp(-a))) @ V[d]
    np.testing.assert_allclose(model.parameters(x), expected, atol=1e-5)


def test_parameters_depend_on_exactly_the_earlier_entries():
    model = make(RNADE, shape=(6,), hidden=20, components=2, order=(5, 3, 1, 0, 2, 4))
    np.testing.assert_array_equal(dependence(model) > 0, np.tri(6, k=-1) > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_cached_sampler_equals_naive(kind):
    model = make(RNADE, 0.3, shape=(6,), hidden=5, components=3, kind=kind, activation="sigmoid",
                 order=(5, 3, 1, 0, 2, 4))
    seeds = random.rows(random.seed(3), 8)
    samples = model.sample(seeds)
    np.testing.assert_allclose(samples, naive_sample(model, model.noise(seeds)), atol=1e-4)
    np.testing.assert_allclose(model.sample(seeds[2:4]), samples[2:4], atol=1e-5)
    mask = np.tile([False, True, False, True, False, True], [8, 1])  # the first three of the order
    drawn = model.complete(samples, mask, random.rows(random.seed(4), 8))
    np.testing.assert_array_equal(drawn.numpy()[mask], samples.numpy()[mask])
    assert np.all(drawn.numpy()[~mask] != samples.numpy()[~mask])


@pytest.mark.parametrize("kind", KINDS)
def test_samples_fall_into_quadrants_as_often_as_the_density_says(kind):
    model = make(RNADE, 0.3, shape=(2,), hidden=5, components=3, kind=kind, activation="sigmoid")
    num, grid = 4096, np.linspace(-30.0, 30.0, 601, dtype=np.float32)
    density = np.exp(tf.function(model.log_prob)(np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)),
                     dtype=np.float64).reshape(601, 601)
    samples = model.sample(random.rows(random.seed(2), num)).numpy()
    for i, j in np.ndindex(2, 2):
        rows, columns = (slice(300, None) if positive else slice(0, 301) for positive in (i, j))
        p = np.trapezoid(np.trapezoid(density[rows, columns], grid[columns]), grid[rows])
        found = np.mean(((samples[:, 0] > 0) == i) & ((samples[:, 1] > 0) == j))
        assert abs(found - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 2e-3


def test_training_finds_a_correlation():
    """A pair whose second is the first plus noise of 0.1: its differential entropy is known."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4096, 2)).astype(np.float32)
    x[:, 1] = x[:, 0] + 0.1 * x[:, 1]
    keras.utils.set_random_seed(0)
    model = RNADE((2,), hidden=20, components=2)
    model.compile(keras.optimizers.Adam(0.02))
    model.fit(tf.data.Dataset.from_tensor_slices(x).batch(512).repeat(40), verbose=0)
    entropy = 1.0 + np.log(2 * np.pi) + np.log(0.1)
    assert -np.mean(model.log_prob(x)) == pytest.approx(entropy, abs=0.1)


@pytest.mark.parametrize("wrong, message",
                         [(dict(shape=(2, 2, 1)), "vector"), (dict(hidden=0), "hidden"),
                          (dict(components=0), "component"),
                          (dict(kind="cauchy"), "gaussian"), (dict(activation="sine"), "activation"),
                          (dict(order=(0, 0)), "permutation")])
def test_wrong_arguments_raise(wrong, message):
    with pytest.raises(ValueError, match=message):
        RNADE(**dict(shape=(2,), hidden=4) | wrong)
