"""What an invertible map is, and how maps are put together. As in TensorFlow Probability forward is noise to data.

A transform is a pure function of an event, of its own weights and of a context: a condition, features of an example, or
parameters that a network reads off one. It adds what it does to the density: with x = f(z), log p(x) = log p(z) -
log|det df/dz|.
"""

import abc

import tensorflow as tf


class Transform(abc.ABC):
    """x = f(z; context), invertible in z.

    z is [..., *event]; x has as many entries, in a shape that may be another (a squeezed image, or the parts that a
    multi-scale flow factored out, put together as one vector). The context is None or [..., n], where its dimensions
    before the last broadcast to those of z before the event. Rows do not know one another, so that a log-determinant is
    each row's own: [...], in float32 or wider.
    """

    @abc.abstractmethod
    def forward(self, z, context=None):
        """Computes x = f(z) and log|det df(z)/dz|."""

    @abc.abstractmethod
    def inverse(self, x, context=None):
        """Computes z = f^-1(x) and log|det df^-1(x)/dx|, which is -log|det df(z)/dz|."""


class Chain(Transform):
    """f = f_K o ... o f_2 o f_1, in the order in which noise passes them; all are given the same context."""

    def __init__(self, transforms):
        self.transforms = list(transforms)

    def forward(self, z, context=None):
        """Computes x = f_K(... f_1(z)) and the sum of log|det df_k|."""
        return _through([transform.forward for transform in self.transforms], z, context)

    def inverse(self, x, context=None):
        """Computes z = f_1^-1(... f_K^-1(x)) and the sum of log|det df_k^-1|."""
        return _through([transform.inverse for transform in reversed(self.transforms)], x, context)


def _through(functions, x, context):
    total = tf.zeros([], x.dtype)
    for function in functions:
        x, log_det = function(x, context)
        total += log_det
    return x, total


class Given(Transform):
    """f(.; context) with a context of its own, whatever the others of a chain are given."""

    def __init__(self, transform, context):
        self.transform, self.given = transform, context

    def forward(self, z, context=None):
        """Computes x = f(z; given) and its log|det df/dz|."""
        return self.transform.forward(z, self.given)

    def inverse(self, x, context=None):
        """Computes z = f^-1(x; given) and its log|det df^-1/dx|."""
        return self.transform.inverse(x, self.given)


class Bijector(Transform):
    """A bijector of TensorFlow Probability that has no weights, such as a logit, with events of so many dimensions.

    NOTE: it is given copies, since it remembers what it was given and answers from that, through which no gradient
    flows.
    """

    def __init__(self, bijector, event_ndims=1):
        self.bijector, self.event_ndims = bijector, event_ndims

    def forward(self, z, context=None):
        """Computes x = f(z) and log|det df/dz| by the bijector's own."""
        z = tf.identity(z)
        log_det = self.bijector.forward_log_det_jacobian(z, event_ndims=self.event_ndims)
        return self.bijector.forward(z), self._each(log_det, z)

    def inverse(self, x, context=None):
        """Computes z = f^-1(x) and log|det df^-1/dx| by the bijector's own."""
        x = tf.identity(x)
        log_det = self.bijector.inverse_log_det_jacobian(x, event_ndims=self.event_ndims)
        return self.bijector.inverse(x), self._each(log_det, x)

    def _each(self, log_det, x):
        """Each row's, where a bijector says one number for all."""
        return tf.broadcast_to(log_det, tf.shape(x)[:tf.rank(x) - self.event_ndims])
