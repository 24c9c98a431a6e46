"""Diffusion against Gaussian algebra: for Gaussian data the best denoiser, the sampler's output and the bound are known
in closed form."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.support import cases
from tests.support.diffusions import exact_bound, exact_denoiser, gains, perturbed, steps
from zoo import random
from zoo.diffusion.ddpm import DDPM
from zoo.diffusion.parts import gaussian, samplers
from zoo.diffusion.parts.schedules import at, cosine, linear
from zoo.distributions.quantized import quantized_normal

tfd = tfp.distributions
both = pytest.mark.parametrize("variance", ["beta", "beta_tilde"])


def seeds(num, value=0):
    return random.rows(random.seed(value), num)


def bound(denoise, schedule, x_0, s, **kwargs):
    return tf.function(lambda: gaussian.bound_terms(denoise, lambda p: p.log_prob(x_0), schedule, x_0, s, **kwargs))()


# The forward process.

def test_diffuse_equals_single_steps_by_simulation():
    schedule, num, x = linear(10), 100_000, 0.8
    rng, simulated = np.random.default_rng(0), np.full(100_000, x)
    for t in range(1, 7):
        simulated = np.sqrt(1 - schedule.beta[t]) * simulated + np.sqrt(schedule.beta[t]) * rng.normal(size=num)
    x_t = gaussian.diffuse(schedule, tf.fill([num, 1], x), steps(num, 6),
                           tf.constant(rng.normal(size=(num, 1)), tf.float32)).numpy()
    np.testing.assert_allclose(x_t.mean(), simulated.mean(), atol=5 * 2**0.5 * num**-0.5)
    np.testing.assert_allclose(x_t.std(), simulated.std(), atol=5 * num**-0.5)


def test_x_0_of_eps_inverts_diffuse():
    schedule, x_0, eps = cosine(20), tf.random.stateless_normal([19, 3],
                                                                [0, 1]), tf.random.stateless_normal([19, 3], [0, 2])
    t = tf.range(1, 20)
    np.testing.assert_allclose(gaussian.x_0_of_eps(schedule, gaussian.diffuse(schedule, x_0, t, eps), t, eps), x_0,
                               atol=1e-4)


@pytest.mark.parametrize("t", [2, 5, 8])
def test_posterior_is_proportional_to_joint(t):
    """log q(x_{t-1}|x_0) + log q(x_t|x_{t-1}) - log q(x_{t-1}|x_t, x_0) = log q(x_t|x_0), whatever x_{t-1}."""
    schedule = linear(8)
    x_0, x_t, before = 0.6, -0.4, np.linspace(-2, 2, 9)
    def q(loc, variance, x):
        return tfd.Normal(np.float64(loc), np.sqrt(variance)).log_prob(x).numpy()
    ab, beta = schedule.alpha_bar, schedule.beta
    joint = (
        q(np.sqrt(ab[t - 1]) * x_0, 1 - ab[t - 1], before)
        + tfd.Normal(np.sqrt(1 - beta[t]) * before, np.sqrt(beta[t])).log_prob(x_t).numpy()
    )
    posterior = gaussian.posterior(schedule, tf.fill([9, 1], x_0), tf.fill([9, 1], x_t), steps(9, t))
    np.testing.assert_allclose(joint - posterior.log_prob(before[:, None].astype(np.float32)),
                               q(np.sqrt(ab[t]) * x_0, 1 - ab[t], x_t), atol=1e-4)


# The sampler.

@both
def test_sampler_with_exact_denoiser_has_the_exact_moments(variance):
    """The reverse chain is linear: its mean and variance follow by recursion, and with many steps they are the
    data's."""
    mean, scale, size, schedule = 0.7, 0.5, (10, 600), cosine(50)
    g, sigma2 = gains(schedule, scale), schedule.reverse_variance(variance)
    m, v = 0.0, 1.0
    for t in range(50, 0, -1):
        slope = schedule.posterior_x_0[t] * g[t] + schedule.posterior_x_t[t]
        m = slope * m + schedule.posterior_x_0[t] * mean * (1 - g[t] * np.sqrt(schedule.alpha_bar[t]))
        v = slope**2 * v + sigma2[t] * (t > 1)
    denoise = exact_denoiser(schedule, mean, scale)
    x = tf.function(lambda s: samplers.ancestral(denoise, schedule, s, size[1:], variance))(seeds(size[0])).numpy()
    error = v**0.5 * x.size**-0.5
    np.testing.assert_allclose(x.mean(), m, atol=4 * error)
    np.testing.assert_allclose(x.std(), v**0.5, atol=4 * error)
    np.testing.assert_allclose([m, v**0.5], [mean, scale], rtol=0.1)


