"""What a model's examples are, what they are conditional on and what goes with them: the declaration that data fulfil.

A condition is a domain of its own, or several of them by name: a class, features, a label map, another image, a pose,
what is known of the example itself. So data, checks, signatures, pictures and tests treat every condition alike; a
condition of several parts is a dict of tensors, and goes through `tf.nest`.
"""

import dataclasses

import numpy as np
import tensorflow as tf

_INTEGERS = ("levels", "tokens", "class", "labels")
_COUNTED = ("levels", "class", "labels")  # kinds that mean nothing without a number of levels


@dataclasses.dataclass(frozen=True)
class Domain:
    """What examples, or conditions of examples, are.

    kind: of examples `binary` (float32 in {0, 1}), `levels` (int32 in 0..levels-1), `real` (float32), `tokens` (int32),
        `waveform` (float32) or `strokes` (float32 [T, 5], steps of a pen as `zoo.distributions.strokes` says). Of
        conditions one of these, or `class` (int32, shape ()), `labels` (int32 [H, W], the class of every pixel) or
        `known` (float32, the example itself where `mask` is true, and -1 elsewhere).
    shape: of one example. levels: number of values that a discrete entry can take; of classes, how many there are.
    range: (low, high) to which the values of `real` image data are scaled; None leaves tables, points and features as
        they are.
    dequantized: whether `real` image data get uniform noise of one level's width (a density of real values needs it).
    condition: what the model is conditional on: a domain, or {name: domain}; its batch is then (x, condition).
    partner: the domain of a second, unpaired set of examples; its batch is (x, partner) or (x, condition, partner).
    group: k: an example is k examples of one label, x [batch, k, *shape]. A class is one for all of them, [batch];
        other conditions are each one's own, [batch, k, ...].
    mask: bool [height, width], as nested tuples, where `known` images are known.

    Raises:
        ValueError: if a condition or a partner has a condition, a partner or noise of its own, or a number is missing
            or too small.
    """

    kind: str
    shape: tuple
    levels: int | None = None
    range: tuple | None = None
    dequantized: bool = False
    condition: "Domain | dict | None" = None
    partner: "Domain | None" = None
    group: int | None = None
    mask: tuple | None = None

    def __post_init__(self):
        if self.kind in _COUNTED and not self.levels:
            raise ValueError(f"a domain of kind {self.kind!r} needs levels, at least 1, found {self.levels}.")
        if (self.kind == "known") != (self.mask is not None):
            raise ValueError("mask: goes with the kind 'known', and that needs one.")
        if self.group is not None and self.group < 1:
            raise ValueError(f"group must be at least 1, found {self.group}.")
        if isinstance(self.condition, dict) and not (self.condition and all(map(str, self.condition))):
            raise ValueError(f"condition: a name for each part is needed, found {list(self.condition)}.")
        for part in self.conditions().values():
            if part.conditional or part.partner or part.dequantized:
                raise ValueError("condition: has no condition, partner or dequantization of its own.")
        if self.partner is not None and (self.partner.conditional or self.partner.partner):
            raise ValueError("partner: has no condition and no partner of its own.")
        if self.mask is not None:
            object.__setattr__(self, "mask", tuple(tuple(map(bool, row)) for row in np.asarray(self.mask)))

    @property
    def dtype(self):
        return tf.int32 if self.kind in _INTEGERS else tf.float32

    @property
    def conditional(self):
        return self.condition is not None

    @property
    def num_classes(self):
        """How many classes there are, if the condition is one class and nothing else; else None."""
        one = isinstance(self.condition, Domain) and self.condition.kind == "class"
        return self.condition.levels if one else None

    @property
    def places(self):
        """The shape of a mask of what is known: the channels of a pixel, or the numbers of a pen's step, together."""
        return tuple(self.shape[:-1] if len(self.shape) == 3 or self.kind == "strokes" else self.shape)

    @property
    def grouped(self):
        """(k,) of groups, else ()."""
        return (self.group,) if self.group else ()

    @property
    def example_shape(self):
        """The shape of one row of x: of a group, of all its examples."""
        return (*self.grouped, *self.shape)

    def conditions(self):
        """Returns the condition's parts by name, grouped as x is; of a condition that has no names its one part by ''.
        """
        if self.condition is None:
            return {}
        parts = self.condition if isinstance(self.condition, dict) else {"": self.condition}
        grouped = {name: self.group for name, part in parts.items() if self.group and part.kind != "class"}
        return {name: dataclasses.replace(part, group=grouped.get(name)) for name, part in parts.items()}

    def spec(self, batch_size=None):
        """Returns the `tf.TensorSpec` of x."""
        return tf.TensorSpec((batch_size, *self.example_shape), self.dtype)

    def condition_spec(self, batch_size=None):
        """Returns the `tf.TensorSpec`s of a batch's condition, of its structure, or None."""
        specs = {name: part.spec(batch_size) for name, part in self.conditions().items()}
        return specs if isinstance(self.condition, dict) else specs.get("")

    def batch_spec(self, batch_size=None):
        """Returns the `tf.TensorSpec`s of a batch: x, (x, condition), (x, partner) or (x, condition, partner)."""
        partner = self.partner and self.partner.spec(batch_size)
        return self.join(self.spec(batch_size), self.condition_spec(batch_size), partner)

    def join(self, x, condition=None, partner=None):
        """Joins these parts to a batch."""
        parts = (x, *([condition] if self.conditional else []), *([partner] if self.partner else []))
        return parts if len(parts) > 1 else x

    def split(self, batch):
        """Splits a batch into (x, condition, partner), None for what the domain does not have. Raises ValueError for
        others.
        """
        parts = batch if isinstance(batch, (tuple, list)) else (batch,)
        names = ["x"] + ["condition"] * self.conditional + ["partner"] * (self.partner is not None)
        if len(parts) != len(names):
            raise ValueError(f"a batch of ({', '.join(names)}) is needed, found {len(parts)} parts.")
        found = dict(zip(names, parts))
        return found["x"], found.get("condition"), found.get("partner")

    def require(self, condition):
        """Raises ValueError if the condition is missing, has other parts, or has no use."""
        if self.condition is None and condition is not None:
            raise ValueError("condition: this model takes none.")
        if self.condition is None or _keys(condition) == _keys(self.condition) and condition is not None:
            return
        parts = [f"{name!r}, {describe(part)}," if name else describe(part) for name, part in self.conditions().items()]
        found = f", found {', '.join(map(repr, condition)) or 'none'}" if isinstance(condition, dict) else ""
        verb = "is" if len(parts) == 1 and not parts[0].startswith("features") else "are"
        raise ValueError(f"condition: {' and '.join(parts)} per row {verb} needed{found}.")


