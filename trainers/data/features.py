"""Features of a TFDS builder as fields: the image that models are of, its label, and what else goes with it."""

import tensorflow as tf
import tensorflow_datasets as tfds

from trainers.data.dataset import Field


def image_key(features):
    """Returns the name of the feature that models are of: `image`, or the first image that is no label map; or None."""
    images = [key for key, feature in features.items() if _is_image(feature)]
    if "image" in images:
        return "image"
    return images[0] if images else None


def label_key(info):
    """Returns the name of the feature that is the class of an example, or None."""
    features = dict(info.features.items())
    supervised = info.supervised_keys[1] if info.supervised_keys else None
    for key in (supervised, "label"):
        if isinstance(features.get(key), tfds.features.ClassLabel):
            return key
    return None


def class_field(features, label):
    """Returns {label: its `Field`}, or {} where `label` is None."""
    return {"label": Field("class", (), features[label].num_classes, tuple(features[label].names))} if label else {}


def further_fields(features, taken, size):
    """Returns {name: `Field`} of what else an image of `size` has: label maps, images, classes, real numbers."""
    found = {}
    for key, feature in features.items():
        if key in (*taken, "x", "label"):
            continue
        if isinstance(feature, tfds.features.LabeledImage):
            names = tuple(feature.names or ())
            found[key] = Field("labels", size, feature.num_classes, names)
        elif _is_image(feature) and feature.shape[-1] is not None and feature.np_dtype == "uint8":
            found[key] = Field("image", (*size, feature.shape[-1]), 256)
        elif isinstance(feature, tfds.features.ClassLabel):
            found[key] = Field("class", (), feature.num_classes, tuple(feature.names))
        elif type(feature) is tfds.features.Tensor and feature.tf_dtype == tf.float32 and None not in feature.shape:
            found[key] = Field("features", tuple(feature.shape))
    return found


def _is_image(feature):
    return isinstance(feature, tfds.features.Image) and not isinstance(feature, tfds.features.LabeledImage)