@both
def test_sampler_equals_algorithm_2(variance):
    """x_{t-1} = (x_t - beta_t / sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_t) + sigma_t z, written out, on the same
    noise."""
    model = perturbed(DDPM((3,), None, 6, "cosine", variance, "dense", channels=4))
    schedule, s = model.process, seeds(4)

    def noise(t):
        return random.normal_rows(random.fold_in_rows(s, t), [3]).numpy()

    x = noise(6)
    for t in range(6, 0, -1):
        beta, eps = schedule.beta[t], model.predict_eps(tf.constant(x, tf.float32), steps(4, t)).numpy()
        x = (x - beta / np.sqrt(1 - schedule.alpha_bar[t]) * eps) / np.sqrt(1 - beta)
        x = x + np.sqrt(schedule.reverse_variance(variance)[t]) * noise(t - 1) if t > 1 else x
    np.testing.assert_allclose(model.sample(s), x, rtol=1e-3, atol=1e-4)


def test_predicted_x_0_is_clipped():
    schedule = linear(50)
    def denoise(x_t, t):
        return -10 * tf.ones_like(x_t)
    x = samplers.ancestral(denoise, schedule, seeds(3), [2], clip=(-1.0, 0.25))
    np.testing.assert_allclose(x, 0.25, atol=1e-6)


def test_rows_are_independent():
    model = perturbed(cases.make("ddpm"))
    s, x, order = seeds(4), cases.batch(model, 4), [3, 1, 0, 2]
    all_rows, all_bounds = model.sample(s), -sum(model.bound_terms(x, s, 3).values())
    np.testing.assert_array_equal(model.sample(tf.gather(s, [2])), tf.gather(all_rows, [2]))
    np.testing.assert_allclose(-sum(model.bound_terms(tf.gather(x, order), tf.gather(s, order), 3).values()),
                               tf.gather(all_bounds, order), rtol=1e-5)
    assert all_rows.dtype == tf.int32 and len(np.unique(all_rows)) > 1
    assert np.all((0 <= all_rows.numpy()) & (all_rows.numpy() < model.levels))


# The bound.

@both
@pytest.mark.parametrize("schedule", [linear(20), cosine(20), linear(1)], ids=["linear", "cosine", "one step"])
def test_bound_with_exact_denoiser_equals_closed_form(schedule, variance):
    x, mean, scale = 0.3, 0.7, 0.5
    terms = bound(exact_denoiser(schedule, mean, scale), schedule, tf.fill([10, 600], x), seeds(10), variance=variance)
    assert list(terms) == ["prior", "diffusion", "reconstruction"]
    for value, expected in zip(terms.values(),
                               exact_bound(schedule, schedule.reverse_variance(variance), x, mean, scale)):
        value = value.numpy() / 600  # nats per dimension
        np.testing.assert_allclose(value.mean(), expected, atol=5 * value.std() * 10**-0.5 + 1e-4)


def test_bound_lies_below_log_p_and_closes_with_more_steps():
    """On average over the data; x = mean +- scale has the data's first two moments, and all that is averaged is
    quadratic in x.

    With beta_tilde the bound of continuous data stays a constant below: each of the first steps is too narrow, whatever
    T.
    """
    mean, scale = 0.7, 0.5
    x = np.array([mean - scale, mean + scale])
    log_p, gaps = np.mean(tfd.Normal(mean, scale).log_prob(x)), []
    for timesteps in (10, 40, 160):
        schedule = cosine(timesteps)
        x_0 = tf.constant(np.tile(x, [10, 1000]), tf.float32)  # [10, 2000]
        gap = (
            log_p + sum(bound(exact_denoiser(schedule, mean, scale), schedule, x_0, seeds(10)).values()).numpy() / 2000
        )
        expected = log_p + np.mean([sum(exact_bound(schedule, schedule.beta, v, mean, scale)) for v in x])
        np.testing.assert_allclose(gap.mean(), expected, atol=5 * gap.std() * 10**-0.5)
        gaps.append(gap.mean())
        tilde = log_p + np.mean(
            [sum(exact_bound(schedule, schedule.reverse_variance("beta_tilde"), v, mean, scale)) for v in x]
        )
        assert tilde > expected
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] > 0