def _keys(condition):
    return sorted(condition) if isinstance(condition, dict) else None


def describe(part):
    """Says what one part of a condition is, as a sentence says it."""
    if part.kind == "real" and part.range is None:
        return f"features of shape {tuple(part.shape)}"
    shape = "x".join(map(str, part.shape))
    things = {"class": "a class label", "labels": f"a label map of {shape} with {part.levels} classes",
              "known": "what is known of the example itself", "tokens": f"{shape} tokens",
              "waveform": f"a sound of {shape} samples", "strokes": f"strokes of shape {tuple(part.shape)}"}
    return things.get(part.kind, f"an image of shape {tuple(part.shape)}")


def one_class(levels):
    """Returns the condition that is one of `levels` classes."""
    return Domain("class", (), levels)


def of_features(shape):
    """Returns the condition that is real-valued: an embedding, a pose, or a local feature in time."""
    return Domain("real", tuple(shape))


def label_map(shape, levels):
    """Returns the condition that is a class, of `levels`, for every pixel of an image of `shape` (height, width)."""
    return Domain("labels", tuple(shape[:2]), levels)


def known(domain, mask):
    """Returns the condition that is an example of `domain` itself, where `mask` (bool [height, width]) is true."""
    return Domain("known", domain.shape, domain.levels, domain.range, mask=mask)


def condition_of(classes=None, features=None):
    """Returns the condition of a model that takes a number of classes, or a shape of features, or (None, None) none."""
    if features:
        return of_features(features)
    return one_class(classes) if classes else None


def split_batch(batch):
    """Splits a batch of a domain that has no partner, x or (x, condition), into (x, condition), None for none."""
    return batch if isinstance(batch, (tuple, list)) else (batch, None)


def take_rows(parts, index):
    """Returns the rows `index` of every tensor of a structure; None stays."""
    return tf.nest.map_structure(lambda part: None if part is None else tf.gather(part, index), parts)


def repeat_rows(parts, num):
    """Returns every tensor of a structure with each of its rows `num` times; None stays."""
    return tf.nest.map_structure(lambda part: None if part is None else tf.repeat(part, num, axis=0), parts)


def concat_rows(structures):
    """Puts the rows of equal structures one after another; None stays."""
    return tf.nest.map_structure(lambda *parts: None if parts[0] is None else tf.concat(parts, 0), *structures)
