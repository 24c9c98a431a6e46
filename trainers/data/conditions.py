"""Conditions: which field of a data set each part of a model's condition is, and how the one becomes the other.

A condition of named parts is made of the fields of these names. One without a name is made of what fits: a class of the
label; features of the features, or of the label's indicator vector; what is known of the example of the example itself;
anything else of the one further field of its kind and shape.
"""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from trainers.data.encoding import encoding_of
from trainers.errors import BadInput
from zoo.domain import describe

# Of a part of a condition -> of the field that it can be; real numbers that have a range are images.
_KINDS = {"class": ("class",), "labels": ("labels",), "binary": ("image",), "levels": ("image",), "tokens": ("text",),
          "waveform": ("audio",), "strokes": ("strokes",)}


@dataclasses.dataclass(frozen=True)  # a leaf to tf.nest, as a tuple is not
class Reading:
    """field: the name of what is read. finish: from a batch of it as stored (`x`: as the model reads it)."""

    field: str
    finish: Callable


def readings(dataset, domain):
    """Returns the `Reading` of each part of a domain's condition, in a structure like it; None without a condition.

    Raises BadInput where nothing fits.
    """
    if not domain.conditional:
        return None
    if isinstance(domain.condition, dict):
        return {name: _named(dataset, domain, name, part) for name, part in domain.condition.items()}
    return _fitting(dataset, domain, domain.condition)


def names(found):
    """Returns the names of the fields that are read besides x."""
    return [reading.field for reading in tf.nest.flatten(found) if reading is not None and reading.field != "x"]


def _named(dataset, domain, name, part):
    if part.kind == "known":
        return _known(part)
    if name not in dataset.fields:
        raise BadInput(f"--dataset={dataset.name} has {_has(dataset)}; the model is conditional on "
                       f"{name!r}, {describe(part)}: choose a data set with a field of that name.")
    return _reading(dataset, domain, name, part)


def _fitting(dataset, domain, part):
    """Returns the reading of a condition that has no name."""
    if part.kind == "known":
        return _known(part)
    if part.kind == "class":
        return _class(dataset, domain, part)
    if part.kind == "real" and not part.range:
        return _features(dataset, part)
    fields = _further(dataset, part)
    if len(fields) != 1:
        fits = f"{' and '.join(map(repr, fields))} fit" if fields else "nothing fits"
        raise BadInput(f"--dataset={dataset.name} has {_has(dataset)}; the model is conditional on "
                       f"{describe(part)}, which {fits}: choose a data set that has one.")
    return _reading(dataset, domain, fields[0], part)


def _known(part):
    return Reading("x", lambda x: tf.where(tf.constant(part.mask)[..., None], tf.cast(x, tf.float32), -1.0))


def _class(dataset, domain, part):
    if part.levels != dataset.classes:
        has = f"{dataset.classes} classes" if dataset.classes else "no labels"
        advice = (
            f"set --config.model.classes={dataset.classes}" if dataset.classes else "leave --config.model.classes out"
        )
        raise BadInput(f"--dataset={dataset.name} has {has}, the model is conditional on {part.levels}; {advice}.")
    return _reading(dataset, domain, "label", part)


def _features(dataset, part):
    features = dataset.features or (dataset.classes and (dataset.classes,))
    if tuple(part.shape) == features and not dataset.features:
        return Reading("label", lambda label: tf.one_hot(label, part.shape[0]))
    found = ["features"] if tuple(part.shape) == features else _further(dataset, part)
    if len(found) != 1:
        has = f"features of shape {features}" if features else "neither features nor labels"
        advice = f"set --config.model.features={features}" if features else "leave --config.model.features out"
        raise BadInput(f"--dataset={dataset.name} has {has}, the model is conditional on features of shape "
                       f"{tuple(part.shape)}; {advice}.")
    return Reading(found[0], lambda value: tf.cast(value, tf.float32))


def _reading(dataset, domain, name, part):
    """Returns the reading of a part from a field, checked. Raises BadInput where the field is something else."""
    field = dataset.fields[name]
    if not _fits(field, part):
        raise BadInput(f"--dataset={dataset.name} has {_is(name, field)}; the model's condition is {describe(part)}: "
                       f"choose a data set whose {name!r} is, or another model.")
    counted = part.kind in ("class", "labels", "tokens")
    if (counted and part.levels != field.levels) or (part.kind == "levels" and part.levels > field.levels):
        raise BadInput(f"--dataset={dataset.name} has {_is(name, field)}; the model's condition has {part.levels} in "
                       f"place of {field.levels}: make the model for as many.")
    if part.kind == "class":
        return Reading(name, functools.partial(_class_of, bool(domain.group)))
    if part.kind == "labels" or field.kind == "features":
        return Reading(name, lambda value: tf.cast(value, part.dtype))
    mode = None
    if part.kind == "binary":
        mode = "stored" if field.levels == 2 else "threshold"
    return Reading(name, lambda value: encoding_of(field, part, mode).finish(value, None))


def _further(dataset, part):
    """Returns the names of the fields besides x that a part can be."""
    return [name for name, field in dataset.fields.items() if name != "x" and _fits(field, part)]


def _class_of(grouped, label):
    """Returns the label, of a group the one of all."""
    return label[:, 0] if grouped else label


def _fits(field, part):
    """Tells whether a field is of the kind and shape of a part of a condition."""
    kinds = _KINDS.get(part.kind) or (("image",) if part.range else ("features", "points"))
    return field.kind in kinds and tuple(field.shape) == tuple(part.shape)


def _is(name, field):
    shaped = f"of shape {tuple(field.shape)}"
    what = {"class": f"{field.levels} classes", "labels": f"label maps of {field.levels} classes {shaped}",
            "image": f"images {shaped}", "features": f"real numbers {shaped}", "audio": f"sound {shaped}"}
    return f"{name!r} ({what.get(field.kind, f'{field.kind} {shaped}')})"


def _has(dataset):
    return ", ".join(_is(name, field) for name, field in dataset.fields.items())
