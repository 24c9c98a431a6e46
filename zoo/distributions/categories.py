"""Discrete places without an image's channels, such as tokens and quantized sound: Categorical, independent given the
logits.

A place is drawn by inverting its cumulative distribution function with one uniform number, whatever the number of
categories: L. Devroye, Non-Uniform Random Variate Generation, 1986, section III.2. Logits are [..., *places,
categories].
"""

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random

tfd = tfp.distributions


def categories(logits, event_ndims=1):
    """Returns the distribution of an example with independent places; `event_ndims` counts the places' own dimensions.
    """
    return tfd.Independent(tfd.Categorical(logits=logits), event_ndims)


def noise_rows(seeds, places):
    """Draws the noise of `from_noise` for one example per row: uniforms [batch, *places] on [0, 1)."""
    return random.uniform_rows(seeds, places)


def from_noise(logits, noise):
    """Returns the smallest k with p(0) + ... + p(k) > u, int32 [..., *places]; p is the softmax of the logits, of which
    some may be -inf.
    """
    # Rounding can end the sum a little below 1 (and below u): u is held against the sum as it is, so that no category
    # of probability 0 is drawn.
    cdf = tf.cumsum(tf.nn.softmax(logits), axis=-1)
    return tf.reduce_sum(tf.cast(cdf <= noise[..., None] * cdf[..., -1:], tf.int32), axis=-1)
