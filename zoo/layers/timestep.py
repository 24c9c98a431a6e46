"""Time as a vector: sines and cosines of geometrically spaced frequencies, then two dense layers.

A. Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.5, as used by diffusion models for t on
0..1000.
"""

import math

import keras
import tensorflow as tf


def sinusoids(time, size, longest=10000.0):
    """Returns [sin(w_i time), cos(w_i time)] with w from 1 to 1/longest in size/2 geometric steps: [batch] -> [batch,
    size], size even."""
    w = tf.exp(tf.linspace(0.0, -math.log(longest), size // 2))
    angles = tf.cast(time, tf.float32)[:, None] * w  # [batch, size / 2]
    return tf.concat([tf.sin(angles), tf.cos(angles)], -1)


class TimeEmbedding(keras.layers.Layer):
    """silu(dense(silu(dense(sinusoids(time))))): time float32 [batch] -> [batch, 4 size]; ready for a linear layer per
    block."""

    def __init__(self, size, **kwargs):
        # Without autocast: in 16 bits, times above 256 would fall together.
        super().__init__(autocast=False, **kwargs)
        self.size = size
        self.hidden, self.out = keras.layers.Dense(4 * size, "silu"), keras.layers.Dense(4 * size, "silu")

    def call(self, time):
        return self.out(self.hidden(sinusoids(time, self.size)))
