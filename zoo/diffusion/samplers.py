"""Samplers: from noise to data, one step of the reverse process at a time, given any denoiser.

Ancestral: J. Ho, A. Jain, P. Abbeel, Denoising Diffusion Probabilistic Models, 2020, arXiv:2006.11239, algorithm 2.
"""

import tensorflow as tf

from zoo import random
from zoo.diffusion.gaussian import reverse


def ancestral(denoise, schedule, seeds, shape, variance="beta", clip=None):
    """x_T ~ N(0, I), x_{t-1} ~ p(x_{t-1}|x_t) down to t = 2, then the mean of p(x_0|x_1): [batch, *shape], T steps in one loop.

    Row i's noise comes from `seeds[i]` with t folded in. As in algorithm 2, the last step adds no noise.
    """

    def noise(t):
        return random.normal_rows(random.fold_in_rows(seeds, t), shape)

    def step(t, x_t):
        p = reverse(denoise, schedule, x_t, t * tf.ones_like(seeds[:, 0]), variance, clip)
        return t - 1, p.mean() + tf.where(t > 1, p.stddev(), 0.0) * noise(t - 1)

    return tf.while_loop(lambda t, _: t > 0, step, (schedule.timesteps, noise(schedule.timesteps)))[1]