def test_bound_is_tight_for_standard_normal_data():
    """With sigma_t^2 = beta_t the reverse of N(0, I) is exact in every step: the bound is log p(x), already for T =
    5."""
    schedule, x = linear(5), np.array([0.5, -1.2])
    x_0 = tf.constant(np.tile(x, [10, 1000]), tf.float32)
    value = -sum(bound(exact_denoiser(schedule, 0.0, 1.0), schedule, x_0, seeds(10)).values()).numpy() / 2000
    np.testing.assert_allclose(value.mean(), np.mean(tfd.Normal(0.0, 1.0).log_prob(x)), atol=5 * value.std() * 10**-0.5)


@both
def test_diffusion_terms_are_the_weighted_squared_errors_of_eps(variance):
    """Equation 12, with the constant that it leaves out, on the same noise."""
    model = perturbed(DDPM((2, 3), None, 7, "linear", variance, "dense", channels=4))
    schedule, s, x_0, total = model.process, seeds(3), tf.random.stateless_normal([3, 2, 3], [0, 3]), 0
    sigma2 = schedule.reverse_variance(variance)
    for t in range(2, 8):
        eps = random.normal_rows(random.fold_in_rows(s, t), [2, 3])
        error = eps - model.predict_eps(gaussian.diffuse(schedule, x_0, steps(3, t), eps), steps(3, t))
        ratio = schedule.beta_tilde[t] / sigma2[t]
        weight = schedule.beta[t] ** 2 / (2 * sigma2[t] * (1 - schedule.beta[t]) * (1 - schedule.alpha_bar[t]))
        total += weight * np.sum(error**2, (1, 2)) + 0.5 * 6 * (ratio - 1 - np.log(ratio))
    np.testing.assert_allclose(model.bound_terms(x_0, s)["diffusion"], total, rtol=1e-4)


def test_one_step_bound_by_hand():
    """T = 1: KL(q(x_1|x_0) || N(0, I)) - log p(x_0|x_1), the latter the discretized Gaussian around the predicted
    x_0."""
    model = perturbed(DDPM((2, 2, 1), 3, 1, channels=4, multipliers=(1,)))
    x, s, beta = tf.constant(np.arange(8).reshape(2, 2, 2, 1) % 3, tf.int32), seeds(2), 0.1  # 1000 / T times 1e-4
    x_0 = x.numpy() - 1.0
    eps = random.normal_rows(random.fold_in_rows(s, 1), (2, 2, 1)).numpy()
    x_1 = np.sqrt(1 - beta) * x_0 + np.sqrt(beta) * eps
    eps_of_x = model.predict_eps(tf.constant(x_1, tf.float32), steps(2, 1)).numpy().astype(np.float64)
    mean = np.clip((x_1 - np.sqrt(beta) * eps_of_x) / np.sqrt(1 - beta), -1, 1)
    cdf = tfd.Normal(mean, np.sqrt(beta)).cdf
    p = np.select([x_0 == -1, x_0 == 0, x_0 == 1], [cdf(-0.5), cdf(0.5) - cdf(-0.5), 1 - cdf(0.5)])
    terms = model.bound_terms(x, s)
    np.testing.assert_allclose(terms["prior"], 0.5 * np.sum(beta + (1 - beta) * x_0**2 - 1 - np.log(beta), (1, 2, 3)),
                               rtol=1e-5)
    np.testing.assert_allclose(terms["diffusion"], 0)
    np.testing.assert_allclose(terms["reconstruction"], -np.sum(np.log(p), (1, 2, 3)), rtol=1e-3)
    np.testing.assert_allclose(model.elbo(x, s), -sum(terms.values()), rtol=1e-6)


