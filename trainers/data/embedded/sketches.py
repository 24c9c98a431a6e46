"""`sketches`: line drawings of six things, made here from a few curves each: `cat`, `dog`, `pig` (their heads),
`house`, `star`, `spiral`.

A drawing is strokes of a pen in the order in which a hand would draw them; sizes, places and angles of its parts vary,
the whole is stretched and turned a little, and every point is shaken. 3,000 to train, 300 for validation, 300 to test.
"""

import numpy as np
import tensorflow_datasets as tfds

from trainers.data.readers.strokes import steps

LENGTH = 48  # steps, the end of the longest drawing counted
SIZES = {"train": 3000, "validation": 300, "test": 300}
SHAKE = 0.015  # standard deviation of a point's place, in radii of a head


def arc(x, y, width, height, num, start=0.0, turn=1.0):
    """Returns `num` + 1 points of an ellipse around (x, y), from the angle `start` on for `turn` turns (1 is clockwise,
    as y goes down)."""
    angle = 2 * np.pi * (start + turn * np.linspace(0, 1, num + 1))
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], -1)


def line(*points):
    return np.array(points, float)


def mirrored(strokes):
    return [stroke * [-1, 1] for stroke in strokes]


def _head(rng):
    # from the top, either way round
    return [arc(0, 0, 1, rng.uniform(0.8, 1.0), 12, start=0.75, turn=rng.choice([-1, 1]))]


def _eyes(rng):
    x, y, size = rng.uniform(0.3, 0.42), rng.uniform(-0.35, -0.2), rng.uniform(0.08, 0.15)
    eye = [line([-x, y - size], [-x, y + size])]
    return eye + mirrored(eye)


def cat(rng):
    """Pointed ears, a nose and a mouth like a w, whiskers."""
    tip, top = rng.uniform(0.65, 0.85), rng.uniform(-1.5, -1.2)
    ear = [line([-0.9, -0.45], [-tip, top], [-0.3, -0.9])]
    y, wide = rng.uniform(0.1, 0.2), rng.uniform(0.15, 0.25)
    mouth = [line([-wide, y + 0.2], [-wide / 2, y + 0.32], [0, y], [wide / 2, y + 0.32], [wide, y + 0.2])]
    long = rng.uniform(0.6, 0.9)
    whiskers = [line([-0.4, y + 0.05 + 0.12 * k], [-0.4 - long, y + 0.3 * k]) for k in (0, 1)]
    return _head(rng) + ear + mirrored(ear) + _eyes(rng) + mouth + whiskers + mirrored(whiskers)


def dog(rng):
    """Hanging ears, a nose, a mouth and, half of the time, a tongue."""
    low, out = rng.uniform(0.3, 0.7), rng.uniform(1.25, 1.5)
    ear = [line([-0.6, -0.75], [-out, -0.5], [-out - 0.05, low], [-0.98, low - 0.1], [-0.85, -0.4])]
    y, wide = rng.uniform(0.15, 0.25), rng.uniform(0.12, 0.2)
    nose = [line([-wide, y], [wide, y], [0, y + wide], [-wide, y])]
    smile = rng.uniform(0.2, 0.35)
    mouth = [line([0, y + wide], [0, y + 0.35], [-smile, y + 0.4]), line([0, y + 0.35], [smile, y + 0.4])]
    tongue = [line([-0.1, y + 0.4], [-0.08, y + 0.65], [0.08, y + 0.65], [0.1, y + 0.4])] if rng.rand() < 0.5 else []
    return _head(rng) + ear + mirrored(ear) + _eyes(rng) + nose + mouth + tongue


def pig(rng):
    """Small bent ears, a snout with two nostrils, a smile."""
    ear = [line([-0.8, -0.6], [-rng.uniform(0.85, 1.0), -1.15], [-0.3, -0.95])]
    y, wide, high = rng.uniform(0.15, 0.25), rng.uniform(0.3, 0.4), rng.uniform(0.18, 0.25)
    nostril = [line([-0.12, y - 0.07], [-0.12, y + 0.07])]
    smile = rng.uniform(0.2, 0.35)
    return (_head(rng) + ear + mirrored(ear) + _eyes(rng) + [arc(0, y, wide, high, 8, start=0.75)] + nostril
            + mirrored(nostril)
            + [line([-smile, y + 0.4], [0, y + 0.5], [smile, y + 0.4])])


def house(rng):
    """Walls, a roof, a door to the left or to the right, and a window on the other side."""
    wide, high, roof = rng.uniform(0.8, 1.1), rng.uniform(0.9, 1.3), rng.uniform(0.5, 0.9)
    left, right = -wide, wide
    door, side = rng.uniform(0.35, 0.5), rng.choice([-1, 1])
    x = side * wide / 2
    entry = line([x - door / 2, 1], [x - door / 2, 1 - 1.6 * door], [x + door / 2, 1 - 1.6 * door], [x + door / 2, 1])
    a, b = -x - 0.2, -x + 0.2
    top = 1 - 0.65 * high
    window = line([a, top], [b, top], [b, top + 0.4], [a, top + 0.4], [a, top])
    walls = line([left, 1 - high], [left, 1], [right, 1], [right, 1 - high], [left, 1 - high])
    return [walls, line([left, 1 - high], [0, 1 - high - roof], [right, 1 - high]), entry, window]


def star(rng):
    """Five to seven rays, in one line around."""
    rays, inner = rng.randint(5, 8), rng.uniform(0.35, 0.55)
    angle = 2 * np.pi * (-0.25 + np.arange(2 * rays + 1) / (2 * rays))
    radius = np.where(np.arange(2 * rays + 1) % 2, inner, 1.0)
    return [np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)]


def spiral(rng):
    """From the centre outwards, either way round, two to three turns."""
    turns, way = rng.uniform(2, 3), rng.choice([-1, 1])
    part = np.linspace(0.08, 1, int(round(10 * turns)))
    angle = 2 * np.pi * (way * turns * (part - 0.08) + rng.normal(scale=0.05))
    return [np.stack([part * np.cos(angle), part * np.sin(angle)], -1)]


THINGS = {f.__name__: f for f in (cat, dog, pig, house, star, spiral)}


def drawing(rng, thing):
    """Returns the strokes of a drawing, float64 [points, 2] each."""
    strokes = THINGS[thing](rng)
    angle, stretch, size = rng.normal(scale=0.08), np.exp(rng.normal(scale=0.08)), np.exp(rng.normal(scale=0.1))
    turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * size
    return [(stroke * [stretch, 1 / stretch]) @ turned + SHAKE * rng.normal(size=stroke.shape) for stroke in strokes]


class Sketches(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            description=__doc__, supervised_keys=("sketch", "label"),
            features=tfds.features.FeaturesDict({"sketch": tfds.features.Tensor(shape=(LENGTH, 5), dtype=np.float32),
                                                 "label": tfds.features.ClassLabel(names=list(THINGS))}))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(seed, num) for seed, (split, num) in enumerate(SIZES.items())}

    def _generate_examples(self, seed, num):
        rng = np.random.RandomState(seed)
        for index in range(num):
            thing = list(THINGS)[index % len(THINGS)]
            yield index, {"sketch": steps(drawing(rng, thing), LENGTH), "label": thing}
