"""Priors p(z) of latent vectors: a standard normal, a learned mixture of Gaussians, and the VampPrior.

J. M. Tomczak, M. Welling, VAE with a VampPrior, 2018, arXiv:1705.07120: the mixture of the posteriors of learned
pseudo-inputs, which is what the posteriors' average would be, in as many components as one can afford.
"""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random

tfd = tfp.distributions
PRIORS = ("normal", "mixture", "vamp")


class Mixture(keras.layers.Layer):
    """p(z) = sum_k w_k N(loc_k, diag(scale_k^2)), all of it learned."""

    def __init__(self, components, latent_size, **kwargs):
        super().__init__(**kwargs)
        self.logits = self.add_weight((components,), "zeros", name="logits")
        self.loc = self.add_weight((components, latent_size), "random_normal", name="loc")
        self.log_scale = self.add_weight((components, latent_size), "zeros", name="log_scale")

    def distribution(self):
        """Returns p(z), a TFP distribution."""
        logits, loc, log_scale = (tf.cast(tf.convert_to_tensor(w), tf.float32)
                                  for w in (self.logits, self.loc, self.log_scale))
        return tfd.MixtureSameFamily(tfd.Categorical(logits=logits),
                                     tfd.Independent(tfd.Normal(loc, tf.exp(log_scale)), 1))


class PseudoInputs(keras.layers.Layer):
    """K learned images u_k on [0, 1], for an encoder to read."""

    def __init__(self, components, shape, **kwargs):
        super().__init__(**kwargs)
        self.images = self.add_weight((components, *shape), keras.initializers.RandomNormal(0.5, 0.1), name="images")

    def clipped(self):
        """Returns the images, no value outside of [0, 1]."""
        return tf.clip_by_value(tf.convert_to_tensor(self.images), 0.0, 1.0)


def require(name, posterior):
    """Raises ValueError for the name of no prior, or one that can't be made of posteriors of that name."""
    if name not in PRIORS:
        raise ValueError(f"prior must be one of {', '.join(PRIORS)}, found {name!r}.")
    if name == "vamp" and posterior != "diagonal":
        raise ValueError(f"the VampPrior needs posterior 'diagonal', found {posterior!r}.")


def make(name, components, latent_size, shape):
    """Makes the layer that holds a prior's weights; None for the standard normal, which has none."""
    if name == "mixture":
        return Mixture(components, latent_size)
    return PseudoInputs(components, shape) if name == "vamp" else None


def vamp(posterior):
    """Returns p(z) = 1/K sum_k q(z|u_k), of the diagonal Gaussian posterior with batch shape [K] of the
    pseudo-inputs."""
    components = posterior.batch_shape[0]
    return tfd.MixtureSameFamily(tfd.Categorical(logits=tf.zeros([components])), posterior)


def standard_normal(latent_size):
    """Returns N(0, I)."""
    return tfd.Independent(tfd.Normal(tf.zeros([latent_size]), 1.0), 1)


def log_prob(prior, z):
    """Computes log p(z), [...], of z [..., D]. A mixture's by products of matrices: [..., components, D] is never
    formed."""
    if not isinstance(prior, tfd.MixtureSameFamily):
        return prior.log_prob(z)
    parts = prior.components_distribution
    loc, precision = parts.mean(), 1.0 / parts.variance()
    flat = tf.reshape(z, [-1, z.shape[-1]])
    square = (
        tf.matmul(flat**2, precision, transpose_b=True)
        - 2.0 * tf.matmul(flat, loc * precision, transpose_b=True)
        + tf.reduce_sum(loc**2 * precision, -1)
    )
    weights = tf.nn.log_softmax(prior.mixture_distribution.logits_parameter())
    constant = weights + 0.5 * tf.reduce_sum(tf.math.log(precision), -1) - 0.5 * z.shape[-1] * math.log(2.0 * math.pi)
    return tf.reshape(tf.reduce_logsumexp(constant - 0.5 * square, -1), tf.shape(z)[:-1])


def draw_rows(prior, seeds, latent_size):
    """Draws z [batch, D] of a prior, each row from its own seed."""
    eps = random.normal_rows(random.fold_in_rows(seeds, 0), [latent_size])
    if not isinstance(prior, tfd.MixtureSameFamily):
        return eps
    logits, parts = prior.mixture_distribution.logits_parameter(), prior.components_distribution
    uniforms = random.uniform_rows(random.fold_in_rows(seeds, 2), logits.shape, minval=1e-20)
    chosen = tf.argmax(logits - tf.math.log(-tf.math.log(uniforms)), -1)
    return tf.gather(parts.mean(), chosen) + tf.gather(parts.stddev(), chosen) * eps
