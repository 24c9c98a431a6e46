"""Orders of places: which permutation a model draws them in, and which of them come first.

An order is a permutation of the places' row-major numbers. Models that are ensembles over orders derive them from
integers alone, so that a model that is loaded again has the orders that it was trained with.
"""

import numpy as np
import tensorflow as tf


def check(order, size):
    """Returns `raster`, `reversed` (the last place first), or any permutation of 0..size-1, as an array. Raises
    ValueError if it is none of them."""
    if isinstance(order, str):
        if order not in ("raster", "reversed"):
            raise ValueError(f"order must be 'raster', 'reversed' or a permutation of 0..{size - 1}, found {order!r}.")
        return np.arange(size)[:: -1 if order == "reversed" else 1]
    found = np.asarray(order)
    if found.shape != (size,) or found.dtype.kind not in "iu" or not np.array_equal(np.sort(found), np.arange(size)):
        raise ValueError(f"order: this is no permutation of 0..{size - 1}: {np.array2string(found, threshold=8)}.")
    return found


def permutation(size, *key):
    """Returns a permutation of 0..size-1, drawn from the integers `key`: the same in every process and version (NumPy's
    frozen generator)."""
    return np.random.RandomState(key).permutation(size)


def positions(order):
    """Returns the inverse permutation: where in the order each place comes, [..., size], from 0."""
    return np.argsort(order, axis=-1)


def known_first(orders, known):
    """Returns each row's order [batch, size] with its known places (bool [batch, size], by place) first, else as it
    was."""
    late = tf.cast(~tf.gather(known, orders, batch_dims=1), tf.int32)
    return tf.gather(orders, tf.argsort(late, axis=1, stable=True), batch_dims=1)


def random_subsets(seed, sizes, size):
    """Draws from 0..size-1 a uniformly random subset of `sizes[b]` members for each row b: bool [batch, size]."""
    words = tf.random.stateless_uniform([tf.shape(sizes)[0], size], seed, None, None, tf.int32)
    ranks = tf.argsort(tf.argsort(words, axis=1, stable=True), axis=1, stable=True)
    return ranks < sizes[:, None]


def entries(order, channels):
    """Returns the order of places (pixels) [..., n] as one of entries [..., n * channels], a place's channels one after
    another."""
    order = np.asarray(order)
    return (order[..., None] * channels + np.arange(channels)).reshape(*order.shape[:-1], -1)
