"""beta-VAE: a VAE that pays more for its code, so that the code's dimensions come apart.

I. Higgins, L. Matthey, A. Pal, C. Burgess, X. Glorot, M. Botvinick, S. Mohamed, A. Lerchner, beta-VAE: Learning Basic
Visual Concepts with a Constrained Variational Framework, 2017 (ICLR).
"""

import math

import tensorflow as tf

from zoo.latent.parts import schedules
from zoo.latent.vae import VAE
from zoo.paper import Paper


class BetaVAE(VAE):
    """-E_q [log p(x|z)] + beta KL(q(z|x) || p(z)) is minimised; the bounds that are reported are those of beta = 1.

    The networks, posterior and bounds are a VAE's, with a standard normal prior, a diagonal posterior and no free bits.

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

    paper = Paper(("Higgins", "Matthey", "Pal", "Burgess", "Glorot", "Botvinick", "Mohamed", "Lerchner"),
                  "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework", 2017, "ICLR")

    def __init__(self, shape=(64, 64, 1), levels=2, latent_size=10, network="dense", hidden=(1200, 1200),
                 activation="relu", likelihood="auto", beta=4.0, warmup_steps=0, **kwargs):
        if not 0.0 < beta < math.inf or warmup_steps < 0:
            raise ValueError(f"beta must be above 0 and warmup_steps not negative, found {beta} and {warmup_steps}.")
        super().__init__(shape, levels, latent_size, network, hidden, activation, likelihood, prior="normal",
                         posterior="diagonal", flows=0, warmup_steps=warmup_steps, free_bits=0.0, **kwargs)
        self.beta = beta

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, latent_size=self.latent_size, network=self.network,
                    hidden=self.hidden, activation=self.activation, likelihood=self.given_likelihood, beta=self.beta,
                    warmup_steps=self.warmup_steps)

    def objective(self, x, seed, step=None):
        """Returns {reconstruction: -log p(x|z), kl: beta KL(q(z|x) || p(z))}, [batch] each, at one z ~ q(z|x)."""
        posterior = self.posterior(x)
        z, _ = posterior.draw(tf.random.stateless_normal([tf.shape(x)[0], self.noise_size], seed))
        beta = schedules.warmup(step, self.warmup_steps, self.beta)
        return {"reconstruction": -self.likelihood(z).log_prob(x), "kl": beta * posterior.kl()}
