"""What Keras's `fit` is given, as batches for a game: arrays become a pipeline that gathers shuffled rows in the graph, and a stream of batches is cut into steps."""

import numpy as np
import tensorflow as tf

from zoo import random

_ORDER = -4  # folded into the run's seed, apart from every step's


def is_array(x):
    """Whether x is an array, or a tuple, list or dictionary of some, as one batch may be."""
    return bool(tf.nest.flatten(x)) and all(isinstance(part, (np.ndarray, tf.Tensor)) and len(part.shape) > 0 for part in tf.nest.flatten(x))


def rows(x):
    """How many rows arrays have. Raises ValueError where they differ."""
    sizes = sorted({int(part.shape[0]) for part in tf.nest.flatten(x)})
    if len(sizes) > 1:
        raise ValueError(f"x: the arrays of a batch need as many rows each, found {' and '.join(map(str, sizes))}.")
    return sizes[0]


def part(x, start, stop):
    """Rows start to stop of arrays."""
    return tf.nest.map_structure(lambda t: t[start:stop], x)


def fitting_kind(x, spec):
    """Arrays as tensors of the specification's width, where they are of its kind: numbers of 64 bits are what NumPy makes by itself."""
    def convert(array, spec):
        t = tf.convert_to_tensor(array)
        same = (t.dtype.is_floating and spec.dtype.is_floating) or (t.dtype.is_integer and spec.dtype.is_integer)
        return tf.cast(t, spec.dtype) if same else t

    return tf.nest.map_structure(convert, x, spec)


def array_batches(x, size, shuffle, seed):
    """Batches of `size` rows of tensors, epoch after epoch without end, the last batch of each smaller; the order follows from (seed, epoch)."""
    num = rows(x)
    batches = -(-num // size)

    def order(epoch):
        if not shuffle:
            return tf.range(num)
        return tf.argsort(tf.random.stateless_uniform([num], random.fold_in(seed, _ORDER, tf.cast(epoch, tf.int32)), None, None, tf.int64))

    def cut(order):
        return tf.data.Dataset.range(batches).map(lambda i: order[i * size:(i + 1) * size])

    indices = tf.data.Dataset.range(np.iinfo(np.int32).max).map(order).prefetch(1).flat_map(cut)
    found = indices.map(lambda index: tf.nest.map_structure(lambda t: tf.gather(t, index), x), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return found.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)).prefetch(2)


def steps_of(batches, moves, steps):
    """(endless batches, steps of an epoch) where a step takes several batches of a `tf.data.Dataset`.

    Args:
        batches: the set. moves: batches of a step. steps: of an epoch, where that was said; None: as many as the set has batches for, at least one.

    Raises:
        ValueError: where neither is known.
    """
    num = int(batches.cardinality())
    if steps is None:
        if num < 0:
            raise ValueError(f"steps_per_epoch: a step of this model takes {moves} batches, and the set does not know how many it has; say how many steps an epoch has.")
        steps = max(1, num // moves)
    return batches if num == tf.data.INFINITE_CARDINALITY else batches.repeat(), steps
