"""Noise schedules: how fast q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I) turns data into noise, t = 1..T.

Everything else about the forward process follows from beta, so a schedule is beta and its consequences, in float64,
indexed by t (entry 0 is the data: beta_0 = 0, alpha_bar_0 = 1). Linear: J. Ho, A. Jain, P. Abbeel, Denoising Diffusion
Probabilistic Models, 2020, arXiv:2006.11239. Cosine: A. Nichol, P. Dhariwal, Improved Denoising Diffusion Probabilistic
Models, 2021, arXiv:2102.09672.
"""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

MAX_BETA = 0.999  # Nichol and Dhariwal's cap: a step that erased everything would leave nothing to reverse


@dataclasses.dataclass(frozen=True, eq=False)
class Schedule:
    """The forward process of the given beta; every array is [T + 1], float64, read-only.

    Args:
        beta: the T step variances beta_1..beta_T.

    Raises:
        ValueError: if there is no step, or one outside (0, 1).
    """

    beta: np.ndarray

    def __post_init__(self):
        beta = np.asarray(self.beta, np.float64)
        if beta.ndim != 1 or not len(beta) or not np.all((beta > 0) & (beta < 1)):
            raise ValueError(f"beta must be a list of at least one number in (0, 1), found {self.beta}.")
        object.__setattr__(self, "beta", _read_only(np.concatenate([[0.0], beta])))

    @property
    def timesteps(self):
        """T."""
        return len(self.beta) - 1

    @functools.cached_property
    def alpha_bar(self):
        """prod_{s<=t} (1 - beta_s): q(x_t|x_0) = N(sqrt(alpha_bar_t) x_0, (1 - alpha_bar_t) I)."""
        return _read_only(np.exp(self.log_alpha_bar))

    @functools.cached_property
    def variance(self):
        """1 - alpha_bar_t, without the cancellation at small t."""
        return _read_only(-np.expm1(self.log_alpha_bar))

    @functools.cached_property
    def log_snr(self):
        """log(alpha_bar_t / (1 - alpha_bar_t)); infinite at t = 0."""
        with np.errstate(divide="ignore"):
            return _read_only(self.log_alpha_bar - np.log(self.variance))

    @functools.cached_property
    def posterior_x_0(self):
        """The factor of x_0 in the mean of q(x_{t-1}|x_t, x_0): sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t)."""
        return self._steps(np.sqrt(self.alpha_bar[:-1]) * self.beta[1:] / self.variance[1:])

    @functools.cached_property
    def posterior_x_t(self):
        """The factor of x_t in the mean of q(x_{t-1}|x_t, x_0): sqrt(1 - beta_t) (1 - alpha_bar_{t-1}) / (1 -
        alpha_bar_t)."""
        return self._steps(np.sqrt(1 - self.beta[1:]) * self.variance[:-1] / self.variance[1:])

    @functools.cached_property
    def beta_tilde(self):
        """The variance of q(x_{t-1}|x_t, x_0): (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) beta_t; 0 at t = 1."""
        return self._steps(self.variance[:-1] / self.variance[1:] * self.beta[1:])

    def reverse_variance(self, choice):
        """Computes sigma_t^2 of p(x_{t-1}|x_t): `beta`, or `beta_tilde` with its zero at t = 1 replaced by its
        neighbour (beta_1 if T = 1)."""
        if choice not in ("beta", "beta_tilde"):
            raise ValueError(f"variance must be 'beta' or 'beta_tilde', found {choice!r}.")
        if choice == "beta" or self.timesteps == 1:
            return self.beta
        return self._steps(np.concatenate([self.beta_tilde[2:3], self.beta_tilde[2:]]))

    @functools.cached_property
    def log_alpha_bar(self):
        """log of alpha_bar, a sum of log(1 - beta_t)."""
        return np.cumsum(np.log1p(-self.beta))

    @staticmethod
    def _steps(values):
        return _read_only(np.concatenate([[0.0], values]))


def _read_only(array):
    array.setflags(write=False)
    return array


def at(values, t, x):
    """Returns values[t] as float32, for t int32 [batch], shaped [batch, 1, ...] to multiply x [batch, ...]."""
    return by_row(tf.gather(tf.constant(values, tf.float32), t), x)


def by_row(values, x):
    """Returns a number for each row, [batch], as float32 shaped [batch, 1, ...] to multiply x [batch, ...]."""
    return tf.reshape(tf.cast(values, tf.float32), [-1] + [1] * (len(x.shape) - 1))


def linear(timesteps, beta_min=1e-4, beta_max=0.02):
    """Returns beta from 1e-4 to 0.02 in equal steps.

    NOTE: the paper's end points are those of T = 1000. For another T they are multiplied by 1000 / T, so that alpha_bar
    stays about the same function of t / T, and no beta exceeds 0.999 (which T < 20 would).
    """
    return Schedule(np.minimum(np.linspace(beta_min, beta_max, _checked(timesteps)) * 1000 / timesteps, MAX_BETA))


def cosine(timesteps, offset=0.008):
    """alpha_bar_t = f(t) / f(0), f(t) = cos^2(pi/2 (t/T + offset) / (1 + offset)), with no beta above 0.999."""
    f = np.cos(np.pi / 2 * (np.arange(_checked(timesteps) + 1) / timesteps + offset) / (1 + offset)) ** 2
    return Schedule(np.minimum(1 - f[1:] / f[:-1], MAX_BETA))


def _checked(timesteps):
    if timesteps < 1:
        raise ValueError(f"timesteps must be at least 1, found {timesteps}.")
    return timesteps


SCHEDULES = {"linear": linear, "cosine": cosine}
