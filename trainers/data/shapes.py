"""`shapes`: every combination of five factors, drawn here in black and white on 32x32 pixels: 4,608 images, nine tenths to train, a tenth to test.

The factors and their values: the shape (3: a square, an ellipse, a heart), its size (4), its angle (6, within a quarter of a turn, so that no two angles of
a square look alike), its horizontal and its vertical place (8 each). Labels are the shapes. A small relative of the sprites on which disentanglement is
measured (I. Higgins et al. 2017).
"""

import itertools

import numpy as np
import tensorflow_datasets as tfds

SIDE = 32
SHAPES = ("square", "ellipse", "heart")
SIZES = np.linspace(4.4, 7.2, 4)  # half the height, in pixels
ANGLES = np.arange(6) * np.pi / 12
PLACES = np.linspace(8.8, 23.1, 8)  # of the centre, in pixels
VALUES = dict(shape=len(SHAPES), size=len(SIZES), angle=len(ANGLES), x=len(PLACES), y=len(PLACES))
TEST = 10  # every tenth of a fixed order is a test image
_FINE = 4  # points along a pixel's side


def factors():
    """All combinations, int64 [4608, 5], the last factor running fastest."""
    return np.array(list(itertools.product(*map(range, VALUES.values()))))


def inside(shape, u, v):
    """Whether points are inside of a shape of about half a height of 1; v goes down."""
    if shape == "square":
        return np.maximum(abs(u), abs(v)) <= 0.8
    if shape == "ellipse":
        return u * u / 0.36 + v * v <= 1
    r = u * u + v * v - 0.6  # the sextic heart curve
    return r * r * r + u * u * v * v * v <= 0


def render(rows):
    """The images of factors [n, 5], uint8 [n, 32, 32, 1] of 0 and 1: a pixel is 1 where more than half of its area is inside of the shape."""
    grid = (np.arange(SIDE * _FINE) + 0.5) / _FINE
    images = np.empty((len(rows), SIDE, SIDE, 1), np.uint8)
    for image, (shape, size, angle, x, y) in zip(images, rows):
        u, v = np.meshgrid(grid - PLACES[x], grid - PLACES[y])
        cos, sin = np.cos(ANGLES[angle]) / SIZES[size], np.sin(ANGLES[angle]) / SIZES[size]
        covered = inside(SHAPES[shape], cos * u + sin * v, cos * v - sin * u)
        image[..., 0] = covered.reshape(SIDE, _FINE, SIDE, _FINE).mean((1, 3)) > 0.5
    return images


class Shapes(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            description=__doc__, supervised_keys=("image", "label"),
            features=tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(SIDE, SIDE, 1)), "label": tfds.features.ClassLabel(names=SHAPES)}))

    def _split_generators(self, dl_manager):
        rows = factors()
        # RandomState, not default_rng: its stream is frozen across NumPy versions, and so is the split.
        rows = rows[np.random.RandomState(0).permutation(len(rows))]
        test = np.arange(len(rows)) % TEST == 0
        return {"train": self._generate_examples(rows[~test]), "test": self._generate_examples(rows[test])}

    def _generate_examples(self, rows):
        for index, (row, image) in enumerate(zip(rows, render(rows))):
            yield index, {"image": image, "label": int(row[0])}
