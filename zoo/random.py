"""Seeds: randomness is an argument.

A seed is an int32 pair. Training folds the run seed, the step and the replica into one pair and draws a whole batch from it;
sampling takes one pair per row and draws each row alone, so that a row's noise is the same whoever shares its batch.
Nothing here keeps state: the same seed gives the same draw in every process. Bits differ between a graph compiled by XLA and
one that is not, so exactness is promised within one of the two.
"""

import tensorflow as tf


def seed(value):
    """Makes a seed, int32 [2], from a Python integer."""
    value = int(value)
    return tf.constant([value & 0x7FFFFFFF, (value >> 31) & 0x7FFFFFFF], tf.int32)


def fold_in(seed, *data):
    """Derives the seed of (seed, data...): int32 [2] from int32 [2] and integers."""
    for item in data:
        seed = tf.random.fold_in(seed, item)
    return seed


def split(seed, num=2):
    """Splits one seed [2] into `num` independent ones, a tuple."""
    return tuple(tf.unstack(tf.random.split(seed, num), num))


def integers(seed, shape, maxval):
    """Draws int32 in 0..maxval-1 from one seed."""
    return tf.random.stateless_uniform(shape, seed, 0, maxval, tf.int32)


def rows(seed, num, start=0):
    """Derives one seed per row, int32 [num, 2], from one seed; row i does not depend on `num`."""
    return _rows(tf.convert_to_tensor(seed, tf.int32), tf.convert_to_tensor(num, tf.int32), tf.convert_to_tensor(start, tf.int32))


def fold_in_rows(seeds, *data):
    """Folds the same data into every row's seed: [batch, 2] -> [batch, 2]."""
    for item in data:  # one at a time: TensorFlow can't relax the traces of a function that is called with one item and then with two
        seeds = _fold_in_rows(seeds, tf.convert_to_tensor(item, tf.int32))
    return seeds


def normal_rows(seeds, shape):
    """Draws standard normals [batch, *shape], row i from `seeds[i]` alone."""
    return _normal_rows(seeds, tuple(shape))


def uniform_rows(seeds, shape, minval=0.0, maxval=1.0):
    """Draws uniforms on [minval, maxval) as [batch, *shape], row i from `seeds[i]` alone."""
    return _uniform_rows(seeds, tuple(shape), float(minval), float(maxval))


# Compiled, since a loop over the rows is slow in eager mode; inside a graph they become part of it.
_SEED = tf.TensorSpec([2], tf.int32)


@tf.function(reduce_retracing=True)
def _rows(seed, num, start):
    return tf.map_fn(lambda i: fold_in(seed, i), start + tf.range(num), fn_output_signature=_SEED)


@tf.function(reduce_retracing=True)
def _fold_in_rows(seeds, item):
    return tf.map_fn(lambda s: fold_in(s, item), seeds, fn_output_signature=_SEED)


@tf.function(reduce_retracing=True)
def _normal_rows(seeds, shape):
    return tf.map_fn(lambda s: tf.random.stateless_normal(shape, s), seeds, fn_output_signature=tf.TensorSpec(shape, tf.float32))


@tf.function(reduce_retracing=True)
def _uniform_rows(seeds, shape, minval, maxval):
    return tf.map_fn(lambda s: tf.random.stateless_uniform(shape, s, minval, maxval), seeds, fn_output_signature=tf.TensorSpec(shape, tf.float32))
