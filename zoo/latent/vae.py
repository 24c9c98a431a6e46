"""Variational autoencoder: a latent Gaussian decoded to an image, and a Gaussian posterior whose parameters a network reads off the image.

D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, 2013, arXiv:1312.6114.
"""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.distributions import pixels
from zoo.latent.bounds import importance_weighted
from zoo.model import Domain, GenerativeModel, Player, image_shape
from zoo.networks import autoencoding

tfd = tfp.distributions


_CHUNK, _LOGITS = 50, 1 << 22  # importance samples in memory at once, and their logits, of an image


class VAE(GenerativeModel):
    """log p(x) >= E_{q(z|x)} [log p(x|z)] - KL(q(z|x) || p(z)),  p(z) = N(0, I),  q(z|x) = N(loc(x), diag(scale(x)^2)).

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel; 2 gives Bernoulli pixels, more give Categorical ones.
        latent_size: number of latent dimensions.
        network: `dense` or `conv`.
        hidden: widths of the encoder's dense layers, or channels of its stride-2 convolutions; the decoder mirrors them.
        activation: of the hidden layers.

    Raises:
        ValueError: if `shape` is not an image's, `network` is neither, `levels` is less than 2, or `latent_size` less than 1.
    """

    def __init__(self, shape=(28, 28, 1), levels=2, latent_size=16, network="dense", hidden=(200, 200), activation="tanh", **kwargs):
        super().__init__(**kwargs)
        if network not in ("dense", "conv"):
            raise ValueError(f"network must be 'dense' or 'conv', found {network!r}.")
        if levels < 2 or latent_size < 1:
            raise ValueError(f"levels must be at least 2 and latent_size at least 1, found {levels} and {latent_size}.")
        self.shape, self.levels, self.latent_size = image_shape(shape), levels, latent_size
        self.network, self.hidden, self.activation = network, tuple(hidden), activation
        parameters = 1 if levels == 2 else levels
        if network == "dense":
            self.trunk = autoencoding.dense_trunk(self.hidden, activation)
            self.decoder = autoencoding.dense_decoder(self.shape, parameters, self.hidden, activation)
        else:
            self.trunk = autoencoding.conv_trunk(self.hidden, activation)
            self.decoder = autoencoding.conv_decoder(self.shape, parameters, self.hidden, activation)
        self.head = keras.layers.Dense(2 * latent_size, name="posterior")
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, latent_size=self.latent_size, network=self.network,
                    hidden=self.hidden, activation=self.activation)

    @property
    def domain(self):
        return Domain("binary" if self.levels == 2 else "levels", self.shape, self.levels)

    def prior(self):
        """p(z) = N(0, I)."""
        return tfd.Independent(tfd.Normal(tf.zeros([self.latent_size]), 1.0), 1)

    def posterior(self, x):
        """q(z|x), a diagonal Gaussian with batch shape [batch]."""
        features = self.trunk(pixels.unit(x, self.levels))
        loc, log_variance = tf.split(autoencoding.float32(self.head(features)), 2, axis=-1)
        return tfd.Independent(tfd.Normal(loc, tf.exp(0.5 * log_variance)), 1)

    def logits(self, z):
        """The logits of p(x|z), z [batch, latent_size]: `pixels` says their shape."""
        logits = autoencoding.float32(self.decoder(z))
        return logits[..., 0] if self.levels == 2 else logits

    def likelihood(self, z):
        """p(x|z), batch shape [batch], event shape `shape`."""
        return pixels.pixels(self.logits(z), self.levels)

    def terms(self, x, eps):
        """{reconstruction: -log p(x|z), kl: KL(q(z|x) || p(z))}, each [batch], at z = loc + scale * eps."""
        posterior = self.posterior(x)
        z = posterior.mean() + posterior.stddev() * eps
        return {"reconstruction": -self.likelihood(z).log_prob(x), "kl": tfd.kl_divergence(posterior, self.prior())}

    def objective(self, x, seed):
        return self.terms(x, tf.random.stateless_normal([tf.shape(x)[0], self.latent_size], seed))

    def players(self):
        return (Player("model", self.trainable_weights, self.objective),)

    def call(self, x):
        return self.likelihood(self.posterior(x).mean()).log_prob(x)

    def elbo(self, x, seeds, condition=None):
        """log p(x|z) - KL(q(z|x) || p(z)) with one z ~ q(z|x), in nats, [batch]."""
        return -tf.add_n(list(self.terms(x, random.normal_rows(seeds, [self.latent_size])).values()))

    def log_prob(self, x, seeds, num_samples=100, condition=None, chunk=None):
        """log 1/k sum_k p(x, z_k) / q(z_k|x), z_k ~ q(z|x), in nats, [batch]: a lower bound of log p(x), tighter as k grows.

        `chunk` samples of an image are in memory at once; None takes fewer for images with more logits, and 50 at most.
        """
        logits = math.prod(self.shape) * (1 if self.levels == 2 else self.levels)
        chunk = chunk or max(1, min(_CHUNK, _LOGITS // logits))
        posterior, prior = self.posterior(x), self.prior()

        def log_weights(index, num):
            eps = random.normal_rows(random.fold_in_rows(seeds, index), [num, self.latent_size])  # [batch, num, latent]
            z = posterior.mean() + posterior.stddev() * tf.transpose(eps, [1, 0, 2])  # [num, batch, latent]
            logits = self.logits(tf.reshape(z, [-1, self.latent_size]))
            logits = tf.reshape(logits, [num, tf.shape(x)[0], *logits.shape[1:]])
            return pixels.pixels(logits, self.levels).log_prob(x) + prior.log_prob(z) - posterior.log_prob(z)

        return importance_weighted(log_weights, num_samples, chunk)

    def encode(self, x, condition=None):
        """The posterior's mean, [batch, latent_size]."""
        return self.posterior(x).mean()

    def decode(self, z, condition=None):
        """The mean of p(x|z), in levels."""
        return pixels.mean(self.logits(z), self.levels)

    def sample(self, seeds, condition=None):
        """x ~ p(x|z), z ~ p(z)."""
        logits = self.logits(self._latents(seeds))
        return pixels.from_noise(logits, pixels.noise_rows(random.fold_in_rows(seeds, 1), self.shape, self.levels), self.levels)

    def sample_mean(self, seeds, condition=None):
        """E[x|z], z ~ p(z): the same latents as `sample`, without the pixels' own noise."""
        return self.decode(self._latents(seeds))

    def _latents(self, seeds):
        return random.normal_rows(random.fold_in_rows(seeds, 0), [self.latent_size])
