"""What Keras's `fit` is given, as batches for a game: arrays become a pipeline that gathers shuffled rows in the
graph, and a stream of batches is cut into steps.
"""

import numpy as np
import tensorflow as tf

from zoo import checks, random

_ORDER, _PARTNERS = -4, -5  # folded into the run's seed, apart from every step's


def is_array(x):
    """Returns whether x is an array, or a tuple, list or dictionary of some, as one batch may be."""
    parts = tf.nest.flatten(x)
    return bool(parts) and all(isinstance(part, (np.ndarray, tf.Tensor)) and len(part.shape) > 0 for part in parts)


def checked(domain, batch):
    """Checks and casts a batch, or whole arrays, of what the domain declares, as public methods take it (images as
    uint8, without a channel). Raises ValueError for anything else.
    """
    x, condition, partner = domain.split(batch)
    x = checks.example(domain, x)
    if partner is not None:
        partner = checks.example(domain.partner, partner, "partner")
    return domain.join(x, checks.condition(domain, condition, checks.num_rows(x)), partner)


def held_out(domain, batch, share):
    """Returns (the first rows, the last `share` of them) of arrays; of a partner's own rows likewise."""
    x, condition, partner = domain.split(batch)

    def part(last):
        def cut(t):
            if t is None:
                return None
            kept = int(len(t) * (1.0 - share))
            return t[kept:] if last else t[:kept]

        return domain.join(*tf.nest.map_structure(cut, (x, condition, partner)))

    return part(False), part(True)


def _orders(num, shuffle, seed):
    """Makes a stream of the rows 0..num-1 of epoch after epoch, each in an order that follows from (seed, epoch)."""
    def order(epoch):
        if not shuffle:
            return tf.range(num)
        folded = random.fold_in(seed, _ORDER, tf.cast(epoch, tf.int32))
        return tf.argsort(tf.random.stateless_uniform([num], folded, None, None, tf.int64))

    return tf.data.Dataset.range(np.iinfo(np.int32).max).map(order).prefetch(1)


def num_batches(arrays, size, replicas=1):
    """Counts (batches of an epoch, rows that are in them): all, but for the fewer than `replicas` that would leave some
    replica without one.
    """
    num = int(tf.nest.flatten(arrays)[0].shape[0])
    used = num - num % size % replicas
    if not used:
        raise ValueError(f"x: {num} rows are too few for {replicas} replicas.")
    return -(-used // size), used


def array_batches(domain, arrays, size, shuffle, seed, replicas=1):
    """Makes batches of `size` rows of tensors, epoch after epoch without end, the last batch of each smaller; the order
    follows from (seed, epoch).

    A partner's rows have an order of their own, and its epochs end where they end. Raises ValueError where there are
    fewer rows than replicas.
    """
    x, condition, partner = domain.split(arrays)
    batches, used = num_batches(arrays, size, replicas)

    def cut(order):
        shape = [None if used % size else size]  # known where it can be: a graph of known shapes is quicker
        rows = order[:used]
        return tf.data.Dataset.range(batches).map(lambda i: tf.ensure_shape(rows[i * size:(i + 1) * size], shape))

    indices = _orders(int(x.shape[0]), shuffle, seed).flat_map(cut)
    partners = indices
    if partner is not None:
        partners = _orders(int(partner.shape[0]), shuffle, random.fold_in(seed, _PARTNERS)).rebatch(size)

    def gather(own, other):
        found = tf.nest.map_structure(lambda t: None if t is None else tf.gather(t, own), (x, condition))
        return domain.join(*found, None if partner is None else tf.gather(partner, other[:tf.shape(own)[0]]))

    found = tf.data.Dataset.zip(indices, partners).map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return found.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)).prefetch(2)


def once(domain, arrays, size):
    """Makes batches of the rows of tensors in their order, once."""
    return array_batches(domain, arrays, size, False, random.seed(0)).take(num_batches(arrays, size)[0])


def steps_of(batches, moves, steps):
    """Returns (endless batches, steps of an epoch) where a step takes several batches of a `tf.data.Dataset`.

    Args:
        batches: the set. moves: batches of a step. steps: of an epoch, where that was said; None: as many as the set
            has batches for, at least one.

    Raises:
        ValueError: where neither is known.
    """
    num = int(batches.cardinality())
    if steps is None:
        if num < 0:
            raise ValueError(f"steps_per_epoch: a step of this model takes {moves} batches, and the set does not know "
                             "how many it has; say how many steps an epoch has.")
        steps = max(1, num // moves)
    return batches if num == tf.data.INFINITE_CARDINALITY else batches.repeat(), steps
