"""From stored examples to a model's domain: binarization, levels, dequantization and scaling.

Every one is a little arithmetic on a batch of stored examples, so that what is kept in memory is what is stored. Noise
is 15 bits an entry: a Bernoulli's probability is exact to 2^-16, and level + u (u the middle of its 2^-15 step) is
exact in float32 and never rounds up to the next level.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

UNIT = 1 << 15
FULL_SCALE = 1 << 15  # of 16-bit sound: a waveform is on [-1, 1)


class Encoding(NamedTuple):
    """finish: the function (x, bits) from a batch as stored to the model's; noisy: whether it needs bits (uint16 in
    0..2^15-1, x's shape)."""

    noisy: bool
    finish: Callable


def encoding_of(field, domain, mode=None):
    """Returns how a stored `Field` becomes what `domain` says, an `Encoding`; `mode`: of binary images, `stored`,
    `dynamic` or `threshold`."""
    levels = field.levels
    # x ~ Bernoulli(level / (levels - 1)): bits + 1/2 < level UNIT / (levels - 1), multiplied out to be exact in float32
    if mode == "dynamic":
        top = levels - 1.0
        return Encoding(True, lambda x, bits: tf.cast(tf.cast(bits, tf.float32) * top < tf.cast(x, tf.float32) * UNIT
                                                      - 0.5 * top, tf.float32))
    if mode == "threshold":  # level / (levels - 1) >= 1/2
        return Encoding(False, lambda x, bits: tf.cast(x >= levels // 2, tf.float32))
    if domain.kind == "levels":
        same = domain.levels == levels
        return Encoding(False, lambda x, bits: tf.cast(x, tf.int32) if same
                        else tf.cast(x, tf.int32) * domain.levels // levels)
    if domain.kind == "tokens":
        return Encoding(False, lambda x, bits: x)
    if domain.kind == "waveform":
        return Encoding(False, lambda x, bits: tf.cast(x, tf.float32) * (1.0 / FULL_SCALE))
    if mode == "stored" or field.kind in ("points", "strokes"):
        return Encoding(False, lambda x, bits: tf.cast(x, tf.float32))
    low, high = domain.range
    if domain.dequantized:  # low + (high - low) (level + u) / levels
        scale = (high - low) / levels
        return Encoding(True, lambda x, bits: low + scale
                        * (tf.cast(x, tf.float32) + (tf.cast(bits, tf.float32) + 0.5) * (1.0 / UNIT)))
    scale = (high - low) / (levels - 1)
    return Encoding(False, lambda x, bits: low + scale * tf.cast(x, tf.float32))
