"""Affine coupling: part of a vector is kept, the rest is scaled and shifted by functions of what was kept.

The Jacobian is triangular, so its log-determinant is a sum, and the inverse costs as much as the forward pass, whatever
the network is.

L. Dinh, J. Sohl-Dickstein, S. Bengio, Density estimation using Real NVP, 2016, arXiv:1605.08803, sections 3.2 to 3.4.
"""

import keras
import numpy as np
import tensorflow as tf

from zoo.transforms.transform import Transform


def checkerboard(shape, parity):
    """The mask, bool [prod(shape)], of entries whose indices add up to `parity` modulo 2 (a stripe for a vector)."""
    return np.indices(shape).sum(0).reshape(-1) % 2 == parity


class AffineCoupling(keras.layers.Layer, Transform):
    """x_kept = z_kept,  x_moved = z_moved * exp(s(z_kept)) + t(z_kept),  s = scale * tanh(network_s(z_kept)).

    The last layer starts at zero, so the coupling starts as the identity. A context is read by the network beside
    z_kept.

    Args:
        kept: bool [D], true where an entry is kept and conditions the others.
        hidden: widths of the network's hidden layers.
        activation: of the hidden layers.

    Raises:
        ValueError: if `kept` keeps all entries or none.
    """

    def __init__(self, kept, hidden, activation, **kwargs):
        super().__init__(**kwargs)
        kept = np.asarray(kept, bool)
        if kept.all() or not kept.any():
            raise ValueError(f"kept must be true for some entries and false for others, found {kept.tolist()}.")
        self.kept, self.moved = np.flatnonzero(kept), np.flatnonzero(~kept)
        self.order = np.argsort(np.concatenate([self.kept, self.moved]))
        layers = [keras.layers.Dense(n, activation) for n in hidden]
        last = keras.layers.Dense(2 * len(self.moved), kernel_initializer="zeros")
        self.network = keras.Sequential([*layers, last], name="network")
        # In float32 under mixed precision as well: it multiplies what is already float32.
        self.scale = self.add_weight(shape=(len(self.moved),), initializer="ones", name="scale", autocast=False)

    def _s_and_t(self, kept, context):
        if context is not None:
            context = tf.broadcast_to(context, tf.concat([tf.shape(kept)[:-1], context.shape[-1:]], 0))
            kept = tf.concat([kept, tf.cast(context, kept.dtype)], axis=-1)
        outputs = tf.cast(self.network(tf.reshape(kept, [-1, kept.shape[-1]])), tf.float32)  # [B, 2 moved]
        outputs = tf.reshape(outputs, tf.concat([tf.shape(kept)[:-1], [2 * len(self.moved)]], 0))
        s, t = tf.split(outputs, 2, axis=-1)  # [..., moved] each
        return self.scale * tf.tanh(s), t

    def _merge(self, kept, moved):
        return tf.gather(tf.concat([kept, moved], axis=-1), self.order, axis=-1)  # [..., D]

    def forward(self, z, context=None):
        """Computes x = f(z), [..., D], and log|det dx/dz| = sum s, [...]."""
        kept, moved = tf.gather(z, self.kept, axis=-1), tf.gather(z, self.moved, axis=-1)
        s, t = self._s_and_t(kept, context)
        return self._merge(kept, moved * tf.exp(s) + t), tf.reduce_sum(s, axis=-1)

    def inverse(self, x, context=None):
        """Computes z = f^-1(x), [..., D], and log|det dz/dx| = -sum s, [...]."""
        kept, moved = tf.gather(x, self.kept, axis=-1), tf.gather(x, self.moved, axis=-1)
        s, t = self._s_and_t(kept, context)
        return self._merge(kept, (moved - t) * tf.exp(-s)), -tf.reduce_sum(s, axis=-1)

    def call(self, x, context=None):
        return self.inverse(x, context)
