"""beta-VAE: a VAE that pays more for its code, so that the code's dimensions come apart.

I. Higgins, L. Matthey, A. Pal, C. Burgess, X. Glorot, M. Botvinick, S. Mohamed, A. Lerchner, beta-VAE: Learning Basic
Visual Concepts with a Constrained Variational Framework, 2017 (ICLR).
"""

import math

import tensorflow as tf

from zoo.latent.parts import schedules
from zoo.latent.parts.one_layer import OneLayer


class BetaVAE(OneLayer):
    """-E_q [log p(x|z)] + beta KL(q(z|x) || p(z)) is minimised; the bounds that are reported are those of beta = 1.

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        latent_size: number of latent dimensions.
        network: `dense` or `conv`.
        hidden: widths of the encoder's dense layers, or channels of its stride-2 convolutions; the decoder mirrors
            them.
        activation: of the hidden layers.
        likelihood: a name of `zoo.latent.parts.observations`, or `auto`.
        beta: weight of the KL term, above 0.
        warmup_steps: steps in which that weight rises from 0; 0: none.

    Raises:
        ValueError: if `shape` is not an image's, a name is unknown, or a number is too small.
    """

    def __init__(self, shape=(64, 64, 1), levels=2, latent_size=10, network="dense", hidden=(1200, 1200),
                 activation="relu", likelihood="auto", beta=4.0, warmup_steps=0, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 < beta < math.inf or warmup_steps < 0:
            raise ValueError(f"beta must be above 0 and warmup_steps not negative, found {beta} and {warmup_steps}.")
        self.assemble(shape, levels, latent_size, network, hidden, activation, likelihood)
        self.beta, self.warmup_steps = beta, warmup_steps
        self.build()

    def get_config(self):
        return self.assembled() | dict(beta=self.beta, warmup_steps=self.warmup_steps)

    def objective(self, batch, seed, step=None):
        terms = self.terms(batch, tf.random.stateless_normal([tf.shape(batch)[0], self.noise_size], seed))
        return terms | {"kl": schedules.warmup(step, self.warmup_steps, self.beta) * terms["kl"]}
