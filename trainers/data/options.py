"""What a reader of data can be asked for: the entries of --config.data, each with its default, its unit and its check.

A kind of data is a class, and its attributes are the entries that it takes. A reader makes one from what was asked for
by `take`, once, and reads its attributes; what is wrong with an entry is said here alone.
"""

import dataclasses
from typing import ClassVar

from trainers.errors import BadInput
from zoo.checks import nearest

BINARIZATIONS = ("auto", "dynamic", "stored", "threshold")
TOKENIZERS = ("auto", "characters", "bytes", "bpe", "grammar")


def _entry(default, wrong):
    """Declares an entry; `wrong`: from a value to what a message says of it after its name, None where it is right."""
    return dataclasses.field(default=default, metadata={"wrong": wrong})


def _count(unit):
    def wrong(value):
        right = type(value) is int and value >= 0
        return None if right else f": a number of {unit}, 0 or more, is needed."

    return _entry(0, wrong)


def _choice(names):
    return _entry(names[0], lambda value: None if value in names else f" is unknown; {nearest(str(value), names)}")


def _text(what):
    return _entry("", lambda value: None if isinstance(value, str) else f": {what} is needed.")


def _switch():
    return _entry(False, lambda value: None if isinstance(value, bool) else ": true or false is needed.")


def _part():
    def wrong(value):
        right = isinstance(value, float) and 0 < value < 0.5
        return None if right else (": a part between 0 and 0.5 is needed, which is held out to test, and again for "
                                   "validation.")

    return _entry(0.1, wrong)


def _sides():
    def wrong(value):
        sides = value if isinstance(value, tuple) else (value, value)
        right = len(sides) == 2 and all(type(side) is int and side > 0 for side in sides)
        if right or (type(value) is int and value == 0):
            return None
        return ": a side in pixels, at least 1, is needed, for example 64 (0: as stored)."

    return _entry(0, wrong)


@dataclasses.dataclass(frozen=True)
class Options:
    """What every data set takes. has: what a message says that its examples are.

    partner: a second data set, whose examples are unpaired with this one's, for a model of two.
    """

    has: ClassVar[str] = "examples"
    partner: str = _text("the name of a data set")


@dataclasses.dataclass(frozen=True)
class Images(Options):
    """Images of a folder or of TFDS.

    binarization: for a model of binary images. validation: training examples held out, the last ones. image_size: a
    side in pixels, or (height, width); 0: as stored.
    """

    has: ClassVar[str] = "images"
    binarization: str = _choice(BINARIZATIONS)
    validation: int = _count("examples")
    image_size: int | tuple = _sides()

    @property
    def size(self):
        """(height, width), None for that of the stored images."""
        if isinstance(self.image_size, tuple):
            return self.image_size
        return (self.image_size, self.image_size) if self.image_size else None


@dataclasses.dataclass(frozen=True)
class Points(Options):
    """Points of an embedded set. validation: as of images."""

    has: ClassVar[str] = "points"
    validation: int = _count("examples")


@dataclasses.dataclass(frozen=True)
class SplitRows(Options):
    """A table's rows in splits of their own. standardize: whether columns are brought to mean 0 and deviation 1."""

    has: ClassVar[str] = "rows in splits of their own"
    binarization: str = _choice(BINARIZATIONS)
    validation: int = _count("examples")
    standardize: bool = _switch()


@dataclasses.dataclass(frozen=True)
class Rows(SplitRows):
    """A table's rows. held_out: the part that is held out to test, and again for validation, by their contents."""

    has: ClassVar[str] = "rows of numbers"
    held_out: float = _part()


@dataclasses.dataclass(frozen=True)
class Text(Options):
    """A text in windows.

    tokenizer: one of TOKENIZERS. vocabulary: tokens of byte-pair encoding. length: tokens of an example; 0: 64.
    """

    has: ClassVar[str] = "text"
    validation: int = _count("examples")
    tokenizer: str = _choice(TOKENIZERS)
    vocabulary: int = _count("tokens")
    length: int = _count("places")


@dataclasses.dataclass(frozen=True)
class Lines(Text):
    """Lines of a file. length: 0 is the longest line's, with its end.

    grammar: a file, or one of the zoo, by which lines are judged, and which the tokenizer `grammar` reads them by.
    """

    has: ClassVar[str] = "lines"
    held_out: float = _part()
    grammar: str = _text("the path or the name of a grammar")


@dataclasses.dataclass(frozen=True)
class Sound(Options):
    """Sound of wav files. length: samples of an example; 0: the set's default. rate: samples a second; 0: as stored."""

    has: ClassVar[str] = "sound"
    validation: int = _count("examples")
    length: int = _count("places")
    rate: int = _count("samples a second")
    held_out: float = _part()


@dataclasses.dataclass(frozen=True)
class StoredSound(Options):
    """Sound of TFDS. label: what the label of an example is; empty: the data set's first."""

    has: ClassVar[str] = "sound with splits of its own"
    validation: int = _count("examples")
    length: int = _count("places")
    rate: int = _count("samples a second")
    label: str = _text("the name of a label")


@dataclasses.dataclass(frozen=True)
class Drawings(Options):
    """Drawings of a file. length: points of a drawing at most; 0: as many as the longest has, 250 at most."""

    has: ClassVar[str] = "drawings"
    validation: int = _count("examples")
    length: int = _count("places")
    held_out: float = _part()


@dataclasses.dataclass(frozen=True)
class Sketches(Options):
    """The embedded drawings."""

    has: ClassVar[str] = "drawings of one length"
    validation: int = _count("examples")


KINDS = (Images, Points, Rows, SplitRows, Text, Lines, Sound, StoredSound, Drawings, Sketches)
_DECLARED = {field.name: field for kind in KINDS for field in dataclasses.fields(kind)}
DEFAULTS = {name: field.default for name, field in _DECLARED.items()}  # of every entry of --config.data


def check(entries):
    """Raises BadInput for a name or a value that no kind of data could take."""
    for key, value in entries.items():
        if key not in _DECLARED:
            raise BadInput(f"--config.data.{key} is unknown; {nearest(key, DEFAULTS)}")
        problem = _DECLARED[key].metadata["wrong"](value)
        if problem:
            raise BadInput(f"--config.data.{key}={value}{problem}")


def take(kind, name, entries):
    """Makes the options of a `kind` of data for the data set `name`; what is not among the entries has its default.

    Raises:
        BadInput: for an unknown or wrong entry, or one that is set and that such data have no use for.
    """
    check(entries)
    taken = [field.name for field in dataclasses.fields(kind)]
    for key, default in DEFAULTS.items():
        value = entries.get(key, default)
        if key not in taken and value != default:
            raise BadInput(f"--config.data.{key}={value}: --dataset={name} has {kind.has}, which have no use for it as "
                           f"{_takers(key)} have; leave it {default or 'out'}.")
    return kind(**{key: entries[key] for key in taken if key in entries})


def _takers(key):
    """Returns the kinds of data that take an entry, as a sentence lists them."""
    found = [kind.has for kind in KINDS if key in (field.name for field in dataclasses.fields(kind))]
    return " and ".join(filter(None, [", ".join(found[:-1]), found[-1]]))
