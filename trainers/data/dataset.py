"""A data set: its examples as they are stored, and what must be known of them before a model reads any."""

import dataclasses
import hashlib
import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from trainers.data.options import DEFAULTS, Options
from trainers.errors import BadInput
from zoo import nearest


class Field(NamedTuple):
    """What one entry of an example is, as it is stored.

    kind: `image` (uint8, height, width, channels), `points` (float32, or uint8 rows of a binary table), `text` (int32,
        T), `audio` (int16, T), `strokes` (float32, (T, 5)), `class` (int32, ()), `labels` (the class of every pixel,
        uint8, height, width) or `features` (float32).
    shape: of it. levels: number of values that an entry can take: a text's vocabulary, the classes of a label; None for
        real points, features and sound. names: of the classes, where they are known.
    """

    kind: str
    shape: tuple
    levels: int | None = None
    names: tuple = ()

    @property
    def dtype(self):
        kinds = {"image": np.uint8, "labels": np.uint8, "text": np.int32, "class": np.int32, "audio": np.int16}
        return kinds.get(self.kind) or (np.uint8 if self.kind == "points" and self.levels else np.float32)

    @property
    def spec(self):
        return tf.TensorSpec(self.shape, self.dtype)

    @property
    def nbytes(self):
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Source(Protocol):
    """Where examples come from. A record is an example before it is decoded."""

    def records(self, split):
        """Returns the split's records in stored order, a `tf.data.Dataset`."""

    def stream(self, split, position, key):
        """Returns its records from `position` of the endless shuffled stream on: each epoch holds each once, in an
        order made from (key, epoch)."""

    def decode(self, record, names):
        """Returns {name: the field as stored} of one record, in the graph, for those of the fields that are named."""


class Text(NamedTuple):
    """What a data set of text has besides examples.

    tokenizer: a `trainers.data.tokenizers.Tokenizer`. streams: {split: all its tokens, int32 [N]}. num_bytes: {split:
    bytes of its text in UTF-8}.
    windows: whether examples are windows of the stream, any to train and those that follow one another to evaluate,
    instead of lines.
    """

    tokenizer: object
    streams: dict
    num_bytes: dict
    windows: bool


class Modes(NamedTuple):
    """The modes of a mixture of Gaussians that do not overlap: centres [modes, D], and the standard deviation in each
    dimension."""

    centres: np.ndarray
    stddev: float


