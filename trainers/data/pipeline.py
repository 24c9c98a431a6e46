"""Batches: number n of a run is a function of (seed, n), and a worker's batch is its rows of the one-worker batch, noise included.

Position p = n batch_size + row of the endless stream of examples lies in epoch p // size; epoch e visits every example once, in an order made from
(seed, e). Batches run across the epochs' borders. A set that fits in memory is decoded once, and a batch is a gather at shuffled indices; a larger one
is read as a stream of records that are shuffled before they are decoded, and a resumed run skips records, not images.
"""

import hashlib
import math

import numpy as np
import tensorflow as tf

from trainers.data.domain import UNIT, check, encoding
from trainers.errors import BadInput

CACHE_BYTES = 4 << 30
PART = 1 << 20  # examples of an epoch that are put in order together
PHILOX = 1
MASK = np.uint32(0x7FFF7FFF)  # two numbers of 15 bits a word


def key(seed, purpose):
    """Philox's key, int32 [2], a function of (seed, purpose)."""
    return np.frombuffer(hashlib.shake_256(f"{purpose} {int(seed)}".encode()).digest(8), "<i4").copy()


def noise(key, number, first, rows, shape):
    """15-bit noise, uint16 [rows, *shape], of rows first, first + 1, ... of batch `number`; a row's noise depends on nothing else.

    Philox is a function of (key, counter): each row owns a stretch of the counter, so any rows are drawn by one operation from where they start.
    """
    size = math.prod(shape)
    blocks = -(-size // 8)  # one step of the counter gives four words, eight entries
    counter = tf.stack([tf.cast(first, tf.uint64) * np.uint64(blocks), tf.cast(number, tf.uint64)])
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(shape=tf.stack([rows * blocks * 4]), key=key.view(np.uint64), counter=counter, alg=PHILOX,
                                                       dtype=tf.uint32)
    bits = tf.reshape(tf.bitcast(tf.bitwise.bitwise_and(words, MASK), tf.uint16), [rows, blocks * 8])
    return tf.reshape(bits if size == blocks * 8 else bits[:, :size], [rows, *shape])


def permutation(size, key, epoch, block=0):
    """A permutation of 0..size-1, int64, that is a function of (key, epoch, block): the order of as many random numbers of 64 bits."""
    counter = tf.cast(tf.stack([tf.cast(block, tf.int64) * (1 << 32), tf.cast(epoch, tf.int64)]), tf.uint64)
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(shape=tf.stack([size]), key=key.view(np.uint64), counter=counter, alg=PHILOX, dtype=tf.int64)
    return tf.cast(tf.argsort(words), tf.int64)


def visits(size, position, key):
    """Which examples are visited from `position` of the endless stream on: a `tf.data.Dataset` of the rest of a part of an epoch each, int64.

    An epoch of more than a million examples, as windows of a long text are, comes in equal parts: part p has every parts-th example from p on.
    """
    parts = -(-size // PART)
    ends = np.cumsum([len(range(part, size, parts)) for part in range(parts)])
    first = position // size * parts + int(np.searchsorted(ends, position % size, side="right"))
    done = position % size - int(np.append(0, ends)[first % parts])

    def rest(number):
        epoch, part = number // parts, number % parts
        order = part + parts * permutation((size - part + parts - 1) // parts, key, epoch, part)
        return order[tf.where(number == first, np.int64(done), 0):]

    return tf.data.Dataset.range(first, np.iinfo(np.int64).max).map(rest).prefetch(1)


def training_batches(dataset, domain, batch_size, seed, data_config, start=0, worker=0, workers=1, steps=None, cache_bytes=CACHE_BYTES):
    """This worker's batches number start, start + 1, ... of the run `seed`, a `tf.data.Dataset` of x or (x, condition).

    Args:
        dataset, domain: what is stored, and what the model reads.
        batch_size: of the global batch; each of the `workers` gets as many of its rows, worker 0 the first ones.
        seed: integer.
        data_config: mapping with `binarization` (`auto`, `dynamic`, `threshold`, `stored`; `auto` if missing).
        start: number of the first batch.
        steps: how many batches; None for no end.
        cache_bytes: what a split's decoded examples may take of memory; a larger split is read as a stream.

    Raises:
        BadInput: if the model can't read the data set, or `batch_size` is not a positive multiple of `workers`.
    """
    check(dataset, domain, data_config)
    if batch_size < 1 or batch_size % workers:
        near = max(1, round(batch_size / workers)) * workers
        raise BadInput(f"--batch_size={batch_size}: a positive multiple of the {workers} workers is needed; the nearest is {near}.")
    how = encoding(dataset, domain, data_config)
    rows, first = batch_size // workers, worker * (batch_size // workers)
    order, noise_key = key(seed, "order"), key(seed, "noise")
    numbers = tf.data.Dataset.range(start, np.iinfo(np.int64).max if steps is None else start + steps)

    def finish(number, x, labels):
        bits = noise(noise_key, number, first, rows, dataset.shape) if how.noisy else None
        labels = tf.ensure_shape(labels, (rows, *(dataset.features or ())))
        return _element(domain, how.finish(tf.ensure_shape(x, (rows, *dataset.shape)), bits), labels)

    if dataset.fits("train", cache_bytes):
        num, pick = dataset.picks()
        indices = visits(num, start * batch_size, order).rebatch(batch_size)

        def batch(number, index):
            return finish(number, *pick(index[first:first + rows]))

        batches = tf.data.Dataset.zip(numbers, indices).map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    else:
        records = dataset.source.stream("train", start * batch_size, order)
        mine = records.enumerate().filter(lambda i, _: (i % batch_size >= first) & (i % batch_size < first + rows))
        examples = mine.map(lambda _, record: _decoded(dataset, record), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        batches = tf.data.Dataset.zip(numbers, examples.batch(rows, drop_remainder=True)).map(lambda number, example: finish(number, *example))
    return batches.with_options(_options()).prefetch(2)


def evaluation_batches(dataset, split, domain, batch_size, seed, data_config, limit=None, cache_bytes=CACHE_BYTES):
    """Once through a split in stored order, the last batch smaller; an example's noise is a function of (seed, its index).

    Args: as of `training_batches`; `limit`: how many examples at most, None for all.
    """
    check(dataset, domain, data_config)
    if batch_size < 1 or (limit is not None and limit < 1):
        raise BadInput(f"batch size {batch_size} and limit {limit}: at least 1 is needed.")
    size, how = dataset.require(split), encoding(dataset, domain, data_config)
    size = size if limit is None else min(size, limit)
    noise_key = key(seed, f"evaluation {split}")
    if dataset.fits(split, cache_bytes):
        x, labels = dataset.tensors(split)
        batches = tf.data.Dataset.range(0, size, batch_size).map(
            lambda first: (x[first:tf.minimum(first + batch_size, size)], labels[first:tf.minimum(first + batch_size, size)]))
    else:
        records = dataset.source.records(split).take(size)
        batches = records.map(lambda record: _decoded(dataset, record), num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)

    def finish(number, example):
        x, labels = example
        bits = noise(noise_key, 0, number * batch_size, tf.shape(x)[0], dataset.shape) if how.noisy else None
        return _element(domain, how.finish(tf.ensure_shape(x, (None, *dataset.shape)), bits), labels)

    return batches.enumerate().map(finish).with_options(_options()).prefetch(2)


def _decoded(dataset, record):
    x, label = dataset.source.decode(record)
    return tf.ensure_shape(x, dataset.shape), label


def _element(domain, x, labels):
    """x, with its label or, for a model of features, these: x where it is given, the data set's, or the label's indicator vector."""
    if domain.given is not None:
        return x, tf.where(domain.given[..., None], tf.cast(x, tf.float32), -1.0)
    if domain.features:
        return x, labels if labels.dtype == tf.float32 else tf.one_hot(labels, domain.features[0])
    return (x, labels) if domain.classes else x


def _options():
    """Each worker makes its own rows, so tf.distribute must not shard again; the order is part of the promise."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    return options
