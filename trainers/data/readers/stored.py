"""TFDS data sets of images, texts and sound, and the embedded ones, which are TFDS builders of our own that need no
network.

A set that is prepared in the data folder is read from there and nothing is fetched. Embedded sets are built in a second
or two into the data folder, TFDS's default one, or a temporary one, whichever can be written first.
"""

import contextlib
import importlib
import os
import pathlib
import shutil
import tempfile
import time

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging

from trainers.data import EMBEDDED, FILES, sizes
from trainers.data.dataset import DataSet, Field, unused
from trainers.data.features import class_field, further_fields, image_key, label_key
from trainers.data.pipeline import permutation
from trainers.data.readers import audio, strokes, text
from trainers.errors import BadInput
from zoo import nearest

BUILDERS = {"claw": "Claw", "digits": "Digits", "expressions": "Expressions", "photo_patches": "PhotoPatches",
            "pysource": "Pysource", "shapes": "Shapes",
            "sketches": "Sketches", "tones": "Tones", "toy2d": "Toy2d"}  # module of this package -> class
BLOCK = 4096  # records that are shuffled together
HOST = "https://storage.googleapis.com"


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


def open_stored(name, data_dir, options, log, tokenizer=None):
    """The `DataSet` of an embedded set's or a TFDS set's name."""
    size, validation = sizes.parse(options["image_size"] or None), options["validation"]
    builder, name = _embedded(name, data_dir, log) if name.partition("/")[0] in BUILDERS else _tfds(name, data_dir, log)
    if name == "sketches":
        return strokes.open_sketches(name, builder, options)
    info = builder.info
    features = dict(info.features.items())
    key = image_key(features) or ("point" if name in EMBEDDED and "point" in features else None)
    counts = {split: entry.num_examples for split, entry in info.splits.items()}
    is_text = key is None and "audio" not in features and isinstance(features.get("text"), tfds.features.Text)
    if (key is None and not is_text and "audio" not in features) or "train" not in counts:
        raise BadInput(f"--dataset={name}: it has the features {', '.join(features)} and the splits "
                       f"{', '.join(counts)}; "
                       "an image, a text or sound and a split train are needed.")
    if key is None and not is_text:
        return audio.open_stored(name, builder, options, log)
    unused(name, options, ("validation", "tokenizer", "vocabulary", "length") if is_text else ("validation",)
           if key == "point" else ("validation", "image_size"),
           "text" if is_text else "points" if key == "point" else "images")
    split_sizes = sizes.hold_out(name, counts, validation)
    ranges = {split: (split, 0, num) for split, num in split_sizes.items()}
    if validation:
        ranges["validation"] = ("train", split_sizes["train"], counts["train"])
    if info.file_format != tfds.core.FileFormat.TFRECORD:
        raise BadInput(f"--dataset={name}: prepared in {builder.data_dir} as {info.file_format.value}; prepare it as "
                       "tfrecord.")
    if name == "expressions":
        return _expressions(name, builder, ranges, options, log, tokenizer)
    if is_text:
        return text.windows(name, str(info.version),
                            {split: _text(name, builder, split, *place) for split, place in ranges.items()}, options,
                            log, tokenizer, dict(hold_out=f"the last {validation} documents for validation"
                                                 if validation else "the data set's own"))
    stored = tuple(features[key].shape)
    label = label_key(info)
    if key == "point":
        return _dataset(name, builder, dict(x=Field("points", stored)) | class_field(features, label),
                        dict(x=key, label=label), ranges)
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
    return _dataset(name, builder, fields, dict(x=key, label=label) | {name: name for name in further}, ranges)


def _dataset(name, builder, fields, columns, ranges):
    source = StoredSource(builder, columns, fields, ranges)
    return DataSet(name, str(builder.info.version), fields,
                   {split: end - first for split, (_, first, end) in ranges.items()}, source, **_known(name))


