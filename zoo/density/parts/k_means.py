"""k-means++: centres among the examples, each drawn with probability proportional to its squared distance from the
nearest one before it.

D. Arthur, S. Vassilvitskii, k-means++: The Advantages of Careful Seeding, 2007.
"""

import tensorflow as tf

from zoo import random


@tf.function(reduce_retracing=True)
def plus_plus(x, num, seed):
    """`num` rows of x [N, D], different ones as long as there are, by the seed int32 [2]. One matrix-vector product
    each."""
    x = x - tf.reduce_mean(x, axis=0)  # squares of large numbers that nearly cancel lose their digits
    squares, uniforms = tf.reduce_sum(x**2, axis=1), tf.random.stateless_uniform([num], seed, dtype=tf.float64)
    size = tf.shape(x)[0]

    def step(i, nearest, chosen):
        # The first is uniform, and so is the rest when every example is a centre already.
        weights = tf.where((i == 0) | (tf.reduce_max(nearest) <= 0.0), tf.ones_like(nearest), nearest)
        steps = tf.cumsum(tf.cast(weights, tf.float64))
        index = tf.minimum(tf.searchsorted(steps, [uniforms[i] * steps[-1]], side="right")[0], size - 1)
        distance = squares - 2.0 * tf.linalg.matvec(x, x[index]) + squares[index]
        # What rounding leaves of a centre's distance to itself must not draw it again.
        distance = tf.where(distance <= 1e-6 * (squares + squares[index]), 0.0, distance)
        return i + 1, tf.minimum(nearest, distance), tf.tensor_scatter_nd_update(chosen, [[i]], [index])

    start = 0, tf.fill([size], x.dtype.max), tf.zeros([num], tf.int32)
    return tf.while_loop(lambda i, *_: i < num, step, start)[2]


def nearest(x, centres):
    """The index of the nearest of `centres` [K, D] for every row of x [N, D], int32 [N]."""
    scores = tf.matmul(x, centres, transpose_b=True) - 0.5 * tf.reduce_sum(centres**2, axis=1)
    return tf.argmax(scores, axis=1, output_type=tf.int32)


def choose(x, num, seed):
    """The centres themselves, [num, D]. Raises ValueError if there are fewer than `num` examples."""
    if num > x.shape[0]:
        raise ValueError(f"{num} components need as many examples, found {x.shape[0]}.")
    return tf.gather(x, plus_plus(x, tf.constant(num), random.fold_in(seed, 0)))
