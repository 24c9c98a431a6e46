"""Planar flows: a vector is pushed along one direction, by how far it lies along another.

D. J. Rezende, S. Mohamed, Variational Inference with Normalizing Flows, 2015, arXiv:1505.05770, section 4.1 and
appendix A.1.
"""

import tensorflow as tf

from zoo.transforms.transform import Transform

_HALVINGS = 40  # of a bracket, beyond the digits of float32


class Planar(Transform):
    """f(z) = z + u tanh(w^T z + b), log|det df/dz| = log(1 + (1 - tanh^2(w^T z + b)) w^T u), with w^T u >= -1.

    The context is what it is made of, [..., 2 D + 1] for events of D entries: u, w and b.
    """

    @staticmethod
    def parameters(size):
        """How many numbers the context has for events of `size` entries."""
        return 2 * size + 1

    def forward(self, z, context=None):
        """Computes x = z + u tanh(w^T z + b) and log|det df/dz|."""
        u, w, b = _parts(context, z.shape[-1])
        h = tf.tanh(tf.reduce_sum(w * z, -1, keepdims=True) + b)
        return z + u * h, _log_det(h, w, u)

    def inverse(self, x, context=None):
        """Computes z = x - u tanh(a + b), where a = w^T z solves a + w^T u tanh(a + b) = w^T x, and -log|det df/dz|.

        The left side grows with a, so that it is solved by halving a bracket; a last step of Newton's makes it
        differentiable.
        """
        u, w, b = _parts(context, x.shape[-1])
        y, slope = tf.reduce_sum(w * x, -1, keepdims=True), tf.reduce_sum(w * u, -1, keepdims=True)

        def halve(i, low, high):
            middle = 0.5 * (low + high)
            below = middle + slope * tf.tanh(middle + b) < y
            return i + 1, tf.where(below, middle, low), tf.where(below, high, middle)

        bracket = tf.stop_gradient(y - tf.abs(slope)), tf.stop_gradient(y + tf.abs(slope))
        _, low, high = tf.while_loop(lambda i, *_: i < _HALVINGS, halve, (0, *bracket), maximum_iterations=_HALVINGS)
        a = tf.stop_gradient(0.5 * (low + high))
        h = tf.tanh(a + b)
        a -= (a + slope * h - y) / (1.0 + slope * (1.0 - h**2))
        h = tf.tanh(a + b)
        return x - u * h, -_log_det(h, w, u)


def _parts(parameters, size):
    """u, w and b, with u moved along w until w^T u = softplus(.) - 1."""
    u, w, b = tf.split(parameters, [size, size, 1], axis=-1)
    w += 1e-3  # never all zero, which has no direction
    product = tf.reduce_sum(w * u, -1, keepdims=True)
    return u + (tf.nn.softplus(product) - 1.0 - product) * w / tf.reduce_sum(w * w, -1, keepdims=True), w, b


def _log_det(h, w, u):
    return tf.math.log1p((1.0 - h[..., 0] ** 2) * tf.reduce_sum(w * u, -1))