def test_fewer_timesteps_estimate_the_same_bound():
    """With a denoiser that always predicts x_0 = 0 each L_{t-1} is a number, so that only the choice of t is left to
    chance."""
    schedule, num = linear(9), 1000
    def denoise(x_t, t):
        return at(1 / np.sqrt(np.maximum(schedule.variance, 1e-9)), t, x_t) * x_t
    x_0, s = tf.fill([num, 1], 0.8), seeds(num)
    full, eight = bound(denoise, schedule, x_0, s)["diffusion"].numpy(), bound(denoise, schedule, x_0, s,
                                                                               num_timesteps=8)["diffusion"].numpy()
    np.testing.assert_array_equal(full, eight)
    np.testing.assert_allclose(full, full[0], rtol=1e-4)
    spread = []
    for k in (1, 3, 5):
        few = bound(denoise, schedule, x_0, s, num_timesteps=k)["diffusion"].numpy()
        spread.append(few.std())
        np.testing.assert_allclose(few.mean(), full[0], atol=4 * few.std() * num**-0.5)
    assert spread[0] > spread[1] > spread[2] > 0.01 * full[0]
    for k in (0, 9):
        with pytest.raises(ValueError, match="1..8"):
            bound(denoise, schedule, x_0, s, num_timesteps=k)


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
def test_discretized_gaussian_is_a_distribution_over_the_levels(levels):
    loc = tf.constant([-1.0, -0.37, 0.2, 1.0])[:, None]
    for scale in (0.01, 0.1, 1.0):
        k = np.arange(levels)[:, None, None] * np.ones([1, 4, 1])
        # log_p: [levels, 4]
        log_p = quantized_normal(loc, tf.fill([4, 1], scale), levels, 1).log_prob(tf.constant(k, tf.float32)).numpy()
        assert np.all(np.isfinite(log_p))
        np.testing.assert_allclose(np.exp(log_p).sum(0), 1, atol=1e-4)
        centre, half = 2 * k[..., 0] / (levels - 1) - 1, 1 / (levels - 1)
        cdf = tfd.Normal(loc[:, 0].numpy().astype(np.float64), scale).cdf
        upper, lower = np.where(centre > 0.9999, 1, cdf(centre + half)), np.where(centre < -0.9999, 0,
                                                                                  cdf(centre - half))
        np.testing.assert_allclose(np.exp(log_p), upper - lower, atol=1e-4)


# Training.

def test_objective_with_exact_denoiser_is_the_posterior_variance_of_eps():
    """E mse = mean over t = 1..T of Var(eps|x_t): a t that is left out, or one too many, shows."""
    model, scale, num = DDPM((2,), None, 4, "linear", network="dense", channels=4), 0.5, 20_000
    model.predict_eps = exact_denoiser(model.process, 0.0, scale)
    ab = model.process.alpha_bar[1:]
    variance = ab * scale**2 / (ab * scale**2 + 1 - ab)
    mse = model.objective(scale * tf.random.stateless_normal([num, 2], [0, 4]), random.seed(1))["mse"].numpy()
    assert mse.shape == (num,)
    np.testing.assert_allclose(mse.mean(), variance.mean(), atol=4 * mse.std() * num**-0.5)


@pytest.mark.parametrize("arguments, word", [
    (dict(schedule="quadratic"), "schedule"), (dict(network="conv"), "network"), (dict(variance="learned"), "variance"),
    (dict(levels=1), "levels"),
    (dict(timesteps=0), "timesteps"), (dict(channels=6), "channels"), (dict(blocks=0), "blocks"),
    (dict(multipliers=()), "multipliers"),
    (dict(attention=(5,)), "attention"), (dict(shape=(2,)), "shape"),
    (dict(network="dense", attention=(8,)), "attention")])
def test_bad_arguments(arguments, word):
    with pytest.raises(ValueError, match=word):
        DDPM(**(dict(shape=(8, 8, 1), timesteps=4) | arguments))
