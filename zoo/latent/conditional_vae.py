"""Conditional VAE: an image given its class, or given some of its quadrants, with latents whose prior reads what is
given.

K. Sohn, H. Lee, X. Yan, Learning Structured Output Representation using Deep Conditional Generative Models, 2015
(NeurIPS). Given quadrants, the whole image is the example and p(x|given) is one on what is given: its likelihood is
that of the hidden quadrants alone, the paper's conditional likelihood.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.domain import condition_of, known
from zoo.latent.parts import observations, posteriors
from zoo.latent.parts.image_vae import ImageVAE, flatly
from zoo.model import image_shape
from zoo.networks import autoencoding
from zoo.paper import Paper

tfd = tfp.distributions
_CERTAIN = 30.0  # log-odds of a given pixel: its log-probability is 0 in float32


class ConditionalVAE(ImageVAE):
    """log p(x|c) >= E_{q(z|x, c)} [log p(x|z, c)] - KL(q(z|x, c) || p(z|c)), c a class label or given quadrants, all
    three diagonal Gaussian or independent pixels.

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel; 2 gives Bernoulli pixels, more give Categorical ones.
        latent_size: number of latent dimensions.
        hidden: widths of the dense layers of the encoder and the prior; the decoder has them in reverse.
        activation: of the hidden layers.
        classes: number of class labels, where the label is the condition; None: quadrants are.
        quadrants: 1, the lower left one is given; 2, the left half; 3, all but the lower right one. None is 1, or with
            classes 0: none is.

    Raises:
        ValueError: if `shape` is not an image's of at least 2x2, a number is too small, or there is not exactly one of
            `classes` and `quadrants`.
    """

    paper = Paper(("Sohn", "Lee", "Yan"),
                  "Learning Structured Output Representation using Deep Conditional Generative Models", 2015, "NeurIPS")

    def __init__(self, shape=(28, 28, 1), levels=2, latent_size=50, hidden=(500, 500), activation="relu",
                 classes: int | None = None, quadrants: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if latent_size < 1 or not hidden or min(hidden) < 1 or (classes is not None and classes < 1):
            raise ValueError(f"latent_size, classes and each of hidden must be at least 1, found {latent_size}, "
                             f"{classes} and {tuple(hidden)}.")
        if quadrants not in ((None, 0) if classes else (None, 1, 2, 3)):
            raise ValueError("quadrants must be "
                             f"{'left out, or 0, with classes' if classes else '1, 2 or 3 without classes'}, found "
                             f"{quadrants}.")
        self.shape, self.levels, self.latent_size = image_shape(shape), levels, latent_size
        self.noise_size = latent_size
        if not classes and min(self.shape[:2]) < 2:
            raise ValueError(f"shape must be at least 2x2 to have quadrants, found {self.shape}.")
        self.hidden, self.activation, self.classes, self.quadrants = tuple(hidden), activation, classes, quadrants
        self.observation = observations.make("auto", levels)
        self.given = None if classes else given_quadrants(self.shape, quadrants or 1)
        self.trunk = autoencoding.dense_trunk(self.hidden, activation)
        self.head = posteriors.Diagonal(latent_size)
        self.prior_trunk = autoencoding.dense_trunk(self.hidden, activation)
        self.prior_head = posteriors.Diagonal(latent_size)
        self.decoder = autoencoding.dense_decoder(self.shape, self.observation.parameters, self.hidden, activation)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, latent_size=self.latent_size, hidden=self.hidden,
                    activation=self.activation, classes=self.classes, quadrants=self.quadrants)

    @property
    def domain(self):
        plain = self.observation.domain(self.shape)
        return dataclasses.replace(plain, condition=condition_of(self.classes) or known(plain, self.given))

    def read(self, condition):
        """Returns what the networks read of a condition, [batch, ...]: the label's indicator, or the given pixels on
        [0, 1] and -1 for the rest."""
        self.domain.require(condition)
        if self.classes:
            return tf.one_hot(condition, self.classes)
        return tf.reshape(tf.where(self.given[..., None], condition / (self.levels - 1.0), -1.0),
                          [-1, math.prod(self.shape)])

    def prior(self, condition):
        """Returns p(z|c), a TFP distribution with batch shape [batch]."""
        return self.prior_head(self.prior_trunk(self.read(condition))).distribution()

    def posterior(self, x, condition):
        """Returns q(z|x, c): an object of `zoo.latent.parts.posteriors`."""
        seen = tf.reshape(self.observation.read(x), [-1, math.prod(self.shape)])
        return self.head(self.trunk(tf.concat([seen, self.read(condition)], -1)))

    def approximate(self, x, condition=None):
        return self.posterior(x, condition).draw

    def log_prior(self, z, condition=None):
        return self.prior(condition).log_prob(z)

    def prior_density(self, condition=None):
        return self.prior(condition).log_prob

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x|z, c), z ~ p(z|c)."""
        z = self.draw_prior(random.fold_in_rows(seeds, 0), condition)
        return self.draw_image(self.parameters(z, condition), random.fold_in_rows(seeds, 1))

    def draw_prior(self, seeds, condition=None):
        prior = self.prior(condition)
        return prior.mean() + prior.stddev() * random.normal_rows(seeds, [self.latent_size])

    def parameters(self, z, condition=None):
        given = self.read(condition)
        given = tf.broadcast_to(given, tf.concat([tf.shape(z)[:-1], given.shape[-1:]], 0))
        raw = autoencoding.float32(flatly(self.decoder, tf.concat([z, given], -1)))
        if self.classes:
            return raw
        ones = condition if self.levels == 2 else tf.one_hot(tf.cast(condition, tf.int32), self.levels)
        known = tf.reshape(2.0 * ones - 1.0, [-1, *self.shape, self.observation.parameters])
        return tf.where(self.given[..., None, None], _CERTAIN * known, raw)

    def terms(self, x, eps, condition=None, step=None):
        """Returns {reconstruction: -log p(x|z, c), kl: KL(q(z|x, c) || p(z|c))}, [batch] each: minus their sum is the
        bound."""
        posterior = self.posterior(x, condition)
        z, _ = posterior.draw(eps)
        return {"reconstruction": -self.likelihood(z, condition).log_prob(x),
                "kl": tfd.kl_divergence(posterior.distribution(), self.prior(condition))}

    def _encode(self, x, condition=None):
        """Returns the posterior's mean, [batch, latent_size]."""
        return self.posterior(x, condition).mean()


def given_quadrants(shape, number):
    """Returns bool [height, width]: the lower left quadrant; with 2 the upper left one too, with 3 the upper right one
    too."""
    height, width = shape[:2]
    given = np.zeros((height, width), bool)
    given[height // 2:, :width // 2] = True
    given[:, :width // 2] |= number > 1
    given[:height // 2] |= number > 2
    return given
