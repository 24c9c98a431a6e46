"""Denoising diffusion: data are turned into noise in T small Gaussian steps; a network that predicts the noise turns
them back.

J. Ho, A. Jain, P. Abbeel, Denoising Diffusion Probabilistic Models, 2020, arXiv:2006.11239.
"""

import tensorflow as tf

from zoo import random
from zoo.capabilities import LowerBound, SeedInterpolating
from zoo.control import Control
from zoo.diffusion.parts import gaussian, samplers
from zoo.diffusion.parts.schedules import SCHEDULES
from zoo.distributions.pixels import centre
from zoo.distributions.quantized import quantized_normal
from zoo.model import Domain, GenerativeModel, Player
from zoo.networks.time_dense import TimeDense
from zoo.networks.unet import UNet, grids
from zoo.paper import Paper


class DDPM(GenerativeModel, LowerBound, SeedInterpolating):
    """-log p(x) <= L_T + sum_{t=2}^T L_{t-1} + L_0,  L_{t-1} = E_q KL(q(x_{t-1}|x_t, x_0) || p(x_{t-1}|x_t)),  trained
    by L_simple.

    p(x_{t-1}|x_t) = N(mean(x_t, eps(x_t, t)), sigma_t^2 I). With levels, x_0 are the levels scaled to [-1, 1], the
    predicted x_0 is clipped to it, and p(x|x_1) is the discretized Gaussian of section 3.3: the bound is on the log
    probability of the levels. Without, x_0 is x and p(x|x_1) that Gaussian itself: the bound is on the log density of
    x, which can't see detail finer than sigma_1.

    Args:
        shape: of an example; (height, width, channels) for the U-Net.
        levels: values of an entry; None for real examples, which should have a scale of about 1.
        timesteps: T.
        schedule: `linear` or `cosine`.
        variance: sigma_t^2: `beta` (best for x_0 ~ N(0, I)) or `beta_tilde` (best for a single x_0; it keeps the bound
            of continuous data a constant below log p(x), however large T).
        network: `unet`, or `dense` for points.
        channels: of the U-Net's finest grid; unit of the dense network's widths. A multiple of 4.
        multipliers: channels of the U-Net's grids, finest first, or widths of the dense network's stages, in units of
            `channels`.
        blocks: residual blocks per grid or stage.
        attention: heights of the U-Net's grids that have self-attention.

    Raises:
        ValueError: for an unknown `schedule`, `variance` or `network`; `levels` less than 2; a count less than 1;
            `channels` not a multiple of 4; an `attention` height that no grid has; a U-Net for a `shape` that is not an
            image's.
    """

    paper = Paper(("Ho", "Jain", "Abbeel"), "Denoising Diffusion Probabilistic Models", 2020, "arXiv:2006.11239")

    controls = {"steps": Control("timesteps", 1, "timesteps",
                                 "of the reverse process, evenly among its T; fewer are faster and coarser", "steps")}

    def __init__(self, shape=(32, 32, 3), levels=256, timesteps=1000, schedule="linear", variance="beta",
                 network="unet", channels=32, multipliers=(1, 2), blocks=2, attention=(), **kwargs):
        super().__init__(**kwargs)
        if schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {sorted(SCHEDULES)}, found {schedule!r}.")
        if network not in ("unet", "dense"):
            raise ValueError(f"network must be 'unet' or 'dense', found {network!r}.")
        if levels is not None and levels < 2:
            raise ValueError(f"levels must be None or at least 2, found {levels}.")
        if channels < 4 or channels % 4 or blocks < 1 or not multipliers or min(multipliers) < 1:
            raise ValueError(f"channels must be a multiple of 4, blocks and multipliers at least 1, found {channels}, "
                             f"{blocks}, {multipliers}.")
        if network == "unet" and len(shape) != 3:
            raise ValueError(f"network 'unet' needs a shape (height, width, channels), found {tuple(shape)}; for "
                             "points take 'dense'.")
        heights = grids(shape[0], len(multipliers)) if network == "unet" else []
        if not set(attention) <= set(heights):
            raise ValueError(
                f"attention must name heights of the network's grids, {heights}, found {tuple(attention)}."
            )
        self.shape, self.levels, self.timesteps, self.schedule = tuple(shape), levels, timesteps, schedule
        self.variance = variance
        self.network, self.channels, self.multipliers = network, channels, tuple(multipliers)
        self.blocks, self.attention = blocks, tuple(attention)
        self.process = SCHEDULES[schedule](timesteps)
        self.process.reverse_variance(variance)  # raises for an unknown choice
        if network == "unet":
            self.denoiser = UNet(self.shape[-1], channels, self.multipliers, blocks, self.attention)
        else:
            self.denoiser = TimeDense([channels * m for m in self.multipliers], blocks)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, timesteps=self.timesteps, schedule=self.schedule,
                    variance=self.variance, network=self.network, channels=self.channels, multipliers=self.multipliers,
                    blocks=self.blocks, attention=self.attention)

    @property
    def domain(self):
        return Domain("real", self.shape) if self.levels is None else Domain("levels", self.shape, self.levels)

    @property
    def clip(self):
        """Where the predicted x_0 is known to lie, (low, high), or None."""
        return None if self.levels is None else (-1.0, 1.0)

    def scaled(self, x):
        """Returns x_0: levels on [-1, 1], real examples as they are."""
        return x if self.levels is None else centre(x, self.levels)

    def predict_eps(self, x_t, t):
        """Computes eps(x_t, t), t int32 [batch] in 1..T."""
        # The network's clock runs to 1000 for every T, so that its sinusoids see the range they were made for.
        return tf.cast(self.denoiser(x_t, tf.cast(t, tf.float32) * (1000.0 / self.timesteps)), tf.float32)

    def objective(self, x, seed):
        """Returns {mse: |eps - eps(x_t, t)|^2 averaged over dimensions}, [batch], one t ~ U{1..T} and one eps ~ N(0, I)
        for each example (equation 14)."""
        x_0 = self.scaled(x)
        seed_t, seed_eps = random.split(seed)
        t = tf.random.stateless_uniform([tf.shape(x_0)[0]], seed_t, 1, self.timesteps + 1, tf.int32)
        eps = tf.random.stateless_normal(tf.shape(x_0), seed_eps)
        error = eps - self.predict_eps(gaussian.diffuse(self.process, x_0, t, eps), t)
        return {"mse": tf.reduce_mean(error**2, axis=list(range(1, len(x_0.shape))))}

    def players(self):
        return (Player("model", self.trainable_weights, self.objective),)

    def call(self, x):
        """Returns the x_0 that the network predicts from x_1 = sqrt(alpha_bar_1) x_0."""
        x_0, t = self.scaled(x), tf.ones_like(x, tf.int32)
        t = tf.reshape(t, [tf.shape(x)[0], -1])[:, 0]
        x_1 = gaussian.diffuse(self.process, x_0, t, tf.zeros_like(x_0))
        return gaussian.x_0_of_eps(self.process, x_1, t, self.predict_eps(x_1, t))

    def likelihood(self, p):
        """Returns p(x|x_1) given the Gaussian p(x_0|x_1): itself for real examples, collected into levels otherwise."""
        return p if self.levels is None else quantized_normal(p.mean(), p.stddev(), self.levels, len(self.shape))

    @tf.function(reduce_retracing=True, autograph=False)
    def bound_terms(self, x, seeds, num_timesteps=None):
        """Returns {prior: L_T, diffusion: sum L_{t-1}, reconstruction: L_0} of -log p(x), in nats, [batch].

        T evaluations of the network; with `num_timesteps` in 1..T-1, that many and one, an unbiased estimate of the
        same bound.
        """
        value = x if self.levels is None else tf.cast(x, tf.float32)
        return gaussian.bound_terms(self.predict_eps, lambda p: self.likelihood(p).log_prob(value), self.process,
                                    self.scaled(x), seeds, self.variance, self.clip, num_timesteps)

    def _elbo(self, x, seeds, condition=None):
        """Computes -(L_T + sum L_{t-1} + L_0) in nats, [batch]; one draw of each x_t, row i's from `seeds[i]`; T
        evaluations of the network."""
        return -tf.add_n(list(self.bound_terms(x, seeds).values()))

    @tf.function(reduce_retracing=True, autograph=False)
    def _sample(self, seeds, condition=None, steps=None):
        """Runs algorithm 2, in T steps, or in as many as each row has of its own: the mean of p(x_0|x_1), rounded to a
        level where there are levels."""
        given = (self.predict_eps, self.process, seeds, self.shape)
        if steps is None:
            x_0 = samplers.ancestral(*given, self.variance, self.clip)
        else:
            x_0 = samplers.respaced(*given, steps, self.variance, self.clip)
        return x_0 if self.levels is None else tf.cast(tf.round((x_0 + 1.0) * (0.5 * (self.levels - 1))), tf.int32)
