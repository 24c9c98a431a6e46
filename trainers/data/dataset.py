"""A data set: its examples as they are stored, and what must be known of them before a model reads any."""

import dataclasses
import hashlib
import math
from typing import NamedTuple, Protocol

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


class Text(NamedTuple):
    """What a data set of text has besides examples.

    tokenizer: a `trainers.data.tokenizers.Tokenizer`. streams: {split: all its tokens, int32 [N]}. num_bytes: {split: bytes of its text in UTF-8}.
    windows: whether examples are windows of the stream, any to train and those that follow one another to evaluate, instead of lines.
    """

    tokenizer: object
    streams: dict
    num_bytes: dict
    windows: bool


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set that is ready to be read.

    name, version: as a record of a result names them.
    kind: `image` (uint8, height, width, channels), `points` (float32, or uint8 rows of a binary table), `text` (int32, T),
        `audio` (int16, T) or `strokes` (float32, (T, 5)).
    shape: of one example. levels: number of values that a stored entry can take, a text's vocabulary; None for real points and sound.
    classes: number of labels, or None; what is kept in memory can have float32 features [n, ...] in the place of labels.
    sizes: {split: number of examples}, of a text's windows those that do not overlap.
    source: None for what is kept in memory, all of it in `cache` or `text`.
    class_names: of the labels, where they are known. rate: of sound, samples a second. facts: what a record says besides, JSON values.
    """

    name: str
    version: str
    kind: str
    shape: tuple
    levels: int | None
    classes: int | None
    sizes: dict
    source: Source | None = dataclasses.field(default=None, repr=False)
    cache: dict = dataclasses.field(default_factory=dict, repr=False)  # split -> (x, labels) as stored, arrays or tensors
    class_names: tuple = ()
    rate: int | None = None
    text: Text | None = dataclasses.field(default=None, repr=False)
    facts: dict = dataclasses.field(default_factory=dict, repr=False)

    @property
    def dtype(self):
        kinds = {"image": np.uint8, "text": np.int32, "audio": np.int16, "strokes": np.float32, "points": np.uint8 if self.levels else np.float32}
        return kinds[self.kind]

    @property
    def features(self):
        """Shape of an example's features, or None."""
        shape = next(iter(self.cache.values()))[1].shape[1:] if self.source is None and self.cache else ()
        return tuple(shape) or None

    @property
    def tokenizer(self):
        """Of a text, else None."""
        return self.text and self.text.tokenizer

    def tokens(self, split):
        """All tokens of a text's split in order, int32 [N]; of lines, each line's with its end."""
        self.require(split)
        return self.text.streams[split]

    def text_bytes(self, split):
        """Bytes of a text's split in UTF-8: what bits per byte are counted by."""
        self.require(split)
        return self.text.num_bytes[split]

    def require(self, split):
        """Number of examples of a split. Raises BadInput if there is no such split."""
        if split not in self.sizes:
            raise BadInput(f"split {split!r} is none of --dataset={self.name}; {nearest(split, self.sizes)}")
        return self.sizes[split]

    def nbytes(self, split):
        """Bytes of a split's decoded examples."""
        return self.sizes[split] * math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def fits(self, split, num_bytes):
        """Whether a split is in memory already, or takes no more of it than that."""
        return self.source is None or self.nbytes(split) <= num_bytes

    def tensors(self, split):
        """All examples of a split: (x [n, *shape], labels int32 [n] or features) as stored, tensors in the CPU's memory, decoded in parallel the first time."""
        if split not in self.cache:
            self.cache[split] = self._windows(split) if self.text else self._read(split)
        with tf.device("CPU:0"):  # an eager tensor would otherwise go to the accelerator, and back for every batch
            self.cache[split] = tuple(map(tf.convert_to_tensor, self.cache[split]))
        return self.cache[split]

    def decoded(self, split):
        """The same as NumPy arrays that share the tensors' memory and can't be written to."""
        return tuple(map(np.asarray, self.tensors(split)))

    def picks(self):
        """What training picks from: (how many examples, the function from their numbers, int64 [n], to (x, labels or features) as stored)."""
        if not (self.text and self.text.windows):
            x, labels = self.tensors("train")
            return self.require("train"), lambda index: (tf.gather(x, index), tf.gather(labels, index))
        with tf.device("CPU:0"):
            stream = tf.convert_to_tensor(self.tokens("train"))
        places = np.arange(self.shape[0])

        def windows(index):
            return tf.gather(stream, index[:, None] + places), tf.zeros(tf.shape(index), tf.int32)

        return len(stream) - self.shape[0] + 1, windows

    def _windows(self, split):
        num = self.require(split)
        return self.tokens(split)[:num * self.shape[0]].reshape(num, *self.shape), np.zeros(num, np.int32)

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


def unused(name, options, used, has):
    """Raises BadInput for an entry of --config.data that is set and that the data set, which `has` what it says, can't use."""
    from trainers.recipes.recipe import DATA
    for key, value in options.items():
        if key not in ("binarization", *used) and value != DATA[key]:
            raise BadInput(f"--config.data.{key}={value}: --dataset={name} has {has}, which have no use for it; leave it {DATA[key] or 'out'}.")


def hold_out_by_content(name, contents, noun, options):
    """{split: numbers of the `contents` (bytes) in it}: the part `held_out` test and as much validation by a hash of the content, so that equal ones stay together.

    Each content stays in its split when others come or go, but for the two that a small file lends where a split would be empty.
    """
    hashes = np.array([int.from_bytes(hashlib.sha256(content).digest()[:8], "big") for content in contents], np.uint64)
    different = np.unique(hashes) / 2.0**64
    num = len(different)
    if num < 3:
        raise BadInput(f"--dataset={name}: {num} different {noun}, at least 3 are needed: to train, for validation and to test.")
    test = min(max(1, np.sum(different < options["held_out"])), num - 2)
    validation = min(max(1, np.sum(different < 2 * options["held_out"]) - test), num - 1 - test)
    split = np.searchsorted([different[test - 1], different[test + validation - 1]], hashes / 2.0**64)  # equal hashes are equal floats
    return {key: np.flatnonzero(split == which) for which, key in ((2, "train"), (1, "validation"), (0, "test"))}


def said_of_hold_out(noun, by, options):
    """What a record says of `hold_out_by_content`."""
    part = f"{100 * options['held_out']:g} %"
    return f"{part} of the {noun} by a hash{by}, validation another {part}"
