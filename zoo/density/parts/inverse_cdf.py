"""Sampling in one dimension by inverting the cumulative distribution: x = F^-1(u), u ~ U[0, 1).

Where TensorFlow Probability has a distribution's quantile, it is used. Elsewhere F is inverted by bisection: a bracket
grows from both sides of 0 until it holds the answer, and is halved until nothing is left of it in the type's precision.
All on what the distribution maps its support from, so that F is asked for nothing outside of it.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random

_DOUBLINGS = 130  # from 1 to more than the largest float32
_HALVINGS = 200  # of a bracket as wide as that, down to two neighbours


def sample(distribution, seeds):
    """Draws x ~ `distribution`, scalar, one for each row of `seeds` (int32 [batch, 2]): [batch, *batch_shape]."""
    uniforms = random.uniform_rows(seeds, distribution.batch_shape, minval=1e-7)  # F^-1(0) may be -inf
    return quantile(distribution, uniforms)


def quantile(distribution, probability):
    """Computes F^-1(probability) of a scalar `tfd.Distribution` with a `cdf`: its own quantile where it has one, else
    by bisection.

    Raises:
        ValueError: if the distribution is not of scalars.
    """
    if distribution.event_shape.rank != 0:
        raise ValueError(f"a distribution of scalars is needed, found event shape {distribution.event_shape}.")
    probability = tf.convert_to_tensor(probability, distribution.dtype)
    try:
        return distribution.quantile(probability)
    except NotImplementedError:
        return bisect(distribution, probability)


def bisect(distribution, probability):
    """Returns the smallest x, to the type's precision, with F(x) >= probability, by a masked bisection of all entries
    at once."""
    bijector = _from_reals(distribution)
    shape = tf.broadcast_dynamic_shape(tf.shape(probability), distribution.batch_shape_tensor())
    probability = tf.broadcast_to(probability, shape)

    def below(y):
        """Says whether F(x(y)) < probability; where F is not a number, y is outside of a support that TFP does not
        know, on the side away from 0."""
        cdf = distribution.cdf(bijector.forward(y))
        return tf.where(tf.math.is_nan(cdf), y < 0.0, cdf < probability)

    def grow(i, low, high):
        return i + 1, tf.where(below(low), low, 2.0 * low), tf.where(below(high), 2.0 * high, high)

    def grown(i, low, high):
        return (i < _DOUBLINGS) & tf.reduce_any(
            ~below(low) & tf.math.is_finite(low) | below(high) & tf.math.is_finite(high)
        )

    def halve(i, low, high):
        middle = 0.5 * low + 0.5 * high
        left = below(middle)
        return i + 1, tf.where(left, middle, low), tf.where(left, high, middle)

    def unfinished(i, low, high):
        middle = 0.5 * low + 0.5 * high
        return (i < _HALVINGS) & tf.reduce_any((middle > low) & (middle < high))

    one = tf.ones(shape, distribution.dtype)
    _, low, high = tf.while_loop(grown, grow, (0, -one, one))
    limit = distribution.dtype.max
    low, high = tf.maximum(low, -limit), tf.minimum(high, limit)
    return bijector.forward(tf.while_loop(unfinished, halve, (0, low, high))[2])


def _from_reals(distribution):
    """Returns the increasing bijector from the reals onto the distribution's support, or the identity."""
    return distribution.experimental_default_event_space_bijector() or tfp.bijectors.Identity()
