"""Inputs and outputs of a signature, as a model's domain and controls declare them: type, shape, meaning, unit and
range, which the card says, and how an example is drawn, which the folder holds.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.domain import describe

_UNITS = {
    "binary": "pixel that is 0 or 1", "levels": "level", "tokens": "token: its number in the tokenizer",
    "waveform": "amplitude",
    "strokes": "steps (dx, dy, p1, p2, p3): an offset in the data's unit; which is 1: a line goes on, the pen is "
               "lifted, the drawing has ended"}


class Input(NamedTuple):
    """An input of a signature.

    shape: None is the batch. meaning, unit: in words. draw: (rng, num) -> an example of num rows, an array.
    range: (low, high) of its values; None: any. default: the usual value, of a control.
    """

    name: str
    dtype: tf.DType
    shape: tuple
    meaning: str
    unit: str
    draw: Callable
    range: tuple | None = None
    default: float | int | None = None

    @property
    def spec(self):
        """Returns the `tf.TensorSpec`."""
        return tf.TensorSpec(self.shape, self.dtype, name=self.name)

    def once(self):
        """Returns the input that is the same for all rows: without the batch."""
        return self._replace(shape=self.shape[1:], meaning=f"{self.meaning}, the same for all rows",
                             draw=lambda rng, num: self.draw(rng, 1)[0])


class Output(NamedTuple):
    """An output of a signature; its type and shape are the graph's. range: as of an input."""

    name: str
    meaning: str
    unit: str
    range: tuple | None = None


def seed(name="seed"):
    """Returns the input that is a seed for each row."""
    meaning = "the row's own seed: the same seed draws the same noise"
    return Input(name, tf.int32, (None, 2), meaning, "none", _seeds)


def weight(meaning):
    """Returns the input that says, for each row, how far on the way from 0 to 1 it is; the example stays off both."""
    return Input("weight", tf.float32, (None,), meaning, "none", uniform(0.1, 0.9), (0, 1))


def control(name, declared):
    """Returns the input that is a value of a `zoo.control.Control` for each row."""
    return Input(name, declared.dtype, (None,), declared.meaning, declared.unit, _near(declared),
                 (declared.low, declared.high), declared.default)


def example(domain, name, meaning):
    """Returns the input that is an example of the domain."""
    shape = (None, *domain.example_shape)
    return Input(name, domain.dtype, shape, meaning, _unit(domain), _examples(domain), _limits(domain))


def mean(domain, name="x"):
    """Returns the output that is what a decoder gives: float32 in the example's unit, or tokens."""
    meaning = "the decoded example; its mean where the decoder is a distribution"
    if domain.kind == "tokens":
        meaning = "the decoded example: at each place the likeliest token after those before it"
    return Output(name, meaning, _unit(domain), _limits(domain))


def conditions(domain):
    """Returns the inputs that are the parts of the domain's condition: none, `condition`, or `condition_NAME` each."""
    return tuple(_condition(part, f"condition_{name}" if name else "condition", f"{name}: " if name else "")
                 for name, part in domain.conditions().items())


def condition_of(domain, given):
    """Returns the condition as the model takes it, of {input: tensor} of a signature."""
    if isinstance(domain.condition, dict):
        return {name: given[f"condition_{name}"] for name in domain.condition}
    return given.get("condition")


def _condition(part, name, of):
    """Returns the input that is one part of a condition; `of` begins its meaning."""
    shape = (None, *part.example_shape)
    if part.kind in ("class", "labels"):
        meaning = "class label" if part.kind == "class" else "the class of every pixel"
        drawn = integers(0, part.levels - 1, part.example_shape)
        return Input(name, tf.int32, shape, of + meaning, "class", drawn, (0, part.levels - 1))
    if part.kind == "known":
        limits = part.range or (0, (part.levels or 2) - 1)
        meaning = "the example itself, of which the pixels that the model is given are read, and no others"
        drawn = uniform(*limits, part.example_shape)
        return Input(name, tf.float32, shape, of + meaning, "as the example", drawn, limits)
    features = part.kind == "real" and not part.range
    return example(part, name, of + ("features that the example is given" if features else describe(part)))


def _examples(domain):
    """Returns what draws examples of the domain."""
    limits = _limits(domain)
    if domain.kind == "strokes":
        return lambda rng, num: random_strokes(rng, (num, *domain.example_shape))
    if limits is None:
        return normal(domain.example_shape)
    if domain.dtype == tf.int32 or domain.kind == "binary":
        return integers(*limits, domain.example_shape, domain.dtype)
    return uniform(*limits, domain.example_shape)


def _limits(domain):
    """Returns (low, high) of an example's values, None where there are none."""
    if domain.kind == "binary":
        return (0, 1)
    return (0, domain.levels - 1) if domain.dtype == tf.int32 else domain.range


def _unit(domain):
    if domain.kind == "real" and domain.range:
        return f"value, scaled to {tuple(domain.range)}"
    return _UNITS.get(domain.kind, "as in the data")


def _seeds(rng, num):
    """Draws a seed for each row, int32 [num, 2]."""
    return rng.integers(0, 2 ** 31 - 1, (num, 2), np.int32)


def integers(low, high, shape=(), dtype=tf.int32):
    """Returns what draws whole numbers from low to high, [num, *shape]."""
    return lambda rng, num: rng.integers(low, high + 1, (num, *shape)).astype(dtype.as_numpy_dtype)


def uniform(low, high, shape=()):
    """Returns what draws float32 numbers from low to high, [num, *shape]."""
    return lambda rng, num: rng.uniform(low, high, (num, *shape)).astype(np.float32)


def normal(shape=()):
    """Returns what draws float32 standard normal numbers, [num, *shape]."""
    return lambda rng, num: rng.normal(size=(num, *shape)).astype(np.float32)


def _near(declared):
    """Returns what draws values of a control: whole numbers of its whole range, others from half to twice the usual."""
    if declared.dtype == tf.int32:
        return lambda rng, num: rng.integers(declared.low, declared.high + 1, num, np.int32)
    return uniform(max(declared.low, declared.default / 2), min(declared.high, declared.default * 2 or 1.0))


def random_strokes(rng, shape):
    """Draws sketches of random lengths, from 1 step to all but one of T, and their ends: float32 [..., T, 5]."""
    *rows, length, _ = shape
    ended = np.arange(length) >= rng.integers(1, max(length, 2), rows)[..., None]
    state = np.where(ended, 2, rng.integers(0, 2, (*rows, length)))
    offsets = np.where(ended[..., None], 0.0, rng.normal(size=(*rows, length, 2)))
    return np.concatenate([offsets, np.eye(3)[state]], -1).astype(np.float32)
