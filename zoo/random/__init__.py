"""Seeds: randomness is an argument.

A seed is an int32 pair. Training folds the run seed, the step and the replica into one pair and draws a whole batch
from it; sampling takes one pair per row and draws each row alone, so that a row's noise is the same whoever shares its
batch. Nothing here keeps state: the same seed gives the same draw in every process.

What is derived here comes from blocks of the counter-based generator of `zoo.random.philox` at the counter (block,
purpose, seed). That is one permutation of 128 bits, so two seeds, two purposes or two blocks never give the same block.
Words and uniforms are the same bits in eager mode, in a graph, in a SavedModel and under XLA; normals agree to about
1e-6. Draws of a whole batch in a loss are TensorFlow's own (`tf.random.stateless_normal`): their bits differ under XLA,
so that exactness is promised there within one of the two.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.random import philox

_DRAW, _FOLD, _SPLIT = range(3)  # purposes
_LONG = 8192  # entries: longer rows are read from the kernel one after the other, which is faster there
_SEED, _INTEGER = tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.int32)


class Between(NamedTuple):
    """Seeds of rows whose normals lie on the way between those of two: cos(w pi / 2) eps_0 + sin(w pi / 2) eps_1,
    standard normal as these are.

    seeds0, seeds1: int32 [batch, 2]. weight: float32 [batch], on [0, 1]. `fold_in_rows` and `normal_rows` take them in
    the place of seeds; uniforms and words have no such path, and there is none.
    """

    seeds0: tf.Tensor
    seeds1: tf.Tensor
    weight: tf.Tensor

    def blend(self, eps_0, eps_1):
        """The normals between two draws, [batch, ...]."""
        angle = tf.reshape(0.5 * math.pi * tf.cast(self.weight, tf.float32), [-1] + [1] * (eps_0.shape.rank - 1))
        return tf.sin(0.5 * math.pi - angle) * eps_0 + tf.sin(angle) * eps_1  # exact at both ends, as a cosine is not


def seed(value):
    """Makes a seed, int32 [2], from a Python integer."""
    value = int(value)
    return tf.constant([value & 0x7FFFFFFF, (value >> 31) & 0x7FFFFFFF], tf.int32)


def fold_in(seed, *data):
    """Derives the seed of (seed, data...): int32 [2] from int32 [2] and integers, of which the low 32 bits count."""
    seed = _int32(seed)
    for item in data:
        seed = _fold_in(seed, _int32(item))
    return seed


def split(seed, num=2):
    """Splits one seed [2] into `num` independent ones, a tuple."""
    return tuple(tf.unstack(_derive(_int32(seed), _SPLIT, 0, num), num))


def integers(seed, shape, maxval):
    """Draws int32 in 0..maxval-1 from one seed."""
    return tf.random.stateless_uniform(shape, seed, 0, maxval, tf.int32)


def rows(seed, num, start=0):
    """Derives one seed per row, int32 [num, 2], from one seed: row i is `fold_in(seed, start + i)`, with start >= 0."""
    return _derive(_int32(seed), _FOLD, _int32(start), _int32(num))


def fold_in_rows(seeds, *data):
    """Folds the same data, or an integer for each row, into every row's seed, as `fold_in`: [batch, 2]."""
    if isinstance(seeds, Between):
        return seeds._replace(seeds0=fold_in_rows(seeds.seeds0, *data), seeds1=fold_in_rows(seeds.seeds1, *data))
    seeds = _int32(seeds)
    for item in data:
        seeds = _fold_in_rows(seeds, tf.reshape(_int32(item), [-1]))
    return seeds


def words_rows(seeds, number):
    """Draws words, all 32 bits of them uniform, as int32 [batch, number], row i from `seeds[i]` alone."""
    return _words_rows(_int32(seeds), int(number))


def normal_rows(seeds, shape):
    """Draws standard normals [batch, *shape], row i from `seeds[i]` alone; none is beyond 6.7."""
    if isinstance(seeds, Between):
        return seeds.blend(*(normal_rows(end, shape) for end in seeds[:2]))
    return _normal_rows(_int32(seeds), tuple(shape))


def uniform_rows(seeds, shape, minval=0.0, maxval=1.0):
    """Draws uniforms on [minval, maxval), one of 2^23 values each, as [batch, *shape], row i from `seeds[i]` alone."""
    return _uniform_rows(_int32(seeds), tuple(shape), float(minval), float(maxval))


def _int32(value):
    return tf.cast(value, tf.int32)


# Compiled, since many small operations are slow in eager mode; inside a graph they become part of it.


@tf.function(input_signature=[_SEED, _INTEGER])
def _fold_in(seed, item):
    return philox.stream(seed, _FOLD, item, 2)


@tf.function(input_signature=[_SEED, _INTEGER, _INTEGER, _INTEGER])
def _derive(seed, purpose, start, num):
    """The first two words of the blocks start..start+num-1 of one seed, [num, 2]."""
    return tf.reshape(philox.stream(seed, purpose, start, 4 * num), [num, 4])[:, :2]


@tf.function(reduce_retracing=True)
def _fold_in_rows(seeds, items):
    return tf.transpose(philox.at_once(seeds, _FOLD, items, 2))


def _by_rows(transform, seeds, number):
    """transform(words, axis) of `number` words of each seed's draws, each row's along the axis: [batch, entries]."""
    if number > _LONG:
        return transform(philox.in_turn(seeds, _DRAW, number), 1)
    return tf.transpose(transform(philox.at_once(seeds, _DRAW, 0, number), 0))


@tf.function(reduce_retracing=True)
def _words_rows(seeds, number):
    return _by_rows(lambda words, axis: words, seeds, number)


@tf.function(reduce_retracing=True)
def _normal_rows(seeds, shape):
    size = math.prod(shape)
    return tf.reshape(_by_rows(_box_muller, seeds, size + size % 2)[:, :size], [tf.shape(seeds)[0], *shape])


@tf.function(reduce_retracing=True)
def _uniform_rows(seeds, shape, minval, maxval):
    uniforms = tf.reshape(_by_rows(_fractions, seeds, math.prod(shape)), [tf.shape(seeds)[0], *shape])
    if (minval, maxval) == (0.0, 1.0):
        return uniforms
    below = tf.constant(np.nextafter(np.float32(maxval), np.float32(minval)))  # rounding may reach maxval
    return tf.minimum(minval + uniforms * (maxval - minval), below)


def _box_muller(words, axis):
    """r cos(a) and r sin(a) with r^2 = -2 log u (G. E. P. Box, M. E. Muller, A Note on the Generation of Random Normal
    Deviates, 1958)."""
    radius, angle = tf.split(tf.cast(words, tf.float32), 2, axis)  # of integers in [-2^31, 2^31)
    u = tf.abs(radius + 0.5) * 2.0**-31  # in [2^-32, 1], and near 0 as fine as float32 is there
    radius = tf.sqrt(-2.0 * tf.math.log(u))
    angle *= math.pi * 2.0**-31
    return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis)


def _fractions(words, axis):
    """The first 23 bits of each word over 2^23: exact, and never 1."""
    first = tf.bitwise.right_shift(tf.bitcast(words, tf.uint32), tf.constant(9, tf.uint32))
    return tf.cast(tf.bitcast(first, tf.int32), tf.float32) * 2.0**-23
