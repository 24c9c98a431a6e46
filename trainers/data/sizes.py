"""Sizes of images and of splits: read from flags, and brought about."""

import tensorflow as tf

from trainers.errors import BadInput


def flag(size):
    """Returns the flag that asks for (height, width), as a message names it."""
    return f"--config.data.image_size={size[0] if size[0] == size[1] else size}"


def resize_and_crop(image, size, mixed=True):
    """Resizes uint8 [h, w, channels] until it just covers `size`, and crops the centre, [*size, channels].

    mixed: whether a pixel is a mean of its neighbours (antialiased); else the nearest one, as a label map needs.
    """
    height, width = size
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    scale = tf.reduce_max(tf.constant([height, width], tf.float32) / shape)
    covering = tf.maximum(tf.cast(tf.round(shape * scale), tf.int32), [height, width])
    resized = tf.image.resize(image, covering, "bilinear" if mixed else "nearest", antialias=mixed)
    top, left = (covering[0] - height) // 2, (covering[1] - width) // 2
    cropped = tf.cast(resized[top:top + height, left:left + width], tf.float32)
    return tf.cast(tf.clip_by_value(tf.round(cropped), 0, 255), tf.uint8)


def hold_out(name, sizes, validation):
    """Returns the sizes of the splits once the last `validation` training examples are held out. Raises BadInput where
    that can't be."""
    if not validation:
        return dict(sizes)
    if "validation" in sizes:
        raise BadInput(f"--config.data.validation={validation}: --dataset={name} has a validation split of "
                       f"{sizes['validation']} examples already; leave it 0.")
    if validation >= sizes["train"]:
        raise BadInput(f"--config.data.validation={validation}: --dataset={name} has {sizes['train']} training "
                       "examples; "
                       f"at most {sizes['train'] - 1} can be held out.")
    return sizes | {"train": sizes["train"] - validation, "validation": validation}
