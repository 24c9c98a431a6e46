"""A data set: its examples as they are stored, and what must be known of them before a model reads any."""

import dataclasses
import math
from typing import Protocol

import numpy as np
import tensorflow as tf

from trainers.errors import BadInput
from zoo import nearest


class Source(Protocol):
    """Where examples come from. A record is an example before it is decoded."""

    def records(self, split):
        """The split's records in stored order, a `tf.data.Dataset`."""

    def stream(self, split, position, key):
        """Its records from `position` of the endless shuffled stream on: each epoch holds each once, in an order made from (key, epoch)."""

    def decode(self, record):
        """(x, label) of one record, in the graph: x as stored, label int32 (0 where there is none)."""


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set that is ready to be read.

    name, version: as a record of a result names them.
    kind: `image` (uint8, height, width, channels) or `points` (float32).
    shape: of one example. levels: number of values that a stored entry can take; None for points.
    classes: number of labels, or None. sizes: {split: number of examples}.
    """

    name: str
    version: str
    kind: str
    shape: tuple
    levels: int | None
    classes: int | None
    sizes: dict
    source: Source = dataclasses.field(repr=False)
    cache: dict = dataclasses.field(default_factory=dict, repr=False)  # split -> (x, labels)

    @property
    def dtype(self):
        return np.uint8 if self.kind == "image" else np.float32

    def require(self, split):
        """Number of examples of a split. Raises BadInput if there is no such split."""
        if split not in self.sizes:
            raise BadInput(f"split {split!r} is none of --dataset={self.name}; {nearest(split, self.sizes)}")
        return self.sizes[split]

    def nbytes(self, split):
        """Bytes of a split's decoded examples."""
        return self.sizes[split] * math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def decoded(self, split):
        """All examples of a split: (x [n, *shape], labels int32 [n]) as stored, NumPy arrays, decoded in parallel the first time."""
        if split not in self.cache:
            num = self.require(split)
            x, labels = np.empty((num, *self.shape), self.dtype), np.empty(num, np.int32)
            done, signature = 0, (tf.TensorSpec(self.shape, x.dtype), tf.TensorSpec([], tf.int32))
            batches = self.source.records(split).batch(256).map(
                lambda records: tf.map_fn(self.source.decode, records, fn_output_signature=signature), num_parallel_calls=tf.data.AUTOTUNE)
            try:
                for some, some_labels in batches:
                    rows = slice(done, done + len(some_labels))
                    x[rows], labels[rows], done = some, some_labels, rows.stop
            except tf.errors.OpError as error:
                raise BadInput(f"--dataset={self.name}: split {split!r} can't be read after {done} of {num} examples: "
                               f"{str(error.message).splitlines()[0]}") from error
            if done != num:
                raise BadInput(f"--dataset={self.name}: split {split!r} has {done} examples, {num} were announced; prepare the data again.")
            if self.levels and x.max(initial=0) >= self.levels:
                raise BadInput(f"--dataset={self.name}: split {split!r} has a pixel of {x.max()}, allowed are 0 to {self.levels - 1}.")
            self.cache[split] = x, labels
        return self.cache[split]
