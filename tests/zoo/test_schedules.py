"""Noise schedules: their end points, that they only add noise, and that the posterior's coefficients follow from beta
alone."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from zoo.diffusion.parts.schedules import SCHEDULES, Schedule, at, cosine, linear

each = pytest.mark.parametrize("schedule", [make(T) for make in SCHEDULES.values() for T in (2, 8, 100, 1000)])


def test_linear_end_points():
    schedule = linear(1000)
    np.testing.assert_allclose(schedule.beta[[1, 1000]], [1e-4, 0.02], rtol=1e-12)
    assert 3.9e-5 < schedule.alpha_bar[-1] < 4.2e-5  # section 4 of the paper: L_T is about 1e-5 bits per dimension
    np.testing.assert_allclose(np.diff(schedule.beta, 2)[1:], 0, atol=1e-15)


def test_linear_keeps_alpha_bar_for_other_timesteps():
    fine, coarse = linear(1000), linear(100)
    np.testing.assert_allclose(np.log(coarse.alpha_bar[10::10]), np.log(fine.alpha_bar[100::100]), rtol=0.11)
    np.testing.assert_allclose(coarse.beta[[1, 100]], [1e-3, 0.2], rtol=1e-12)


def test_cosine_is_the_squared_cosine_until_beta_is_capped():
    T, s = 50, 0.008
    schedule = cosine(T)
    t = np.arange(T + 1)
    f = np.cos((t / T + s) / (1 + s) * np.pi / 2) ** 2
    np.testing.assert_allclose(schedule.alpha_bar[:-1], (f / f[0])[:-1], rtol=1e-10)
    assert schedule.beta[-1] == 0.999 and np.all(schedule.beta[1:-1] < 0.999)


@each
def test_alpha_bar_falls_from_one(schedule):
    assert schedule.alpha_bar[0] == 1 and schedule.alpha_bar.dtype == np.float64
    assert np.all(np.diff(schedule.alpha_bar) < 0) and schedule.alpha_bar[-1] < 0.01
    assert schedule.log_snr[0] == np.inf and np.all(np.diff(schedule.log_snr) < 0)


@each
def test_marginal_is_the_composition_of_single_steps(schedule):
    mean, variance = 1.0, 0.0
    for t in range(1, schedule.timesteps + 1):
        mean, variance = np.sqrt(1 - schedule.beta[t]) * mean, (1 - schedule.beta[t]) * variance + schedule.beta[t]
        np.testing.assert_allclose([np.sqrt(schedule.alpha_bar[t]), schedule.variance[t]], [mean, variance], rtol=1e-9)


@each
def test_posterior_is_the_conditional_of_the_joint_gaussian(schedule):
    """Conditions the joint of (x_{t-1}, x_t) given x_0, from its covariance matrix, on x_t."""
    x_0, x_t = 0.7, -0.3
    for t in range(1, schedule.timesteps + 1):
        a, beta = np.sqrt(1 - schedule.beta[t]), schedule.beta[t]
        mean, variance = np.sqrt(schedule.alpha_bar[t - 1]) * x_0, 1 - schedule.alpha_bar[t - 1]
        covariance = np.array([[variance, a * variance], [a * variance, a * a * variance + beta]])
        gain = covariance[0, 1] / covariance[1, 1]
        np.testing.assert_allclose(schedule.posterior_x_0[t] * x_0 + schedule.posterior_x_t[t] * x_t,
                                   mean + gain * (x_t - a * mean), atol=1e-9)
        np.testing.assert_allclose(schedule.beta_tilde[t], covariance[0, 0] - gain * covariance[1, 0], atol=1e-12)


@each
def test_reverse_variances(schedule):
    np.testing.assert_array_equal(schedule.reverse_variance("beta"), schedule.beta)
    tilde = schedule.reverse_variance("beta_tilde")
    np.testing.assert_array_equal(tilde[2:], schedule.beta_tilde[2:])
    assert schedule.beta_tilde[1] == 0 and tilde[1] == tilde[2] > 0
    assert np.all(tilde[2:] < schedule.beta[2:])


def test_one_step_has_one_variance():
    assert linear(1).reverse_variance("beta_tilde")[1] == linear(1).beta[1]


def test_at_indexes_each_example_with_its_own_t():
    values = at(np.array([0.0, 10.0, 20.0]), tf.constant([2, 0]), tf.zeros([2, 3, 4]))
    np.testing.assert_array_equal(values, np.array([20.0, 0.0]).reshape(2, 1, 1))


def test_schedules_are_immutable():
    schedule = cosine(4)
    with pytest.raises(ValueError):
        schedule.alpha_bar[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.beta = schedule.beta


def test_bad_arguments():
    for beta in ([], [0.0], [0.5, 1.0]):
        with pytest.raises(ValueError, match="beta"):
            Schedule(beta)
    with pytest.raises(ValueError, match="timesteps"):
        linear(0)
    with pytest.raises(ValueError, match="variance"):
        linear(3).reverse_variance("gamma")
