"""Which places of an example are given when it is completed: the masks by which models are compared.

top, left: that half of an image. first: the first half of a table's row, a text or a sound. random: each place with probability 1/2, another draw for
each example.
"""

import numpy as np

_IMAGE, _ROW = ("top", "left", "random"), ("first", "random")
_SEED = 20


def names(places):
    """The masks of examples with places of this shape."""
    return _IMAGE if len(places) == 2 else _ROW


def make(name, places, num):
    """bool [num, *places], true where an example is given; the same for the same name, places and number of the example."""
    mask = np.zeros((num, *places), bool)
    if name == "random":
        for row in range(num):
            mask[row] = np.random.default_rng([_SEED, row]).random(places) < 0.5
    elif name == "left":
        mask[:, :, :places[1] // 2] = True
    else:
        mask[:, :places[0] // 2] = True
    return mask
