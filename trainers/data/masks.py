"""Which places of an example are given when it is completed: the masks by which models are compared.

top, left: that half of an image. first: the first half of a table's row, a text, a sound or a sketch. random: each
place with probability 1/2, another draw for each example.
"""

import numpy as np

_IMAGE, _ROW, _SKETCH = ("top", "left", "random"), ("first", "random"), ("first",)
_SEED = 20


def names(places, kind=None):
    """Lists the masks of examples with places of this shape, and of a domain's kind."""
    if kind == "strokes":
        return _SKETCH
    return _IMAGE if len(places) == 2 else _ROW


def of(name, domain, x):
    """Makes the masks of examples x: those of `make`, but of a sketch the first half of its own steps, its end not
    counted."""
    if domain.kind != "strokes":
        return make(name, domain.places, len(x))
    steps = counted(domain, x).sum(1, keepdims=True) - 1
    return np.arange(domain.shape[0]) < (steps + 1) // 2


def counted(domain, x):
    """Finds which places of examples x say something, bool [num, *places]: all, but of a sketch only those up to its
    end."""
    if domain.kind != "strokes":
        return np.ones((len(x), *domain.places), bool)
    ends = np.asarray(x)[..., 4] > 0.5
    return np.cumsum(ends, -1) - ends == 0


def make(name, places, num):
    """Makes bool [num, *places], true where an example is given; the same for the same name, places and number of the
    example."""
    mask = np.zeros((num, *places), bool)
    if name == "random":
        for row in range(num):
            mask[row] = np.random.default_rng([_SEED, row]).random(places) < 0.5
    elif name == "left":
        mask[:, :, :places[1] // 2] = True
    else:
        mask[:, :places[0] // 2] = True
    return mask
