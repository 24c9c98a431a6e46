"""A mode of zoo-sample: what it draws, and the flags that go with it."""

from collections.abc import Callable
from typing import NamedTuple

from trainers.pictures import files


class Mode(NamedTuple):
    """What `--mode=name` is.

    draw: (run, num, options, controls) -> (the numbers, the function from a file's ending to its bytes). num:
    --num_samples if it is not given. flags: those that go with no other mode. controls: the model's method whose
    controls it takes, or None. conditioned: whether --condition says on what is drawn. of_examples: whether it takes
    test examples, or draws from noise alone. possible: a model -> whether it can; None: where `name` is one of its
    capabilities.
    """

    name: str
    draw: Callable
    num: int
    flags: tuple = ()
    controls: str | None = None
    conditioned: bool = False
    of_examples: bool = True
    possible: Callable | None = None


def shown(x, run, columns=None):
    """Makes the function from an ending to the bytes of the file that shows examples [num, *shape]."""
    return lambda ending: files.file(x, run.model.domain, ending, run.medium, columns)
