"""Batches: number n of a run is a function of (seed, n), and a worker's batch is its rows of the one-worker batch,
noise included.

A record is a dictionary of fields; of these a batch reads what the domain asks for: x, or groups of it, and what its
condition is made of. A partner's examples are a stream of their own, in an order of its own.

Position p = n batch_size + row of the endless stream of examples lies in epoch p // size; epoch e visits every example
once, in an order made from (seed, e). Batches run across the epochs' borders. A set that fits in memory is decoded
once, and a batch is a gather at shuffled indices; a larger one is read as a stream of records that are shuffled before
they are decoded, and a resumed run skips records, not images.
"""

import hashlib
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from trainers.data import conditions, groups
from trainers.data.domain import check, config_of_partner, encoding
from trainers.errors import BadInput
from zoo.domain import split_batch

CACHE_BYTES = 4 << 30
PART = 1 << 20  # examples of an epoch that are put in order together
PHILOX = 1
MASK = np.uint32(0x7FFF7FFF)  # two numbers of 15 bits a word


def key(seed, purpose):
    """Makes Philox's key, int32 [2], a function of (seed, purpose)."""
    return np.frombuffer(hashlib.shake_256(f"{purpose} {int(seed)}".encode()).digest(8), "<i4").copy()


def noise(key, number, first, rows, shape):
    """Draws 15-bit noise, uint16 [rows, *shape], of rows first, first + 1, ... of batch `number`; a row's noise depends
    on nothing else.

    Philox is a function of (key, counter): each row owns a stretch of the counter, so any rows are drawn by one
    operation from where they start.
    """
    size = math.prod(shape)
    blocks = -(-size // 8)  # one step of the counter gives four words, eight entries
    counter = tf.stack([tf.cast(first, tf.uint64) * np.uint64(blocks), tf.cast(number, tf.uint64)])
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(shape=tf.stack([rows * blocks * 4]), key=key.view(np.uint64),
                                                       counter=counter, alg=PHILOX, dtype=tf.uint32)
    bits = tf.reshape(tf.bitcast(tf.bitwise.bitwise_and(words, MASK), tf.uint16), [rows, blocks * 8])
    return tf.reshape(bits if size == blocks * 8 else bits[:, :size], [rows, *shape])


def permutation(size, key, epoch, block=0):
    """Draws a permutation of 0..size-1, int64, that is a function of (key, epoch, block): the order of as many random
    numbers of 64 bits."""
    counter = tf.cast(tf.stack([tf.cast(block, tf.int64) * (1 << 32), tf.cast(epoch, tf.int64)]), tf.uint64)
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(shape=tf.stack([size]), key=key.view(np.uint64), counter=counter,
                                                       alg=PHILOX, dtype=tf.int64)
    return tf.cast(tf.argsort(words), tf.int64)


def visits(size, position, key):
    """Returns which examples are visited from `position` of the endless stream on: a `tf.data.Dataset` of the rest of a
    part of an epoch each, int64.

    An epoch of more than a million examples, as windows of a long text are, comes in equal parts: part p has every
    parts-th example from p on.
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


class _Reader:
    """What a model reads of a data set: which fields, and how a batch of them as stored becomes x and its condition."""

    def __init__(self, dataset, domain, data_config, cache_bytes):
        self.dataset, self.domain = dataset, domain
        self.cache_bytes = cache_bytes
        self._encoding, self._readings = encoding(dataset, domain, data_config), conditions.readings(dataset, domain)
        grouping = ["label"] if domain.group else []
        self.names = list(dict.fromkeys(["x", *grouping, *conditions.names(self._readings)]))

    def kept(self, split):
        """Tells whether what is read of a split is kept in memory. Raises BadInput where it must be and is too
        large."""
        kept = self.dataset.fits(split, self.cache_bytes, self.names)
        if self.domain.group and not kept:
            size, most = self.dataset.nbytes(split, self.names) >> 20, self.cache_bytes >> 20
            raise BadInput(f"--dataset={self.dataset.name}: split {split!r} takes {size} MiB, and groups of one label "
                           "are formed of "
                           f"at most {most} in memory; take smaller images or fewer of them.")
        return kept

    def finish(self, record, rows, noise_of):
        """Returns x, or (x, condition), of a batch of `rows` examples; `noise_of(shape)`: their noise."""
        shapes = {name: (rows, *self.domain.grouped, *self.dataset.fields[name].shape) for name in self.names}
        record = {name: tf.ensure_shape(record[name], shapes[name]) for name in self.names}
        bits = noise_of(shapes["x"][1:]) if self._encoding.noisy else None
        x = self._encoding.finish(record["x"], bits)
        if self._readings is None:
            return x
        record["x"] = x  # what is known of an example is as the model reads it
        return x, tf.nest.map_structure(lambda reading: reading.finish(record[reading.field]), self._readings)

    def decode(self, record):
        return self.dataset.source.decode(record, self.names)


class _Share(NamedTuple):
    """A worker's rows of each batch."""

    batch_size: int
    first: int
    rows: int


def training_batches(dataset, domain, batch_size, seed, data_config, start=0, worker=0, workers=1, steps=None,
                     cache_bytes=CACHE_BYTES):
    """Makes this worker's batches number start, start + 1, ... of the run `seed`, each as `domain.batch_spec` says.

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
        raise BadInput(f"--batch_size={batch_size}: a positive multiple of the {workers} workers is needed; the "
                       f"nearest is {near}.")
    rows = batch_size // workers
    share, numbers = _Share(batch_size, worker * rows, rows), (start, steps)
    batches = _training(_Reader(dataset, domain, data_config, cache_bytes), share, numbers, seed, "")
    if domain.partner:
        reader = _Reader(dataset.partner, domain.partner, config_of_partner(domain, data_config), cache_bytes)
        batches = _joined(domain, batches, _training(reader, share, numbers, seed, "partner "))
    return batches.with_options(_options()).prefetch(2)


def _training(reader, share, numbers, seed, purpose):
    """Returns the batches of one data set.

    numbers: the first one's, and how many (None: no end). purpose: what tells its order and noise from another's.
    """
    batch_size, first, rows = share
    order, noise_key = key(seed, f"{purpose}order"), key(seed, f"{purpose}noise")
    start, steps = numbers
    numbers = tf.data.Dataset.range(start, np.iinfo(np.int64).max if steps is None else start + steps)

    def finish(number, record):
        return reader.finish(record, rows, lambda shape: noise(noise_key, number, first, rows, shape))

    if reader.kept("train"):
        num, pick = reader.dataset.picks(reader.names)
        if reader.domain.group:
            labels = reader.dataset.decoded("train", ["label"])["label"]
            indices = groups.visits(labels, reader.domain.group, start * batch_size, order, permutation)
        else:
            indices = visits(num, start * batch_size, order)
        mine = tf.data.Dataset.zip(numbers, indices.rebatch(batch_size))
        return mine.map(lambda number, index: finish(number, pick(index[first:first + rows])),
                        num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    records = reader.dataset.source.stream("train", start * batch_size, order)
    mine = records.enumerate().filter(lambda i, _: (i % batch_size >= first) & (i % batch_size < first + rows))
    examples = mine.map(lambda _, record: reader.decode(record), num_parallel_calls=tf.data.AUTOTUNE,
                        deterministic=True)
    return tf.data.Dataset.zip(numbers, examples.batch(rows, drop_remainder=True)).map(finish)


def _joined(domain, batches, partners):
    """Joins the batches of a domain and of its partner."""
    return tf.data.Dataset.zip(batches, partners).map(lambda own, partner: domain.join(*split_batch(own), partner))


def evaluation_batches(dataset, split, domain, batch_size, seed, data_config, limit=None, cache_bytes=CACHE_BYTES):
    """Goes once through a split in stored order, the last batch smaller; an example's noise is a function of (seed, its
    index).

    Groups are those of `trainers.data.groups`. A partner's examples stand beside in stored order, from the first again
    where they are fewer.

    Args: as of `training_batches`; `limit`: how many examples at most, None for all.
    """
    check(dataset, domain, data_config)
    if batch_size < 1 or (limit is not None and limit < 1):
        raise BadInput(f"batch size {batch_size} and limit {limit}: at least 1 is needed.")
    size = num_examples(dataset, split, domain)
    size = size if limit is None else min(size, limit)
    reader = _Reader(dataset, domain, data_config, cache_bytes)
    batches = _evaluation(reader, split, size, batch_size, key(seed, f"evaluation {split}"))
    if domain.partner:
        reader = _Reader(dataset.partner, domain.partner, config_of_partner(domain, data_config), cache_bytes)
        partners = _evaluation(reader, split, size, batch_size, key(seed, f"partner evaluation {split}"))
        batches = _joined(domain, batches, partners)
    return batches.with_options(_options()).prefetch(2)


def num_examples(dataset, split, domain):
    """Returns how many examples of the domain a split has: of groups, the tuples of an epoch. Raises BadInput without
    such a split."""
    num = dataset.require(split)
    return len(groups.table(dataset.decoded(split, ["label"])["label"], domain.group)) if domain.group else num


def _evaluation(reader, split, size, batch_size, noise_key):
    """Returns the first `size` examples of a split, from its first one again where it has fewer, in batches."""
    dataset, group = reader.dataset, reader.domain.group
    num = num_examples(dataset, split, reader.domain)

    def finish(number, record):
        rows = tf.shape(record["x"])[0]
        return reader.finish(record, None, lambda shape: noise(noise_key, 0, number * batch_size, rows, shape))

    if reader.kept(split):
        kept = dataset.tensors(split, reader.names)
        order = groups.in_order(kept["label"], group) if group else np.arange(num)

        def batch(first):
            index = tf.range(first, tf.minimum(first + batch_size, size)) % num
            return {name: tf.gather(kept[name], tf.gather(order, index)) for name in reader.names}

        batches = tf.data.Dataset.range(0, size, batch_size).map(batch)
    else:
        records = dataset.source.records(split).repeat().take(size)
        batches = records.map(reader.decode, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)
    return batches.enumerate().map(finish)


def _options():
    """Returns tf.data's options: tf.distribute must not shard again, since each worker makes its own rows, and the
    order is part of the promise."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    return options
