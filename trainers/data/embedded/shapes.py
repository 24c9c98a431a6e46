"""`shapes`: every combination of five factors, drawn here in black and white on 32x32 pixels: 4,608 images, nine tenths
to train, a tenth to test.

The factors and their values: the shape (3: a square, an ellipse, a heart), its size (4), its angle (6, within a quarter
of a turn, so that no two angles of a square look alike), its horizontal and its vertical place (8 each). Labels are the
shapes. A small relative of the sprites on which disentanglement is measured (I. Higgins et al. 2017).

Two styles of them, a random third of the combinations each, are for models of pairs, of label maps and of two unpaired
sets: `shapes/colour`, a shape in a colour on a ground in another, and `shapes/outline`, its outline in ink on paper.
Each image has its label map `mask` (the ground and the shapes), and its `pose`; one in colour also the outline of the
same shape, `outline`.
"""

import itertools

import numpy as np
import tensorflow_datasets as tfds

from trainers.data.dataset import Factors

SIDE = 32
SHAPES = ("square", "ellipse", "heart")
SIZES = np.linspace(4.4, 7.2, 4)  # half the height, in pixels
ANGLES = np.arange(6) * np.pi / 12
PLACES = np.linspace(8.8, 23.1, 8)  # of the centre, in pixels
VALUES = dict(shape=len(SHAPES), size=len(SIZES), angle=len(ANGLES), x=len(PLACES), y=len(PLACES))
TEST = 10  # every tenth of a fixed order is a test image
STYLES = {"colour": 1, "outline": 2}  # -> the seed of their order and colours
NUM = 1536  # images of a style, a third of the combinations
LINE = 1.3  # pixels that an outline is wide
_FINE = 4  # points along a pixel's side


def factors():
    """Returns all combinations, int64 [4608, 5], the last factor running fastest."""
    return np.array(list(itertools.product(*map(range, VALUES.values()))))


def known(config):
    """Returns what the set tells of itself besides its images, as fields of `trainers.data.DataSet`: its factors, of
    those in black and white, which hold every combination."""
    return {} if config else dict(factors=every)


def every():
    """Makes the images of all combinations."""
    values = factors()
    return Factors(tuple(VALUES), values, render(values))


def inside(shape, u, v):
    """Tells whether points are inside of a shape of about half a height of 1; v goes down."""
    if shape == "square":
        return np.maximum(abs(u), abs(v)) <= 0.8
    if shape == "ellipse":
        return u * u / 0.36 + v * v <= 1
    r = u * u + v * v - 0.6  # the sextic heart curve
    return r * r * r + u * u * v * v * v <= 0


def render(rows):
    """Returns the images of factors [n, 5], uint8 [n, 32, 32, 1] of 0 and 1: a pixel is 1 where more than half of its
    area is inside of the shape."""
    return np.stack([covered(row) > 0.5 for row in rows])[..., None].astype(np.uint8)


def covered(row, line=None):
    """Returns how much of each pixel is inside of the shape of factors [5], float64 [32, 32] on [0, 1]; `line`: only
    what is as near to its edge, in pixels."""
    shape, size, angle, x, y = row
    grid = (np.arange(SIDE * _FINE) + 0.5) / _FINE
    u, v = np.meshgrid(grid - PLACES[x], grid - PLACES[y])
    cos, sin = np.cos(ANGLES[angle]) / SIZES[size], np.sin(ANGLES[angle]) / SIZES[size]
    u, v = cos * u + sin * v, cos * v - sin * u
    points = inside(SHAPES[shape], u, v)
    if line:
        inner = 1 / (1 - line / SIZES[size])
        points &= ~inside(SHAPES[shape], inner * u, inner * v)
    return points.reshape(SIDE, _FINE, SIDE, _FINE).mean((1, 3))


def colours(rng):
    """Returns (of the ground, of the shape), uint8 [3] each: a shape's has a strong channel, and a ground's has
    none."""
    shape = rng.permutation([rng.randint(200, 256), rng.randint(0, 256), rng.randint(0, 60)])
    return rng.randint(20, 110, 3), shape


def ink(rng):
    """Returns the same of paper and ink."""
    return rng.randint(215, 256, 3), rng.randint(0, 70, 3)


def painted(cover, ground, colour):
    """Returns the image of a shape that covers its pixels so far, uint8 [32, 32, 3]."""
    return np.round(ground + cover[..., None] * (np.asarray(colour, float) - ground)).astype(np.uint8)


def example(row, style, rng):
    """Returns what the data set of a style has of factors [5]."""
    cover, line = covered(row), covered(row, LINE)
    mask = ((cover > 0.5) * (1 + row[0])).astype(np.uint8)[..., None]
    pose = np.array([at / (num - 1) for at, num in zip(row[1:], list(VALUES.values())[1:])], np.float32)
    found = {"label": int(row[0]), "mask": mask, "pose": pose}
    outline = painted(line, *ink(rng))
    return found | ({"image": outline} if style == "outline"
                    else {"image": painted(cover, *colours(rng)), "outline": outline})


class Shapes(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    @property
    def style(self):
        """`colour`, `outline`, or None: black and white."""
        return self.builder_config.name if self.builder_config else None

    def _info(self):
        features = {"image": tfds.features.Image(shape=(SIDE, SIDE, 3 if self.style else 1)),
                    "label": tfds.features.ClassLabel(names=SHAPES)}
        if self.style:
            features["mask"] = tfds.features.LabeledImage(labels=["ground", *SHAPES], shape=(SIDE, SIDE, 1))
            features["pose"] = tfds.features.Tensor(shape=(4,), dtype=np.float32)
        if self.style == "colour":
            features["outline"] = tfds.features.Image(shape=(SIDE, SIDE, 3))
        return self.dataset_info_from_configs(description=__doc__, supervised_keys=("image", "label"),
                                              features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        rows = factors()
        # RandomState, not default_rng: its stream is frozen across NumPy versions, and so is the split.
        rows = rows[np.random.RandomState(STYLES.get(self.style, 0)).permutation(len(rows))]
        rows = rows[:NUM] if self.style else rows
        test = np.arange(len(rows)) % TEST == 0
        return {"train": self._generate_examples(rows[~test], 0), "test": self._generate_examples(rows[test], 1)}

    def _generate_examples(self, rows, split):
        if self.style:
            rng = np.random.RandomState(2 * STYLES[self.style] + split)
            yield from enumerate(example(row, self.style, rng) for row in rows)
            return
        for index, (row, image) in enumerate(zip(rows, render(rows))):
            yield index, {"image": image, "label": int(row[0])}
