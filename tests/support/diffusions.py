"""What is known in closed form of diffusion over Gaussian data, and a model none of whose weights is zero."""

import numpy as np
import tensorflow as tf

from zoo.diffusion.parts.schedules import at


def steps(num, t):
    return tf.fill([num], t)


def perturbed(model, scale=0.2):
    """A model whose every weight is random, the small last layers included."""
    rng = np.random.default_rng(0)
    model.set_weights([w + scale * rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def exact_denoiser(schedule, mean, scale):
    """E[eps | x_t] for x_0 ~ N(mean, scale^2)."""
    def denoise(x_t, t):
        ab = schedule.alpha_bar
        gain = at(np.sqrt(1 - ab) / (ab * scale**2 + 1 - ab), t, x_t)
        return gain * (x_t - at(np.sqrt(ab), t, x_t) * mean)
    return denoise


def gains(schedule, scale):
    """g with E[x_0 | x_t] = mean + g (x_t - sqrt(alpha_bar) mean) for the same data, [T + 1]."""
    ab = schedule.alpha_bar
    return np.sqrt(ab) * scale**2 / (ab * scale**2 + 1 - ab)


def exact_bound(schedule, sigma2, x_0, mean, scale):
    """The expected bound on -log p(x_0) of scalar data under the exact denoiser: (prior, diffusion, reconstruction)."""
    ab, c, g = schedule.alpha_bar, schedule.posterior_x_0, gains(schedule, scale)
    # E (x_0 - E[x_0|x_t])^2 over x_t given x_0
    error = (x_0 - mean) ** 2 * (1 - g * np.sqrt(ab)) ** 2 + g**2 * (1 - ab)
    t = slice(2, None)
    ratio = schedule.beta_tilde[t] / sigma2[t]
    prior = 0.5 * (ab[-1] * x_0**2 - ab[-1] - np.log(1 - ab[-1]))
    diffusion = np.sum(0.5 * (ratio - 1 - np.log(ratio) + c[t] ** 2 * error[t] / sigma2[t]))
    return prior, diffusion, 0.5 * (np.log(2 * np.pi * sigma2[1]) + error[1] / sigma2[1])