def _known(name):
    """What an embedded set tells of itself, its modes or its factors: fields of `DataSet`."""
    if name not in EMBEDDED:
        return {}
    name, _, config = name.partition("/")
    module = importlib.import_module(f"trainers.data.embedded.{name}")
    return module.known(config) if hasattr(module, "known") else {}


def _levels(name, builder, key):
    """Stored levels of a pixel: known for embedded sets, 2 where the first hundred images hold nothing above 1, else
    256."""
    if name == "digits":
        return importlib.import_module("trainers.data.embedded.digits").LEVELS
    field = Field("image", tuple(builder.info.features[key].shape), 256)
    source = StoredSource(builder, {"x": key}, {"x": field}, {"train": ("train", 0, 100)})
    try:
        largest = max(int(tf.reduce_max(source.decode(record, ["x"])["x"])) for record in source.records("train")) \
            if None not in field.shape else 255
    except tf.errors.OpError as error:
        raise BadInput(
            f"--dataset={name}: its files in {builder.data_dir} can't be read: {_first_line(error)}"
        ) from error
    return 2 if largest <= 1 else 256


def _expressions(name, builder, ranges, options, log, tokenizer):
    """The embedded set of strings of a grammar: each is an example."""
    from trainers.data.embedded.expressions import GRAMMAR
    from zoo.distributions.grammar import packaged
    texts = {split: _text(name, builder, split, *place).split("\n") for split, place in ranges.items()}
    texts = {split: [(f"expression {row + 1} of split {split!r}", line) for row, line in enumerate(found)] for split,
             found in texts.items()}
    return text.lines(name, str(builder.info.version), texts, options, log, tokenizer,
                      dict(hold_out="drawn together, each expression once"), packaged(GRAMMAR))


def _text(name, builder, split, stored, first, end):
    """A split's documents in stored order, line feeds between them."""
    if (num_bytes := builder.info.splits[stored].num_bytes) > text.LARGEST:
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
            f"--dataset={name}: its files in {builder.data_dir} can't be read: {_first_line(error)}"
        ) from error
    if len(documents) != end - first:
        raise BadInput(f"--dataset={name}: split {split!r} has {len(documents)} documents, {end - first} were "
                       "announced; prepare the data again.")
    return text.decode(name, b"\n".join(documents))


def _embedded(name, data_dir, log):
    """(builder, full name) of an embedded set, built where it is not there yet."""
    name = "toy2d/eight_gaussians" if name == "toy2d" else name
    if name not in EMBEDDED:
        raise BadInput(f"--dataset={name} is unknown; {nearest(name, EMBEDDED)}")
    module, _, config = name.partition("/")
    cls = getattr(importlib.import_module(f"trainers.data.embedded.{module}"), BUILDERS[module])
    path = pathlib.Path(name, str(cls.VERSION))
    folders = [pathlib.Path(folder).expanduser() for folder in (data_dir, tfds.core.constants.get_default_data_dir())
               if folder]
    folders.append(pathlib.Path(tempfile.gettempdir(), f"generative-zoo-{os.getuid()}"))
    failures = []
    for folder in folders:
        if (folder / path / "dataset_info.json").exists():
            return tfds.builder_from_directory(folder / path), name
        if not _writable(folder):
            failures.append(f"{folder} (read-only)")
            continue
        try:
            log(f"Building {name} in {folder}.")
            _build(cls, config or None, folder, path)
            return tfds.builder_from_directory(folder / path), name
        except OSError as error:
            failures.append(f"{folder} ({error.strerror})")
    raise BadInput(f"--dataset={name} has to be built, and can be written nowhere: {', '.join(failures)}; set "
                   "--data_dir to a folder with some room.")


