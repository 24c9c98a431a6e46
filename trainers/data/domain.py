"""From stored examples to a model's domain: binarization, levels, dequantization and scaling, with the checks and the record of what was done.

Every one is a little arithmetic on a batch of stored examples, so that what is kept in memory is what is stored. Noise is 15 bits an entry: a
Bernoulli's probability is exact to 2^-16, and level + u (u the middle of its 2^-15 step) is exact in float32 and never rounds up to the next level.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from trainers.errors import BadInput
from zoo import nearest

BINARIZATIONS = ("auto", "dynamic", "stored", "threshold")
UNIT = 1 << 15
FULL_SCALE = 1 << 15  # of 16-bit sound: a waveform is on [-1, 1)


class Encoding(NamedTuple):
    """finish: the function (x, bits) from a batch as stored to the model's; noisy: whether it needs bits (uint16 in 0..2^15-1, x's shape)."""

    noisy: bool
    finish: Callable


def binarization(dataset, domain, data_config):
    """`stored`, `dynamic` or `threshold`; None if the model reads no binary images. Raises BadInput for what does not fit."""
    asked = data_config.get("binarization", "auto")
    if asked not in BINARIZATIONS:
        raise BadInput(f"--config.data.binarization={asked} is unknown; {nearest(asked, BINARIZATIONS)}")
    if domain.kind != "binary":
        if asked != "auto":
            raise BadInput(f"--config.data.binarization={asked}: the model reads {_reads(domain)}, which nothing binarizes; leave it 'auto'.")
        return None
    if dataset.levels == 2:
        if asked in ("dynamic", "threshold"):
            raise BadInput(f"--config.data.binarization={asked}: --dataset={dataset.name} is stored binary; allowed are 'auto' and 'stored'.")
        return "stored"
    if asked == "stored":
        raise BadInput(f"--config.data.binarization=stored: --dataset={dataset.name} has {dataset.levels} levels a pixel; "
                       "allowed are 'dynamic' and 'threshold'.")
    return "dynamic" if asked == "auto" else asked


def _reads(domain):
    things = "images" if len(domain.shape) == 3 else "rows"
    what = {"binary": f"binary {things}", "levels": f"{things} of {domain.levels} levels", "tokens": f"tokens of a vocabulary of {domain.levels}",
            "waveform": "waveforms", "strokes": "strokes"}
    return what.get(domain.kind) or ("real images" if domain.range else "real points")


def _has(dataset):
    return {"image": "images", "text": "text", "audio": "sound", "strokes": "strokes"}.get(dataset.kind) or ("binary rows" if dataset.levels else "real points")


def _choose(dataset, domain):
    """What to choose in the place of a data set of another kind than the model reads; None where it reads the data set's."""
    image, points = dataset.kind == "image", dataset.kind == "points"
    fits, advice = {
        "binary": (image or (points and dataset.levels), "choose a data set of images, or a binary table."),
        "levels": (image or (points and dataset.levels), "choose a data set of images."),
        "real": (image, "choose a data set of images.") if domain.range else
                (points and not dataset.levels, "choose a data set of points, for example toy2d/eight_gaussians."),
        "tokens": (dataset.kind == "text", "choose a text, for example pysource."),
        "strokes": (dataset.kind == "strokes", "choose drawings, for example sketches, or ndjson:PATH."),
        "waveform": (dataset.kind == "audio", "choose a data set of sound, for example tones."),
    }[domain.kind]
    return None if fits else advice


