"""`image_folder:PATH`: the user's own PNG, JPEG, BMP or GIF images, in any sub-folders.

An image's path hashes to a number on [0, 1); the test split is the images below a tenth, but the three lowest at least.
So an image stays in its split when others come or go, but for those that a small folder lends. If every image lies in a
sub-folder, the first folder's name is its label.
"""

import concurrent.futures
import hashlib
import math
import pathlib

import numpy as np
import tensorflow as tf

from trainers.data import folders, options, sizes
from trainers.data.dataset import DataSet, Field
from trainers.data.pipeline import CACHE_BYTES, visits
from trainers.errors import BadInput

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
FEWEST, FEWEST_TO_TEST = 10, 3


class FolderSource:
    """Files and labels of each split; a record is an index into them."""

    def __init__(self, files, labels, shape):
        self.files, self.labels, self.shape = files, labels, shape  # {split: [path]}, {split: int32 [n]}

    def records(self, split):
        return tf.data.Dataset.range(len(self.labels[split])).map(lambda index: self._record(split, index))

    def stream(self, split, position, key):
        return visits(len(self.labels[split]), position, key).unbatch().map(lambda index: self._record(split, index))

    def _record(self, split, index):
        return tf.gather(tf.constant(self.files[split]), index), tf.gather(self.labels[split], index)

    def decode(self, record, names):
        file, label = record
        return {name: load(file, self.shape) if name == "x" else label for name in names}


def load(file, shape):
    """Reads a file's image, resized and cropped to `shape`: uint8 [height, width, channels]."""
    image = tf.io.decode_image(tf.io.read_file(file), channels=shape[2], expand_animations=False)
    image = tf.ensure_shape(image, (None, None, shape[2]))
    fitting = tf.reduce_all(tf.shape(image)[:2] == shape[:2])
    return tf.ensure_shape(tf.cond(fitting, lambda: image, lambda: sizes.resize_and_crop(image, shape[:2])), shape)


def open_folder(name, entries, log):
    """Opens `image_folder:PATH`. Every file is read once here, so that one that is corrupt is found before training."""
    asked = options.take(options.Images, name, entries)
    root = pathlib.Path(name.partition(":")[2]).expanduser()
    files = _find(name, root)
    log(f"Reading {len(files)} images of {root}.")
    size, channels, kept = _read_all(name, root, files, asked.size)
    shape = (*size, channels)
    relative = [file.relative_to(root).as_posix() for file in files]
    test = _held_out(relative)
    names, labels = folders.labels_of(relative)
    indices = {"train": [i for i, held in enumerate(test) if not held],
               "test": [i for i, held in enumerate(test) if held]}
    split_sizes = sizes.hold_out(name, {split: len(rows) for split, rows in indices.items()}, asked.validation)
    if asked.validation:
        indices["validation"] = indices["train"][-asked.validation:]
        indices["train"] = indices["train"][:-asked.validation]
    source = FolderSource({split: [str(files[i]) for i in rows] for split, rows in indices.items()},
                          {split: labels[rows] for split, rows in indices.items()}, shape)
    label = {"label": Field("class", (), len(names), tuple(names))} if names else {}
    dataset = DataSet(name, folders.version_of(relative, files), {"x": Field("image", shape, 256)} | label, split_sizes,
                      source, options=asked)
    if kept:
        for split, rows in indices.items():
            x = np.stack([np.broadcast_to(kept[i], shape) for i in rows])
            dataset.cache[split] = {"x": x} | ({"label": labels[rows]} if names else {})
    return dataset


def _held_out(paths):
    """Tells whether each path is in the test split."""
    hashes = [int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") / 2**64 for path in paths]
    lent = sorted(hashes)[FEWEST_TO_TEST - 1]
    return [value < 0.1 or value <= lent for value in hashes]


def _find(name, root):
    """Finds the images under `root`, sorted; raises BadInput if there are too few."""
    images, num = folders.find_files(name, root, ("image_folder", "images", ENDINGS))
    if len(images) < FEWEST:
        raise BadInput(f"--dataset={name}: found {len(images)} images among {num} files, at least {FEWEST} that end in "
                       f"{', '.join(ENDINGS)} are needed.")
    return images


def _read_all(name, root, files, size):
    """Reads every file: (size, channels, images as uint8 arrays or None where they are too many to keep)."""

    def read(file):
        try:
            with tf.device("CPU:0"):
                image = tf.io.decode_image(tf.io.read_file(str(file)), expand_animations=False)
                image = image[..., :1] if image.shape[-1] < 3 else image[..., :3]  # an alpha channel is dropped
                stored = tuple(image.shape[:2])
                return stored, (image if size in (None, stored) else sizes.resize_and_crop(image, size)).numpy()
        except tf.errors.OpError as error:
            return None, str(error.message).splitlines()[0]

    broken, kept, shapes, channels, room = [], [], {}, 1, CACHE_BYTES
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for file, (stored, image) in zip(files, pool.map(read, files)):
            if stored is None:
                broken.append(f"{file.relative_to(root)} ({image})" if len(broken) < 5 else "")
                continue
            shapes.setdefault(stored, file)
            channels = max(channels, image.shape[2])
            room -= math.prod(image.shape[:2]) * 3
            if room >= 0 and kept is not None:
                kept.append(image)
            else:
                kept = None
    if broken:
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        raise BadInput(f"--dataset={name}: {len(broken)} of {len(files)} images can't be decoded: "
                       f"{', '.join(broken[:5])}{more}; "
                       "remove or replace them.")
    if size is None and len(shapes) > 1:
        (one, a), (two, b) = list(shapes.items())[:2]
        raise BadInput(f"--dataset={name}: images of {len(shapes)} sizes, such as {a.name} of {one[0]}x{one[1]} and "
                       f"{b.name} of {two[0]}x{two[1]}; "
                       "set --config.data.image_size, for example "
                       f"--config.data.image_size={min(min(shape) for shape in shapes)}.")
    return size or next(iter(shapes)), channels, kept
