"""Gaussian diffusion in discrete time: the forward process, its posterior, the reverse step of a denoiser, and the
variational bound.

A denoiser is any function `denoise(x_t, t) -> eps`, with t int32 [batch] in 1..T; nothing here knows what network it
is. J. Ho, A. Jain, P. Abbeel, Denoising Diffusion Probabilistic Models, 2020, arXiv:2006.11239.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.diffusion.parts.schedules import at

tfd = tfp.distributions


def normal(loc, scale):
    """Returns N(loc, diag(scale^2)), batch shape [batch], event shape that of an example."""
    return tfd.Independent(tfd.Normal(loc, scale), len(loc.shape) - 1)


def diffuse(schedule, x_0, t, eps):
    """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, a draw from q(x_t|x_0) (equation 4)."""
    return at(np.sqrt(schedule.alpha_bar), t, x_0) * x_0 + at(np.sqrt(schedule.variance), t, x_0) * eps


def x_0_of_eps(schedule, x_t, t, eps):
    """x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t), the inverse of `diffuse` in x_0."""
    return at(1 / np.sqrt(schedule.alpha_bar), t, x_t) * x_t - at(np.exp(-0.5 * schedule.log_snr), t, x_t) * eps


def posterior_mean(schedule, x_0, x_t, t):
    """Returns the mean of q(x_{t-1}|x_t, x_0) (equation 7)."""
    return at(schedule.posterior_x_0, t, x_t) * x_0 + at(schedule.posterior_x_t, t, x_t) * x_t


def posterior(schedule, x_0, x_t, t):
    """Returns q(x_{t-1}|x_t, x_0) = N(posterior_mean, beta_tilde_t I), for t >= 2."""
    return normal(posterior_mean(schedule, x_0, x_t, t), at(np.sqrt(schedule.beta_tilde), t, x_t))


def reverse(denoise, schedule, x_t, t, variance="beta", clip=None):
    """Returns p(x_{t-1}|x_t) = N(mean of q(x_{t-1}|x_t, x_0), sigma_t^2 I) at the x_0 that the denoiser predicts,
    clipped to `clip` (low, high)."""
    x_0 = x_0_of_eps(schedule, x_t, t, denoise(x_t, t))
    x_0 = x_0 if clip is None else tf.clip_by_value(x_0, *clip)
    return normal(posterior_mean(schedule, x_0, x_t, t), at(np.sqrt(schedule.reverse_variance(variance)), t, x_t))


def bound_terms(denoise, likelihood, schedule, x_0, seeds, variance="beta", clip=None, num_timesteps=None):
    """Returns {prior: L_T, diffusion: sum_{t>=2} L_{t-1}, reconstruction: L_0} of equation 5, in nats, [batch]; their
    sum is at least -log p(x).

    `likelihood(p)` is log p(x|x_1), [batch], where p is the reverse step's Gaussian at t = 1. The diffusion terms take
    one draw of x_t each, independent between t; all T - 1 are summed, or, given `num_timesteps` = K, one is drawn from
    each of K strata of 2..T and weighted with (T - 1) / K, which leaves the expectation as it is. K + 1 evaluations of
    the denoiser, in one loop.
    """
    shape, steps = x_0.shape[1:], schedule.timesteps - 1
    num = steps if num_timesteps is None else num_timesteps
    if num_timesteps is not None and not 1 <= num <= steps:
        raise ValueError(f"num_timesteps must be in 1..{steps} for {schedule.timesteps} timesteps, found {num}.")

    def diffused(t, stream):
        return diffuse(schedule, x_0, t, random.normal_rows(random.fold_in_rows(seeds, stream), shape))

    # 1. prior: KL(q(x_T|x_0) || N(0, I))
    every = tf.ones_like(seeds[:, 0])
    last = normal(diffuse(schedule, x_0, schedule.timesteps * every, tf.zeros_like(x_0)),
                  at(np.sqrt(schedule.variance[-1:]), 0 * every, x_0))
    prior = tfd.kl_divergence(last, normal(tf.zeros_like(x_0), tf.ones_like(x_0)))

    # 2. diffusion: KL(q(x_{t-1}|x_t, x_0) || p(x_{t-1}|x_t)). With an integer r in 0..T-2 for each stratum, each t of
    # 2..T has the probability K / (T - 1) over the strata, whatever divides what; for K = T - 1 each stratum is one t.
    r = tf.cast(random.uniform_rows(random.fold_in_rows(seeds, 0), [num]) * steps, tf.int32)  # [batch, K]
    strata = 2 + (tf.range(num) * steps + r) // max(num, 1)

    def step(k, total):
        t = strata[:, k]
        x_t = diffused(t, 2 + k)
        return k + 1, total + tfd.kl_divergence(
            posterior(schedule, x_0, x_t, t), reverse(denoise, schedule, x_t, t, variance, clip)
        )

    total = tf.while_loop(lambda k, _: k < num, step, (0, tf.zeros_like(prior)))[1]

    # 3. reconstruction: -log p(x|x_1)
    reconstruction = -likelihood(reverse(denoise, schedule, diffused(every, 1), every, variance, clip))
    return {"prior": prior, "diffusion": total * (steps / max(num, 1)), "reconstruction": reconstruction}