def check(dataset, domain, data_config):
    """Raises BadInput if a model of this domain can't be given this data set."""
    if advice := _choose(dataset, domain):
        raise BadInput(f"--dataset={dataset.name} has {_has(dataset)} of shape {dataset.shape}, the model reads {_reads(domain)} of shape {tuple(domain.shape)}; "
                       + advice)
    if tuple(domain.shape) != tuple(dataset.shape):
        height, width, channels = tuple(domain.shape) if dataset.kind == "image" and len(domain.shape) == 3 else (None, None, None)
        sized = height == width and channels == dataset.shape[-1] and dataset.levels == 256
        long = (dataset.kind in ("text", "audio") and len(domain.shape) == 1) or dataset.name.startswith("ndjson:")
        flag = f"image_size={height}" if sized else f"length={domain.shape[0]}" if long else None
        raise BadInput(f"--dataset={dataset.name} has examples of shape {dataset.shape}, the model takes {tuple(domain.shape)}; "
                       + (f"set --config.data.{flag}." if flag else "train a model on this data set, or choose one of the model's shape."))
    if domain.kind == "tokens" and domain.levels != dataset.levels:
        raise BadInput(f"--dataset={dataset.name} has a vocabulary of {dataset.levels} tokens, the model has {domain.levels}; "
                       f"set --config.model.levels={dataset.levels}.")
    if domain.kind == "levels" and domain.levels > dataset.levels:
        raise BadInput(f"--dataset={dataset.name} has {dataset.levels} levels, the model has {domain.levels}; "
                       f"set --config.model.levels={dataset.levels}, or less.")
    if domain.dequantized and domain.levels != dataset.levels:
        raise BadInput(f"--dataset={dataset.name} has {dataset.levels} levels, the model dequantizes {domain.levels}; "
                       f"set --config.model.levels={dataset.levels}.")
    if domain.classes and domain.classes != dataset.classes:
        has = f"{dataset.classes} classes" if dataset.classes else "no labels"
        raise BadInput(f"--dataset={dataset.name} has {has}, the model is conditional on {domain.classes}; "
                       + (f"set --config.model.classes={dataset.classes}." if dataset.classes else "leave --config.model.classes out."))
    features = dataset.features or (dataset.classes and (dataset.classes,))
    if domain.features and domain.given is None and tuple(domain.features) != features:
        raise BadInput(f"--dataset={dataset.name} has {f'features of shape {features}' if features else 'neither features nor labels'}, the model is conditional "
                       f"on features of shape {tuple(domain.features)}; "
                       + (f"set --config.model.features={features}." if features else "leave --config.model.features out."))
    binarization(dataset, domain, data_config)


def protocol(dataset, domain, data_config):
    """What a record of a result says about its data."""
    mode = binarization(dataset, domain, data_config)
    return dict(dataset=dataset.name, version=dataset.version, shape=list(dataset.shape), binarization=mode,
                levels=2 if mode else domain.levels if domain.kind == "levels" else dataset.levels,
                dequantization="uniform" if domain.kind == "real" and domain.dequantized and dataset.levels else None,
                range=list(domain.range) if domain.range else None,
                held_out={split: size for split, size in dataset.sizes.items() if split != "train"},
                **({"rate": dataset.rate} if dataset.rate else {}), **dataset.facts)


def encoding(dataset, domain, data_config):
    """How stored examples of `dataset` become those of `domain`, an `Encoding`."""
    levels, mode = dataset.levels, binarization(dataset, domain, data_config)
    if mode == "dynamic":  # x ~ Bernoulli(level / (levels - 1)): bits + 1/2 < level UNIT / (levels - 1), multiplied out to be exact in float32
        top = levels - 1.0
        return Encoding(True, lambda x, bits: tf.cast(tf.cast(bits, tf.float32) * top < tf.cast(x, tf.float32) * UNIT - 0.5 * top, tf.float32))
    if mode == "threshold":  # level / (levels - 1) >= 1/2
        return Encoding(False, lambda x, bits: tf.cast(x >= levels // 2, tf.float32))
    if domain.kind == "levels":
        same = domain.levels == levels
        return Encoding(False, lambda x, bits: tf.cast(x, tf.int32) if same else tf.cast(x, tf.int32) * domain.levels // levels)
    if domain.kind == "tokens":
        return Encoding(False, lambda x, bits: x)
    if domain.kind == "waveform":
        return Encoding(False, lambda x, bits: tf.cast(x, tf.float32) * (1.0 / FULL_SCALE))
    if mode == "stored" or dataset.kind in ("points", "strokes"):
        return Encoding(False, lambda x, bits: tf.cast(x, tf.float32))
    low, high = domain.range
    if domain.dequantized:  # low + (high - low) (level + u) / levels
        scale = (high - low) / levels
        return Encoding(True, lambda x, bits: low + scale * (tf.cast(x, tf.float32) + (tf.cast(bits, tf.float32) + 0.5) * (1.0 / UNIT)))
    scale = (high - low) / (levels - 1)
    return Encoding(False, lambda x, bits: low + scale * tf.cast(x, tf.float32))
