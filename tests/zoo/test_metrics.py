"""Metrics against closed forms, brute force and each other."""

import math

import numpy as np
import pytest

from zoo.metrics import latents, likelihood
from zoo.metrics.divergences import discrepancy, energy_distance, maximum_mean_discrepancy
from zoo.metrics.modes import modes

rng = np.random.default_rng


def test_estimate_is_mean_and_standard_error():
    values = [1.0, 2.0, 4.0]
    value, stderr = likelihood.estimate(values)
    assert value == pytest.approx(7 / 3) and stderr == pytest.approx(np.std(values, ddof=1) / math.sqrt(3))
    assert math.isnan(likelihood.estimate([1.0]).stderr)
    assert likelihood.nats([-3.0, -5.0]).value == 4.0


@pytest.mark.parametrize("values", [[], 3.0, [[1.0]]])
def test_estimate_refuses_what_is_not_a_list_of_examples(values):
    with pytest.raises(ValueError, match="one value for each"):
        likelihood.estimate(values)


def test_standard_error_covers_the_true_mean():
    draws = [likelihood.estimate(rng(i).exponential(2.0, 200)) for i in range(400)]
    inside = np.mean([abs(value - 2.0) < 1.96 * stderr for value, stderr in draws])
    assert 0.91 < inside < 0.98


def test_uniform_models_cost_log2_levels_bits():
    """Discrete uniform over 17 levels, and the uniform density on [0, 1]^D of its dequantized twin, cost the same: log2
    17 bits."""
    size, levels = 5, 17
    discrete = likelihood.bits_per_dimension([-size * math.log(levels)] * 2, size)
    dequantized = likelihood.bits_per_dimension([0.0] * 2, size, levels)
    assert discrete.value == pytest.approx(math.log2(levels)) and dequantized.value == pytest.approx(math.log2(levels))


def test_bits_of_a_stepwise_density_equal_those_of_its_levels():
    """A density that is constant on each cell gives exactly the discrete model's bits: the entropy, under its own
    distribution."""
    p = np.array([0.5, 0.25, 0.125, 0.125])
    levels = rng(0).choice(4, size=(64, 3), p=p)
    log_mass = np.log(p[levels]).sum(1)
    log_density = np.log(4.0 * p[levels]).sum(1)  # mass over a cell of width 1/4
    ours, exact = likelihood.bits_per_dimension(log_density, 3, 4), likelihood.bits_per_dimension(log_mass, 3)
    assert ours == pytest.approx(exact)
    assert exact.value == pytest.approx(-np.log2(p[levels]).mean())
    assert exact.stderr == pytest.approx(np.std(np.log2(p[levels]).mean(1), ddof=1) / 8)


def _brute_force(x, y, kernel):
    def pairs(a, b, same):
        return np.mean([kernel(p, q) for i, p in enumerate(a) for j, q in enumerate(b) if not (same and i == j)])
    return pairs(x, x, True) + pairs(y, y, True) - 2.0 * pairs(x, y, False)


