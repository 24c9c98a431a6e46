"""Samplers: from noise to data, one step of the reverse process at a time, given any denoiser.

Ancestral: J. Ho, A. Jain, P. Abbeel, Denoising Diffusion Probabilistic Models, 2020, arXiv:2006.11239, algorithm 2. In
    fewer steps: A. Nichol, P. Dhariwal, Improved Denoising Diffusion Probabilistic Models, 2021, arXiv:2102.09672,
    section 4.
"""

import tensorflow as tf

from zoo import random
from zoo.diffusion.parts.gaussian import reverse, x_0_of_eps
from zoo.diffusion.parts.schedules import by_row


def ancestral(denoise, schedule, seeds, shape, variance="beta", clip=None):
    """Draws x_T ~ N(0, I), x_{t-1} ~ p(x_{t-1}|x_t) down to t = 2, then the mean of p(x_0|x_1): [batch, *shape], T
    steps in one loop.

    Row i's noise comes from `seeds[i]` with t folded in. As in algorithm 2, the last step adds no noise.
    """

    def noise(t):
        return random.normal_rows(random.fold_in_rows(seeds, t), shape)

    def step(t, x_t):
        p = reverse(denoise, schedule, x_t, tf.fill(tf.shape(x_t)[:1], t), variance, clip)
        return t - 1, p.mean() + tf.where(t > 1, p.stddev(), 0.0) * noise(t - 1)

    return tf.while_loop(lambda t, _: t > 0, step, (schedule.timesteps, noise(schedule.timesteps)))[1]


def respaced(denoise, schedule, seeds, shape, steps, variance="beta", clip=None):
    """Returns the same in `steps` steps, int32 [batch] in 1..T: row i goes down its own grid t_k = round(k T /
    steps_i), k = steps_i..0; the loop runs to the largest.

    A step is p(x_s|x_t) = N(mean of q(x_s|x_t, x_0), sigma^2 I) at the predicted x_0, with beta = 1 - alpha_bar_t /
    alpha_bar_s in the place of beta_t. Rows that have fewer steps wait for their first. With T steps the noise is that
    of `ancestral`, and so is the sample, to rounding.
    """
    log_alpha_bar = tf.constant(schedule.log_alpha_bar)  # float64: neighbours differ little

    def time(k):
        return (2 * k * schedule.timesteps + steps) // (2 * steps)

    def step(k, x_t):
        here = tf.minimum(k, steps)  # of a row that waits: its first step, which is not taken
        t, s = time(here), time(here - 1)
        log_t, log_s = tf.gather(log_alpha_bar, t), tf.gather(log_alpha_bar, s)
        beta, left, before = -tf.math.expm1(log_t - log_s), -tf.math.expm1(log_t), -tf.math.expm1(log_s)
        x_0 = x_0_of_eps(schedule, x_t, t, denoise(x_t, t))
        x_0 = x_0 if clip is None else tf.clip_by_value(x_0, *clip)
        of_x_0, of_x_t = tf.exp(0.5 * log_s) * beta / left, tf.exp(0.5 * (log_t - log_s)) * before / left
        mean = by_row(of_x_0, x_t) * x_0 + by_row(of_x_t, x_t) * x_t
        scale = tf.sqrt(beta * before / left if variance == "beta_tilde" else beta)
        noise = random.normal_rows(random.fold_in_rows(seeds, s), shape)
        moved = mean + by_row(tf.where(s > 0, scale, 0.0), x_t) * noise
        return k - 1, tf.where(by_row(k <= steps, x_t) > 0.0, moved, x_t)

    start = random.normal_rows(random.fold_in_rows(seeds, schedule.timesteps), shape)
    return tf.while_loop(lambda k, _: k > 0, step, (tf.reduce_max(steps), start))[1]
