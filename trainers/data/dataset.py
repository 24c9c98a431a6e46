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
    cache: dict = dataclasses.field(default_factory=dict, repr=False)  # split -> (x, labels) as stored, arrays or tensors

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

    def tensors(self, split):
        """All examples of a split: (x [n, *shape], labels int32 [n]) as stored, tensors in the CPU's memory, decoded in parallel the first time."""
        if split not in self.cache:
            self.cache[split] = self._read(split)
        with tf.device("CPU:0"):  # an eager tensor would otherwise go to the accelerator, and back for every batch
            self.cache[split] = tuple(map(tf.convert_to_tensor, self.cache[split]))
        return self.cache[split]

    def decoded(self, split):
        """The same as NumPy arrays that share the tensors' memory and can't be written to."""
        return tuple(map(np.asarray, self.tensors(split)))

    def _read(self, split):
        num, done = self.require(split), 0
        signature = tf.TensorSpec(self.shape, self.dtype), tf.TensorSpec([], tf.int32)
        batches = self.source.records(split).batch(256).map(
            lambda records: tf.map_fn(self.source.decode, records, fn_output_signature=signature), num_parallel_calls=tf.data.AUTOTUNE)
        with tf.device("CPU:0"):
            parts = [(tf.zeros((0, *self.shape), self.dtype), tf.zeros([0], tf.int32))]
            try:
                for part in batches:
                    parts.append(part)
                    done += len(part[1])
            except tf.errors.OpError as error:
                raise BadInput(f"--dataset={self.name}: split {split!r} can't be read after {done} of {num} examples: "
                               f"{str(error.message).splitlines()[0]}") from error
            if done != num:
                raise BadInput(f"--dataset={self.name}: split {split!r} has {done} examples, {num} were announced; prepare the data again.")
            x, labels = (tf.concat(part, 0) for part in zip(*parts))
        if self.levels and np.asarray(x).max(initial=0) >= self.levels:
            raise BadInput(f"--dataset={self.name}: split {split!r} has a pixel of {np.asarray(x).max()}, allowed are 0 to {self.levels - 1}.")
        return x, labels
