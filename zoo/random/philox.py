"""Philox-4x32-10: four random words from a counter of four words, by ten rounds of multiplications and exclusive ors.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011. A counter here
is (block, purpose, seed, seed) and the key is fixed, so a block is a permutation of where it stands: nothing is kept
between draws, and no two places share a block.

`stream` reads consecutive blocks of one seed from TensorFlow's kernel. Those of many seeds are computed `at_once` by
operations of the graph, or read `in_turn` from the kernel. All give the same bits, in a graph, in a SavedModel and
under XLA.
"""

import numpy as np
import tensorflow as tf

KEY = (0x243F6A88, 0x85A308D3)  # the first binary digits of pi's fraction
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)  # what the key grows by in each round: of the golden ratio and of sqrt(3)
_ROUNDS = 10
_ALGORITHM = 1  # Philox, in tf.random's numbering
_SEEDS, _MATRIX = tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([None, None], tf.int32)


def stream(seed, purpose, start, number, key=KEY):
    """Words of the blocks start, start + 1, ... of one seed, as int32 [number].

    Args:
        seed: int32 [2].
        purpose: integer, the counter's second word.
        start: integer, the counter's first word.
        number: of words, an integer or an int32 scalar.
        key: two integers below 2^32.
    """
    return _kernel(_counters(tf.reshape(start, [1]), purpose, seed[None])[0], number, key)


def _counters(start, purpose, seeds):
    """uint64 [batch, 2] of start [batch] and seeds [batch, 2]."""
    place = tf.stack([start, tf.fill(tf.shape(start), purpose)], axis=1)
    return tf.bitcast(tf.stack([place, seeds], axis=1), tf.uint64)


def _kernel(counter, number, key=KEY):
    # NOTE: the key by way of an array: a list of large and small integers becomes float64 on its way into a graph.
    key = np.array([key[0] | key[1] << 32], np.uint64)
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.reshape(number, [1]), key=key, counter=counter, alg=_ALGORITHM, dtype=tf.int32)


def rounds(counter, key=KEY):
    """The blocks at these counters: four int32 tensors, of the shape that the counter's four broadcast to."""
    counter = [tf.bitcast(word, tf.uint32) for word in counter]
    multipliers = [tf.constant(multiplier, tf.uint64) for multiplier in _MULTIPLIERS]
    for number in range(_ROUNDS):
        round_key = [tf.constant((word + number * weyl) % 2**32, tf.uint32) for word, weyl in zip(key, _WEYL)]
        counter = _round(counter, round_key, multipliers)
    return [tf.bitcast(word, tf.int32) for word in counter]


def _round(counter, key, multipliers):
    """(c0, c1, c2, c3) -> (high(m1 c2) ^ c1 ^ k0, low(m1 c2), high(m0 c0) ^ c3 ^ k1, low(m0 c0))."""
    (low_0, high_0), (low_1, high_1) = (_product(word, m) for word, m in zip(counter[::2], multipliers))
    xor = tf.bitwise.bitwise_xor
    return xor(xor(high_1, counter[1]), key[0]), low_1, xor(xor(high_0, counter[3]), key[1]), low_0


def _product(word, multiplier):
    """(low, high) 32 bits of word * multiplier: halves of 64 bits are split, several times as fast as shifts."""
    return tf.unstack(tf.bitcast(tf.cast(word, tf.uint64) * multiplier, tf.uint32), 2, axis=-1)


def at_once(seeds, purpose, start, number):
    """`stream` of each seed as int32 [number, batch], by operations of the graph over all of them: the batch comes
    last, where copies are of many entries.

    Args:
        seeds: int32 [batch, 2].
        purpose: integer.
        start: an integer for all rows, or int32 [batch].
        number: of words, a Python integer.
    """
    if seeds.shape[0] == 1:  # as is known where a single row is asked for eagerly; it costs little more than the call
        return stream(seeds[0], purpose, start, number)[:, None]
    first = start + tf.range(-(-number // 4))[:, None]
    words = tf.transpose(_blocks(first, [[purpose]], seeds), [1, 0, 2])  # [blocks, 4, batch]
    return tf.reshape(words, [-(-number // 4) * 4, tf.shape(seeds)[0]])[:number]


def in_turn(seeds, purpose, number):
    """`stream` from block 0 of each seed as int32 [batch, number], by a loop over rows: faster for long ones."""
    counters = _counters(tf.zeros_like(seeds[:, 0]), purpose, seeds)
    spec = tf.TensorSpec([number], tf.int32)
    return tf.map_fn(lambda counter: _kernel(counter, number), counters, fn_output_signature=spec)


# Compiled once for all shapes: traced anew in each graph, the rounds would cost a tenth of a second there.
@tf.function(input_signature=[_MATRIX, _MATRIX, _SEEDS])
def _blocks(first, purpose, seeds):
    """The words of the blocks (first, purpose) of each seed, [4, n, batch]: copies are of many entries."""
    return tf.stack(rounds([first, purpose, seeds[None, :, 0], seeds[None, :, 1]]))
