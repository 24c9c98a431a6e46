"""Inverse autoregressive flow: noise to data in one pass of a masked network, and back in one for each entry.

D. P. Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, 2016, arXiv:1606.04934.
"""

import keras
import numpy as np
import tensorflow as tf

from zoo.layers.masked_dense import MaskedDense
from zoo.transforms.transform import Transform


class InverseAutoregressive(keras.layers.Layer, Transform):
    """x = s z + (1 - s) m, where s = sigmoid(gate + 2), and m_d and gate_d are functions of z_<d and of the context
    (equations 13 and 14).

    Args:
        size: D, the entries of an event, its only dimension.
        hidden: widths of the masked network's hidden layers; the context has hidden[0] numbers, which are added to the
            first.
        reverse: whether the order of the entries is turned around.
    """

    def __init__(self, size, hidden, reverse=False, **kwargs):
        super().__init__(**kwargs)
        self.size, self.hidden, self.turned = size, tuple(hidden), reverse
        positions = np.arange(size)
        hidden_sides = [np.arange(n) * max(size - 1, 1) // n + 1 for n in self.hidden]
        self.sides = [positions + 1, *hidden_sides, np.tile(positions, 2)]
        self.stack = [MaskedDense(len(targets)) for targets in self.sides[1:]]

    def build(self, input_shape=None):
        for layer, inputs in zip(self.stack, (self.size, *self.hidden)):
            layer.build((None, inputs))

    def _turn(self, z):
        return tf.reverse(z, [-1]) if self.turned else z

    def _m_and_gate(self, z, context):
        shape = tf.shape(z)
        h = tf.reshape(self._turn(z), [-1, self.size])
        given = tf.broadcast_to(context, tf.concat([shape[:-1], context.shape[-1:]], 0))
        given = tf.reshape(given, [-1, context.shape[-1]])
        for layer, source, target in zip(self.stack, self.sides, self.sides[1:]):
            first, h = layer is self.stack[0], layer(h, source, target)
            h = tf.cast(h, tf.float32)
            h = tf.nn.elu(h + given) if first else h if layer is self.stack[-1] else tf.nn.elu(h)
        return [tf.reshape(self._turn(part), shape) for part in tf.split(h, 2, axis=-1)]

    def forward(self, z, context=None):
        """Computes x = s z + (1 - s) m and log|det dx/dz| = sum log s."""
        m, gate = self._m_and_gate(z, context)
        s = tf.sigmoid(gate + 2.0)
        return s * z + (1.0 - s) * m, tf.reduce_sum(tf.math.log_sigmoid(gate + 2.0), -1)

    def inverse(self, x, context=None):
        """Computes z = (x - (1 - s) m) / s and -sum log s, an entry after the other: m, s need those before."""
        place = self._turn(tf.range(self.size))

        def solve(d, z, log_det):
            m, gate = self._m_and_gate(z, context)
            s = tf.sigmoid(gate + 2.0)
            z = tf.where(place <= d, (x - (1.0 - s) * m) / s, 0.0)
            return d + 1, z, -tf.reduce_sum(tf.math.log_sigmoid(gate + 2.0), -1)

        start = 0, tf.zeros_like(x), tf.zeros_like(x[..., 0])
        return tf.while_loop(lambda d, *_: d < self.size, solve, start, maximum_iterations=self.size)[1:]