class Factors(NamedTuple):
    """What examples are made of: the factors' names, the values of every combination, integers [n, factors], and its
    example as stored, [n, ...]."""

    names: tuple
    values: np.ndarray
    examples: np.ndarray


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set that is ready to be read.

    name, version: as a record of a result names them.
    fields: {name: `Field`} of an example: `x`, what models are of, and what goes with it: `label`, `features`, or
        others by their names.
    sizes: {split: number of examples}, of a text's windows those that do not overlap.
    source: None for what is kept in memory, all of it in `cache` or `text`.
    cache: {split: {name: a field of all its examples as stored, arrays or tensors}}, as far as it was read.
    rate: of sound, samples a second. facts: what a record says besides, JSON values.
    partner: a second, unpaired data set, for models of two. options: what it was opened with, a
    `trainers.data.options.Options`.
    modes, factors: `Modes` and a function that makes `Factors`, of a set that knows them.
    """

    name: str
    version: str
    fields: dict
    sizes: dict
    source: Source | None = dataclasses.field(default=None, repr=False)
    cache: dict = dataclasses.field(default_factory=dict, repr=False)
    rate: int | None = None
    text: Text | None = dataclasses.field(default=None, repr=False)
    facts: dict = dataclasses.field(default_factory=dict, repr=False)
    partner: "DataSet | None" = dataclasses.field(default=None, repr=False)
    modes: Modes | None = dataclasses.field(default=None, repr=False, compare=False)
    factors: Callable[[], Factors] | None = dataclasses.field(default=None, repr=False, compare=False)
    options: Options | None = dataclasses.field(default=None, repr=False)

    @property
    def entries(self):
        """The names of the entries of --config.data that it takes, or its partner does; all, where it was opened with
        none."""
        if self.options is None:
            return set(DEFAULTS)
        own = {field.name for field in dataclasses.fields(self.options)}
        return own | self.partner.entries if self.partner else own

    @property
    def kind(self):
        return self.fields["x"].kind

    @property
    def shape(self):
        return self.fields["x"].shape

    @property
    def levels(self):
        return self.fields["x"].levels

    @property
    def dtype(self):
        return self.fields["x"].dtype

    @property
    def classes(self):
        """Number of labels, or None."""
        return self.fields["label"].levels if "label" in self.fields else None

    @property
    def class_names(self):
        """The labels' names, where they are known."""
        return self.fields["label"].names if "label" in self.fields else ()

    @property
    def features(self):
        """Shape of an example's features, or None."""
        return tuple(self.fields["features"].shape) if "features" in self.fields else None

    @property
    def tokenizer(self):
        """Of a text, else None."""
        return self.text and self.text.tokenizer

    def tokens(self, split):
        """Returns all tokens of a text's split in order, int32 [N]; of lines, each line's with its end."""
        self.require(split)
        return self.text.streams[split]

    def text_bytes(self, split):
        """Returns the bytes of a text's split in UTF-8: what bits per byte are counted by."""
        self.require(split)
        return self.text.num_bytes[split]

    def require(self, split):
        """Returns the number of examples of a split. Raises BadInput if there is no such split."""
        if split not in self.sizes:
            raise BadInput(f"split {split!r} is none of --dataset={self.name}; {nearest(split, self.sizes)}")
        return self.sizes[split]

    def nbytes(self, split, names=("x",)):
        """Returns the bytes of these fields of a split's decoded examples, labels not counted."""
        return self.sizes[split] * sum(self.fields[name].nbytes for name in names if self.fields[name].kind != "class")

    def fits(self, split, num_bytes, names=("x",)):
        """Tells whether these fields of a split are in memory already, or take no more of it than that."""
        return self.source is None or self.nbytes(split, names) <= num_bytes

    def tensors(self, split, names=None):
        """Returns {name: that field of all examples of a split, [n, ...] as stored}, tensors in the CPU's memory.

        They are decoded in parallel the first time. names: of the fields; None: all of them.
        """
        names = tuple(self.fields) if names is None else tuple(names)
        kept = self.cache.setdefault(split, {})
        missing = [name for name in names if name not in kept]
        if missing:
            kept.update(self._windows(split) if self.text else self._read(split, missing))
        with tf.device("CPU:0"):  # an eager tensor would otherwise go to the accelerator, and back for every batch
            kept.update({name: tf.convert_to_tensor(kept[name]) for name in names})
        return {name: kept[name] for name in names}

    def decoded(self, split, names=None):
        """Returns the same as NumPy arrays that share the tensors' memory and can't be written to."""
        return {name: np.asarray(tensor) for name, tensor in self.tensors(split, names).items()}

    def picks(self, names):
        """Returns what training picks from: (how many examples, the function from numbers, int64 [...], to {name: field
        as stored})."""
        if not (self.text and self.text.windows):
            kept = self.tensors("train", names)
            return self.require("train"), lambda index: {name: tf.gather(kept[name], index) for name in names}
        with tf.device("CPU:0"):
            stream = tf.convert_to_tensor(self.tokens("train"))
        places = np.arange(self.shape[0])
        return len(stream) - self.shape[0] + 1, lambda index: {"x": tf.gather(stream, index[:, None] + places)}

    def _windows(self, split):
        num = self.require(split)
        return {"x": self.tokens(split)[:num * self.shape[0]].reshape(num, *self.shape)}

    def _read(self, split, names):
        num, done, parts = self.require(split), 0, []
        signature = {name: self.fields[name].spec for name in names}

        def decoded(records):
            return tf.map_fn(lambda record: self.source.decode(record, names), records, fn_output_signature=signature)

        batches = self.source.records(split).batch(256).map(decoded, num_parallel_calls=tf.data.AUTOTUNE)
        with tf.device("CPU:0"):
            try:
                for part in batches:
                    parts.append(part)
                    done += len(part[names[0]])
            except tf.errors.OpError as error:
                raise BadInput(f"--dataset={self.name}: split {split!r} can't be read after {done} of {num} examples: "
                               f"{str(error.message).splitlines()[0]}") from error
            if done != num:
                raise BadInput(f"--dataset={self.name}: split {split!r} has {done} examples, {num} were announced; "
                               "prepare the data again.")
            empty = [tf.zeros((0, *self.fields[name].shape), self.fields[name].dtype) for name in names]
            found = {name: tf.concat([none, *(part[name] for part in parts)], 0) for name, none in zip(names, empty)}
        for name, values in found.items():
            self._check_levels(split, name, values)
        return found

    def _check_levels(self, split, name, values):
        field = self.fields[name]
        largest = np.asarray(values).max(initial=0)
        if field.levels and largest >= field.levels:
            what = "a pixel" if field.kind in ("image", "labels") else f"a {name}"
            raise BadInput(f"--dataset={self.name}: split {split!r} has {what} of {largest}, "
                           f"allowed are 0 to {field.levels - 1}.")


def hold_out_by_content(name, contents, noun, held_out):
    """Returns {split: numbers of the `contents` (bytes) in it}: the part `held_out` test and as much validation by a
    hash of the content, so that equal ones stay together.

    Each content stays in its split when others come or go, but for the two that a small file lends where a split would
    be empty.
    """
    hashes = np.array([int.from_bytes(hashlib.sha256(content).digest()[:8], "big") for content in contents], np.uint64)
    different = np.unique(hashes) / 2.0**64
    num = len(different)
    if num < 3:
        raise BadInput(f"--dataset={name}: {num} different {noun}, at least 3 are needed: to train, for validation and "
                       "to test.")
    test = min(max(1, np.sum(different < held_out)), num - 2)
    validation = min(max(1, np.sum(different < 2 * held_out) - test), num - 1 - test)
    # equal hashes are equal floats
    split = np.searchsorted([different[test - 1], different[test + validation - 1]], hashes / 2.0**64)
    return {key: np.flatnonzero(split == which) for which, key in ((2, "train"), (1, "validation"), (0, "test"))}


def said_of_hold_out(noun, by, held_out):
    """Says in words, for a record, what `hold_out_by_content` does."""
    part = f"{100 * held_out:g} %"
    return f"{part} of the {noun} by a hash{by}, validation another {part}"