KERNELS = {
    "energy": (energy_distance, lambda p, q: -np.linalg.norm(p - q)),
    "mmd": (lambda x, y, chunk=1000: maximum_mean_discrepancy(x, y, 0.7, chunk),
            lambda p, q: np.exp(-((p - q) ** 2).sum() / (2 * 0.7**2))),
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_discrepancy_and_its_jackknife_equal_brute_force(name, chunk):
    ours, kernel = KERNELS[name]
    x, y = rng(0).normal(size=(7, 3)) + 5.0, rng(1).normal(size=(6, 3)) + 5.5
    value, stderr = ours(x, y, chunk=chunk)
    assert value == pytest.approx(_brute_force(x, y, kernel))
    without_x = [_brute_force(np.delete(x, i, 0), y, kernel) for i in range(7)]
    without_y = [_brute_force(x, np.delete(y, i, 0), kernel) for i in range(6)]
    assert stderr == pytest.approx(math.sqrt(6 * np.var(without_x) + 5 * np.var(without_y)))


def test_energy_distance_of_shifted_gaussians_has_its_closed_form():
    """X ~ N(0, 1), Y ~ N(m, 1): X - Y ~ N(-m, 2) has E|X - Y| = 2/sqrt(pi) exp(-m^2/4) + m erf(m/2); E|X - X'| =
    2/sqrt(pi)."""
    shift = 1.0
    exact = 2.0 * (2.0 / math.sqrt(math.pi) * (math.exp(-shift**2 / 4.0) - 1.0) + shift * math.erf(shift / 2.0))
    draws = [energy_distance(rng(i).normal(size=100), rng(1000 + i).normal(size=80) + shift) for i in range(200)]
    values = np.array([d.value for d in draws])
    assert abs(values.mean() - exact) < 3.0 * values.std() / math.sqrt(200)
    assert np.mean([d.stderr for d in draws]) == pytest.approx(values.std(), rel=0.2)


def test_mmd_of_shifted_gaussians_has_its_closed_form():
    """E k of a difference N(m, 2) under a unit-bandwidth kernel is exp(-m^2 / 6) / sqrt(3)."""
    exact = 2.0 * (1.0 - math.exp(-1.0 / 6.0)) / math.sqrt(3.0)
    values = np.array([maximum_mean_discrepancy(rng(i).normal(size=100), rng(1000 + i).normal(size=80) + 1.0, 1.0).value
                       for i in range(200)])
    assert abs(values.mean() - exact) < 3.0 * values.std() / math.sqrt(200)


def test_discrepancy_is_unbiased_where_the_distributions_are_equal():
    draws = [energy_distance(rng(i).normal(size=(40, 2)), rng(1000 + i).normal(size=(30, 2))) for i in range(300)]
    values = np.array([d.value for d in draws])
    assert abs(values.mean()) < 3.0 * values.std() / math.sqrt(300) and values.min() < 0.0
    assert values.std() < np.mean([d.stderr for d in draws]) < 2.0 * values.std()


def test_discrepancy_flattens_images_and_refuses_what_it_cannot_compare():
    x, y = rng(0).normal(size=(4, 2, 2, 1)), rng(1).normal(size=(5, 2, 2, 1))
    assert energy_distance(x, y) == energy_distance(x.reshape(4, 4), y.reshape(5, 4))
    with pytest.raises(ValueError, match="same size"):
        energy_distance(x, np.zeros([5, 3]))
    with pytest.raises(ValueError, match="x: at least 3"):
        discrepancy(x[:2], y, lambda a, b: a @ b.T)


RING = 2.0 * np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], -1)


def test_modes_counts_by_hand():
    # near, near, just too far, near, nowhere
    samples = np.array([[2.0, 0.0], [2.0, 0.29], [2.0, 0.31], [0.0, 2.1], [0.0, 0.0]])
    result = modes(samples, RING, 0.1)
    assert result.covered == 2 and result.high_quality == pytest.approx(3 / 5)
    np.testing.assert_allclose(result.fractions, [0.4, 0, 0.2, 0, 0, 0, 0, 0])


def test_modes_of_the_mixture_itself():
    """Of true samples, 1 - exp(-9/2) lie within three standard deviations in two dimensions, evenly over the modes."""
    samples = RING[rng(0).integers(0, 8, 20000)] + 0.1 * rng(1).normal(size=(20000, 2))
    result = modes(samples, RING, 0.1)
    assert result.covered == 8
    assert result.high_quality == pytest.approx(1.0 - math.exp(-4.5), abs=4.0 * math.sqrt(0.0111 * 0.9889 / 20000))
    np.testing.assert_allclose(result.fractions, 0.989 / 8, atol=4.0 * math.sqrt(0.125 * 0.875 / 20000))


def test_modes_of_a_collapsed_sampler():
    result = modes(np.repeat(RING[3:4], 50, 0), RING, 0.1)
    assert result.covered == 1 and result.high_quality == 1.0 and result.fractions[3] == 1.0


def test_modes_refuses_samples_of_another_size():
    with pytest.raises(ValueError, match="of the same D"):
        modes(np.zeros([3, 3]), RING, 0.1)


def test_active_units_are_those_whose_mean_varies():
    codes = np.random.default_rng(0).normal(size=(1000, 4)) * [1.0, 0.2, 0.05, 0.0] + [0.0, 5.0, 5.0, 5.0]
    for parts, shape in ((1, [4]), (7, [4]), (1000, [2, 2])):
        variance = latents.Variance()
        for part in np.array_split(codes, parts):
            variance.add(part.reshape(-1, *shape))
        assert variance.active_units() == (2, 4)
        np.testing.assert_allclose(variance.variance(), codes.var(0), rtol=1e-12, atol=1e-15)
    assert latents.collapsed(1, 50) and not latents.collapsed(5, 50) and latents.collapsed(0, 2)
    with pytest.raises(ValueError, match="two examples"):
        one = latents.Variance()
        one.add(codes[:1])
        one.active_units()
