"""TFDS data sets of images, texts and sound, and the embedded ones, which are TFDS builders of our own that need no
network: `builders.py` finds them.
"""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from trainers.data import options, sizes
from trainers.data.dataset import DataSet, Field
from trainers.data.features import class_field, further_fields, image_key, label_key
from trainers.data.names import EMBEDDED
from trainers.data.pipeline import permutation
from trainers.data.readers import builders, stored_audio, strokes, text
from trainers.data.readers.builders import first_line
from trainers.errors import BadInput
from zoo.distributions.grammar import packaged

BLOCK = 4096  # records that are shuffled together


class StoredSource:
    """The TFRecord files of a prepared TFDS builder; a record is a serialized example.

    columns: {field: the builder's feature}. fields: {field: `Field`}. ranges: {split: (TFDS's split, first example,
    end)}.
    """

    def __init__(self, builder, columns, fields, ranges):
        self.builder, self.columns, self.fields, self.ranges = builder, columns, fields, ranges

    def records(self, split):
        stored, first, end = self.ranges[split]
        files = [str(file) for file in self.builder.info.splits[stored].filepaths]
        return tf.data.TFRecordDataset(files).skip(first).take(end - first)

    def stream(self, split, position, key):
        # NOTE: TFDS stores examples in random order, so shuffling within blocks, whose borders move from epoch to
        # epoch, is enough. Dataset.shuffle would mix better, but its order also depends on TensorFlow's global seed.
        records, (_, first, end) = self.records(split), self.ranges[split]

        def one_epoch(epoch):
            rotation = permutation(min(BLOCK, end - first), key, epoch)[0]  # any number below BLOCK
            blocks = records.skip(rotation).concatenate(records.take(rotation)).batch(BLOCK).enumerate()
            return blocks.map(lambda number, block: tf.gather(block,
                                                              permutation(tf.shape(block)[0], key, epoch,
                                                                          number + 1))).unbatch()

        size = end - first
        return tf.data.Dataset.range(position // size, np.iinfo(np.int64).max).flat_map(one_epoch).skip(position % size)

    def decode(self, record, names):
        features, shapes = self.builder.info.features, {name: self.fields[name].shape for name in names}
        stored = {"image": tf.io.FixedLenFeature([], tf.string), "class": tf.io.FixedLenFeature([], tf.int64)}
        stored["labels"] = stored["image"]
        layout = {self.columns[name]: stored.get(self.fields[name].kind)
                  or tf.io.FixedLenFeature(shapes[name], tf.float32) for name in names}
        example, found = tf.io.parse_single_example(record, layout), {}
        for name in names:
            value, kind = example[self.columns[name]], self.fields[name].kind
            if kind in ("image", "labels"):
                value = features[self.columns[name]].decode_example(value)
                if value.shape[:2] != shapes[name][:2]:
                    value = sizes.resize_and_crop(value, shapes[name][:2], mixed=kind == "image")
            found[name] = value[..., 0] if kind == "labels" else tf.cast(value, self.fields[name].dtype)
        return found


def open_stored(name, data_dir, entries, log, tokenizer=None):
    """Opens an embedded set or a TFDS set by its name."""
    builder, name = builders.find(name, data_dir, log)
    if name == "sketches":
        return strokes.open_sketches(name, builder, entries)
    features, counts = dict(builder.info.features.items()), _counts(builder)
    key = image_key(features)
    if key is None and name in EMBEDDED and "point" in features:
        key = "point"
    is_text = isinstance(features.get("text"), tfds.features.Text)
    if (key is None and "audio" not in features and not is_text) or "train" not in counts:
        raise BadInput(f"--dataset={name}: it has the features {', '.join(features)} and the splits "
                       f"{', '.join(counts)}; an image, a text or sound and a split train are needed.")
    if key == "point":
        return _open_points(name, builder, options.take(options.Points, name, entries))
    if key is not None:
        return _open_images(name, builder, key, options.take(options.Images, name, entries))
    if "audio" in features:
        return stored_audio.open_stored(name, builder, entries, log)
    return _open_text(name, builder, options.take(options.Text, name, entries), log, tokenizer)


def _counts(builder):
    """Counts the examples of each split."""
    return {split: entry.num_examples for split, entry in builder.info.splits.items()}


def _ranges(name, builder, validation):
    """Returns {split: (TFDS's split, first example, end)} with the last `validation` training examples held out.

    Raises BadInput where that can't be, or the files are of another format.
    """
    counts, info = _counts(builder), builder.info
    split_sizes = sizes.hold_out(name, counts, validation)
    ranges = {split: (split, 0, num) for split, num in split_sizes.items()}
    if validation:
        ranges["validation"] = ("train", split_sizes["train"], counts["train"])
    if info.file_format != tfds.core.FileFormat.TFRECORD:
        raise BadInput(f"--dataset={name}: prepared in {builder.data_dir} as {info.file_format.value}; prepare it as "
                       "tfrecord.")
    return ranges


def _open_points(name, builder, asked):
    """Opens an embedded set of points."""
    features, label = dict(builder.info.features.items()), label_key(builder.info)
    fields = dict(x=Field("points", tuple(features["point"].shape))) | class_field(features, label)
    ranges = _ranges(name, builder, asked.validation)
    return _dataset(name, builder, fields, dict(x="point", label=label), ranges, asked)


def _open_images(name, builder, key, asked):
    """Opens a set of images, the feature `key`, with all that goes with them."""
    ranges = _ranges(name, builder, asked.validation)
    features, size = dict(builder.info.features.items()), asked.size
    stored, label = tuple(features[key].shape), label_key(builder.info)
    if features[key].np_dtype != np.uint8 or stored[2] is None:
        raise BadInput(f"--dataset={name}: its images are {features[key]}; 8 bits a pixel and a fixed number of "
                       "channels are needed.")
    if size is None and None in stored:
        raise BadInput(f"--dataset={name}: its images differ in size; set their size, for example "
                       "--config.data.image_size=64.")
    shape = (*(size or stored[:2]), stored[2])
    levels = _levels(name, builder, key)
    if shape != stored and levels != 256:
        raise BadInput(f"{sizes.flag(size)}: --dataset={name} has {levels} levels a pixel, which resizing would mix; "
                       "leave it out.")
    further = further_fields(features, (key, label), shape[:2])
    fields = dict(x=Field("image", shape, levels)) | class_field(features, label) | further
    columns = dict(x=key, label=label) | {name: name for name in further}
    return _dataset(name, builder, fields, columns, ranges, asked)


def _open_text(name, builder, asked, log, tokenizer):
    """Opens a set of text: its documents one after another, or, of one with a grammar, its lines."""
    ranges = _ranges(name, builder, asked.validation)
    texts = {split: _text(name, builder, split, *place) for split, place in ranges.items()}
    version = str(builder.info.version)
    grammar = builders.declared(name, "GRAMMAR")
    if grammar:
        found = {}
        for split, content in texts.items():
            found[split] = [(f"expression {row + 1} of split {split!r}", line)
                            for row, line in enumerate(content.split("\n"))]
        facts = dict(hold_out="drawn together, each expression once")
        return text.lines(name, version, found, asked, log, tokenizer, facts, packaged(grammar))
    held = f"the last {asked.validation} documents for validation" if asked.validation else "the data set's own"
    return text.windows(name, version, texts, asked, log, tokenizer, dict(hold_out=held))


def _dataset(name, builder, fields, columns, ranges, asked):
    """Makes the `DataSet` of a builder's fields, whose `columns` are its features."""
    split_sizes = {split: end - first for split, (_, first, end) in ranges.items()}
    return DataSet(name, str(builder.info.version), fields, split_sizes,
                   StoredSource(builder, columns, fields, ranges), options=asked, **builders.known(name))


def _levels(name, builder, key):
    """Returns the stored levels of a pixel: known for embedded sets, 2 where the first hundred images hold nothing
    above 1, else 256."""
    levels = builders.declared(name, "LEVELS")
    if levels:
        return levels
    field = Field("image", tuple(builder.info.features[key].shape), 256)
    if None in field.shape:
        return 256
    source = StoredSource(builder, {"x": key}, {"x": field}, {"train": ("train", 0, 100)})
    try:
        largest = max(int(tf.reduce_max(source.decode(record, ["x"])["x"])) for record in source.records("train"))
    except tf.errors.OpError as error:
        raise BadInput(
            f"--dataset={name}: its files in {builder.data_dir} can't be read: {first_line(error)}"
        ) from error
    return 2 if largest <= 1 else 256


def _text(name, builder, split, stored, first, end):
    """Reads a split's documents in stored order, line feeds between them."""
    num_bytes = builder.info.splits[stored].num_bytes
    if num_bytes > text.LARGEST:
        raise BadInput(f"--dataset={name}: split {stored!r} has {num_bytes} bytes, at most {text.LARGEST} are taken.")
    source = StoredSource(builder, {}, {}, {split: (stored, first, end)})
    try:
        batches = (
            source.records(split)
            .batch(BLOCK)
            .map(lambda records: tf.io.parse_example(records, {"text": tf.io.FixedLenFeature([], tf.string)})["text"])
        )
        documents = [document for batch in batches for document in batch.numpy()]
    except tf.errors.OpError as error:
        raise BadInput(
            f"--dataset={name}: its files in {builder.data_dir} can't be read: {first_line(error)}"
        ) from error
    if len(documents) != end - first:
        raise BadInput(f"--dataset={name}: split {split!r} has {len(documents)} documents, {end - first} were "
                       "announced; prepare the data again.")
    return text.decode(name, b"\n".join(documents))
