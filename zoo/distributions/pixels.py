"""Discrete pixels: Bernoulli for two levels, Categorical for more, independent given the logits.

Logits are [..., height, width, channels] for two levels (the log-odds of a one) and [..., height, width, channels,
levels] for more.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random

tfd = tfp.distributions


class Bernoulli(tfd.Bernoulli):
    """TFP's, whose log-probability by logits l is x l - softplus(l): half the passes over memory of a product for each
    of the two outcomes."""

    def _log_prob(self, event):
        if self.logits is None:
            return super()._log_prob(event)
        logits = tf.convert_to_tensor(self.logits)
        return tf.cast(event, logits.dtype) * logits - tf.math.softplus(logits)


def pixels(logits, levels, event_ndims=3):
    """Returns the distribution of an image with independent pixels; `event_ndims` counts the image's own dimensions."""
    if levels == 2:
        return tfd.Independent(Bernoulli(logits=logits, dtype=tf.float32), event_ndims)
    return tfd.Independent(tfd.Categorical(logits=logits), event_ndims)


def mean(logits, levels):
    """Computes the mean level of each pixel, float32 [..., height, width, channels]."""
    if levels == 2:
        return tf.sigmoid(logits)
    return tf.linalg.matvec(tf.nn.softmax(logits), tf.range(levels, dtype=logits.dtype))


def noise_rows(seeds, shape, levels):
    """Draws the noise of `from_noise` for one image per row: uniforms [batch, *shape] or Gumbels [batch, *shape,
    levels].
    """
    if levels == 2:
        return random.uniform_rows(seeds, shape)
    # The smallest uniform is kept away from 0, where the double logarithm would be infinite.
    return -tf.math.log(-tf.math.log(random.uniform_rows(seeds, (*shape, levels), minval=1e-20)))


def from_noise(logits, noise, levels):
    """Draws pixels by inverting the noise: float32 {0, 1} for two levels, int32 for more."""
    if levels == 2:
        return tf.cast(noise < tf.sigmoid(logits), tf.float32)
    return tf.argmax(logits + noise, axis=-1, output_type=tf.int32)


def centre(x, levels):
    """Scales levels 0..levels-1 to float32 on [-1, 1], for a masked or denoising convolution: 0, its padding, is
    neither black nor white.
    """
    return tf.cast(x, tf.float32) * (2.0 / (levels - 1)) - 1.0


def unit(x, levels):
    """Scales levels 0..levels-1 to float32 on [0, 1], for an encoder to read: a black background is silent."""
    return tf.cast(x, tf.float32) * (1.0 / (levels - 1))