def _writable(folder):
    """Whether the folder, or the nearest one above it that exists, is open to writing: root is not to write into what
    is marked read-only."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)


def _build(cls, config, folder, path):
    """Builds beside and renames, so that a build that is killed leaves nothing that looks whole and of two at once
    either wins."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(".building-*"):
        if time.time() - stale.stat().st_mtime > 3600:
            shutil.rmtree(stale, ignore_errors=True)
    beside = tempfile.mkdtemp(prefix=".building-", dir=folder)
    try:
        tfds.disable_progress_bar()
        known = config in cls.builder_configs  # of a set that is also there without a configuration TFDS knows none
        chosen = config if known else tfds.core.BuilderConfig(name=config) if config else None
        with contextlib.redirect_stdout(None), _only_errors():
            cls(data_dir=beside, **({"config": chosen} if chosen else {})).download_and_prepare()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(pathlib.Path(beside) / path, folder / path)
        except OSError:
            if not (folder / path / "dataset_info.json").exists():
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        tfds.enable_progress_bar()


@contextlib.contextmanager
def _only_errors():
    """Without TFDS's warning that a configuration is not one of its class's own."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _tfds(name, data_dir, log):
    """(builder, name) of a TFDS set: as prepared in the data folder, else downloaded."""
    folder = pathlib.Path(data_dir or tfds.core.constants.get_default_data_dir()).expanduser()
    try:
        parsed, arguments = tfds.core.naming.parse_builder_name_kwargs(name)
    except (ValueError, AssertionError) as error:
        raise BadInput(f"--dataset={name} is no name of a data set (NAME, NAME/CONFIG, NAME:VERSION, or KIND:PATH with "
                       f"{', '.join(FILES)}); "
                       f"{nearest(name, EMBEDDED)}") from error
    try:
        return tfds.core.read_only_builder.builder_from_files(str(parsed), data_dir=folder, **arguments), name
    except (tfds.core.DatasetNotFoundError, FileNotFoundError):
        pass  # not prepared there
    known = tfds.list_builders(with_community_datasets=False)
    if str(parsed) not in known:
        close = nearest(str(parsed), [*EMBEDDED, *known])
        names = f"known: {', '.join(EMBEDDED)}, and TFDS's data sets of images, texts and sound."
        short = close.partition(" Known:")[0] if "did you mean" in close else names
        raise BadInput(f"--dataset={name} is unknown, and not prepared in {folder}; {short}")
    tried = f"--dataset={name}: not prepared in {folder}, and it can't be downloaded:"
    try:
        builder = tfds.builder(name, data_dir=folder)
    except Exception as error:  # whatever TFDS finds wrong with the configuration or the version
        raise BadInput(f"--dataset={name}: {_first_line(error)}") from error
    features = dict((builder.info.features or {}).items())
    if not (any(isinstance(feature, tfds.features.Image) for feature in features.values())
            or isinstance(features.get("text"), tfds.features.Text)
            or isinstance(features.get("audio"), tfds.features.Audio)):
        raise BadInput(
            f"--dataset={name} has no images, text or sound; choose a data set that has, for example digits."
        )
    if not (folder / "downloads").exists():  # else what is there may be enough
        _connect(tried)
    log(f"Downloading {name} into {folder}.")
    try:
        builder.download_and_prepare()
    except Exception as error:  # the network, the disk, a missing package or manual step: as many kinds as data sets
        raise BadInput(f"{tried} {_first_line(error)}") from error
    return builder, name


def _first_line(error):
    """What TFDS says, without its own wrapping ("Failed to construct ...: ") and the lists that follow."""
    return str(error).strip().splitlines()[0].rpartition('": ')[2] if str(error).strip() else type(error).__name__


def _connect(tried):
    """Finds out in seconds that there is no network; TFDS's own retries take minutes to."""
    import requests
    try:
        requests.head(HOST, timeout=10)
    except requests.RequestException as error:
        raise BadInput(f"{tried} no connection to {HOST} ({type(error).__name__}); prepare it with tfds where there is "
                       "one, "
                       "and set --data_dir to that folder.") from error
