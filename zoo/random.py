"""Seeds: randomness is an argument.

A seed is an int32 pair. Training folds the run seed, the step and the replica into one pair and draws a whole batch from it;
sampling takes one pair per row and draws each row alone, so that a row's noise is the same whoever shares its batch.
Nothing here keeps state: the same seed gives the same draw in every process.

What is derived here comes from blocks of the counter-based generator of `zoo.philox` at the counter (block, purpose, seed). That is one permutation
of 128 bits, so two seeds, two purposes or two blocks never give the same block. Words and uniforms are the same bits in eager mode, in a graph, in a
SavedModel and under XLA; normals agree to about 1e-6. Draws of a whole batch in a loss are TensorFlow's own (`tf.random.stateless_normal`): their
bits differ under XLA, so that exactness is promised there within one of the two.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo import philox

_DRAW, _FOLD, _SPLIT = range(3)  # purposes
_LONG = 8192  # entries: longer rows are read from the kernel one after the other, which is faster there
_SEED, _SEEDS, _INTEGER = tf.TensorSpec([2], tf.int32), tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([], tf.int32)
_INTEGERS, _SHAPE = tf.TensorSpec(None, tf.int32), tf.TensorSpec([None], tf.int32)


class Between(NamedTuple):
    """Seeds of rows whose normals lie on the way between those of two: cos(w pi / 2) eps_0 + sin(w pi / 2) eps_1, standard normal as these are.

    seeds0, seeds1: int32 [batch, 2]. weight: float32 [batch], on [0, 1]. `fold_in_rows` and `normal_rows` take them in the place of seeds; uniforms and words
    have no such path, and there is none.
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
    """Derives one seed per row, int32 [num, 2], from one seed: row i is `fold_in(seed, start + i)`, whatever `num` is; `start` is at least 0."""
    return _derive(_int32(seed), _FOLD, _int32(start), _int32(num))


def fold_in_rows(seeds, *data):
    """Folds the same data, or an integer for each row, into every row's seed, as `fold_in` does: [batch, 2] -> [batch, 2]."""
    if isinstance(seeds, Between):
        return seeds._replace(seeds0=fold_in_rows(seeds.seeds0, *data), seeds1=fold_in_rows(seeds.seeds1, *data))
    seeds = _int32(seeds)
    for item in data:
        seeds = _with_shape(_fold_in_rows(seeds, _int32(item)), seeds.shape)
    return seeds


def words_rows(seeds, number):
    """Draws words, all 32 bits of them uniform, as int32 [batch, number], row i from `seeds[i]` alone."""
    seeds = _int32(seeds)
    return _with_shape((_long_words if number > _LONG else _words)(seeds, number), [seeds.shape[0], number])


def normal_rows(seeds, shape):
    """Draws standard normals [batch, *shape], row i from `seeds[i]` alone; none is beyond 6.7."""
    if isinstance(seeds, Between):
        return seeds.blend(*(normal_rows(end, shape) for end in seeds[:2]))
    return _draw(_normals, _long_normals, seeds, tuple(shape))


def uniform_rows(seeds, shape, minval=0.0, maxval=1.0):
    """Draws uniforms on [minval, maxval) as [batch, *shape], row i from `seeds[i]` alone: 2^23 values, evenly spaced."""
    uniforms = _draw(_uniforms, _long_uniforms, seeds, tuple(shape))
    if (minval, maxval) == (0.0, 1.0):
        return uniforms
    below = tf.constant(np.nextafter(np.float32(maxval), np.float32(minval)))  # rounding may reach maxval
    return tf.minimum(minval + uniforms * (maxval - minval), below)


def _draw(short, long, seeds, shape):
    """What `short` or, for many entries, `long` draws; they are faster there, and agree."""
    seeds = _int32(seeds)
    if math.prod(shape) > _LONG:
        return _with_shape(long(seeds, shape), [seeds.shape[0], *shape])
    return _with_shape(short(seeds, tf.constant(shape, tf.int32)), [seeds.shape[0], *shape])


def _int32(value):
    return tf.cast(value, tf.int32)


def _with_shape(x, shape):
    x.set_shape(shape)
    return x


# Compiled once for all shapes: a graph that calls them is traced fast, and eager mode pays for one operation each.


@tf.function(input_signature=[_SEED, _INTEGER])
def _fold_in(seed, item):
    return philox.stream(seed, _FOLD, item, 2)


@tf.function(input_signature=[_SEED, _INTEGER, _INTEGER, _INTEGER])
def _derive(seed, purpose, start, num):
    """The first two words of the blocks start..start+num-1 of one seed, [num, 2]."""
    return tf.reshape(philox.stream(seed, purpose, start, 4 * num), [num, 4])[:, :2]


@tf.function(input_signature=[_SEEDS, _INTEGERS])
def _fold_in_rows(seeds, item):
    return tf.transpose(philox.at_once(seeds, _FOLD, tf.reshape(item, [-1]), 2))


@tf.function(input_signature=[_SEEDS, _INTEGER])
def _words(seeds, number):
    return tf.transpose(philox.at_once(seeds, _DRAW, [0], number))


@tf.function(input_signature=[_SEEDS, _SHAPE])
def _normals(seeds, shape):
    size = tf.reduce_prod(shape)
    normals = _box_muller(philox.at_once(seeds, _DRAW, [0], size + size % 2), axis=0)[:size]  # [size, batch]
    return tf.reshape(tf.transpose(normals), tf.concat([tf.shape(seeds)[:1], shape], 0))


@tf.function(input_signature=[_SEEDS, _SHAPE])
def _uniforms(seeds, shape):
    uniforms = _fractions(philox.at_once(seeds, _DRAW, [0], tf.reduce_prod(shape)))  # [size, batch]
    return tf.reshape(tf.transpose(uniforms), tf.concat([tf.shape(seeds)[:1], shape], 0))


# Long rows, each shape compiled alone.


@tf.function(reduce_retracing=True)
def _long_words(seeds, number):
    return philox.in_turn(seeds, _DRAW, number)


@tf.function(reduce_retracing=True)
def _long_normals(seeds, shape):
    size = math.prod(shape)
    normals = _box_muller(philox.in_turn(seeds, _DRAW, size + size % 2), axis=1)[:, :size]
    return tf.reshape(normals, [tf.shape(seeds)[0], *shape])


@tf.function(reduce_retracing=True)
def _long_uniforms(seeds, shape):
    return tf.reshape(_fractions(philox.in_turn(seeds, _DRAW, math.prod(shape))), [tf.shape(seeds)[0], *shape])


def _box_muller(words, axis):
    """G. E. P. Box, M. E. Muller, A Note on the Generation of Random Normal Deviates, 1958: r cos(a) and r sin(a) with r^2 = -2 log u."""
    radius, angle = tf.split(tf.cast(words, tf.float32), 2, axis)  # of integers in [-2^31, 2^31)
    radius = tf.sqrt(-2.0 * tf.math.log(tf.abs(radius + 0.5) * 2.0**-31))  # of u in [2^-32, 1], as fine as float32 is near 0
    angle *= math.pi * 2.0**-31
    return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis)


def _fractions(words):
    """The first 23 bits of each word over 2^23: exact, and never 1."""
    first = tf.bitwise.right_shift(tf.bitcast(words, tf.uint32), tf.constant(9, tf.uint32))
    return tf.cast(tf.bitcast(first, tf.int32), tf.float32) * 2.0**-23
