"""`toy2d/NAME`: points of the plane from five densities whose pictures everybody knows, all within about 3 of the
origin.

20,000 to train, 2,000 for validation, 5,000 to test. The best possible score is known for two of them: the entropy of
`checkerboard` is log 8 = 2.079 nats, that of `eight_gaussians` log 8 + log(2 pi e 0.1^2) = 0.312 nats (the modes do not
overlap).
"""

import numpy as np
import tensorflow_datasets as tfds

from trainers.data.dataset import Modes

SIZES = {"train": 20_000, "validation": 2_000, "test": 5_000}


def eight_gaussians(rng, num):
    """Equal Gaussians of standard deviation 0.1 on a circle of radius 2."""
    angle = rng.randint(8, size=num) * (np.pi / 4)
    return 2 * _circle(angle) + 0.1 * rng.normal(size=(num, 2))


def two_moons(rng, num):
    """Two interleaved half circles of radius 1, with noise of standard deviation 0.1, centred and doubled."""
    lower, angle = rng.randint(2, size=num)[:, None], rng.uniform(0, np.pi, num)
    upper_moon = _circle(angle)
    moon = np.where(lower, [1, 0.5] - upper_moon, upper_moon)
    return 2 * (moon + 0.1 * rng.normal(size=(num, 2)) - [0.5, 0.25])


def checkerboard(rng, num):
    """Uniform on the eight cells of one colour of a 4x4 board with cells of side 1, centred."""
    column, half = rng.randint(4, size=num), rng.randint(2, size=num)
    cell = np.stack([column, 2 * half + column % 2], -1)
    return cell - 2 + rng.uniform(size=(num, 2))


def spirals(rng, num):
    """Two arms of 1.5 turns, radius growing from 0 to 3, with noise of standard deviation 0.1."""
    # the root spreads points evenly along an arm
    sign, turn = 2 * rng.randint(2, size=num) - 1, np.sqrt(rng.uniform(size=num))
    return (3 * turn * sign)[:, None] * _circle(3 * np.pi * turn) + 0.1 * rng.normal(size=(num, 2))


def pinwheel(rng, num):
    """Five Gaussian blades, long along the radius, twisted by exp(radius)."""
    arm = rng.randint(5, size=num)
    blade = rng.normal(size=(num, 2)) * [0.3, 0.05] + [1, 0]
    angle = arm * (2 * np.pi / 5) + 0.25 * np.exp(blade[:, 0])
    direction = _circle(angle)
    normal = np.stack([-direction[:, 1], direction[:, 0]], -1)
    return 2 * (blade[:, :1] * direction + blade[:, 1:] * normal)


def _circle(angle):
    return np.stack([np.cos(angle), np.sin(angle)], -1)


DENSITIES = {f.__name__: f for f in (eight_gaussians, two_moons, checkerboard, spirals, pinwheel)}


def known(config):
    """Returns what the set of a density tells of itself besides its points, as fields of `trainers.data.DataSet`."""
    if config != eight_gaussians.__name__:
        return {}
    return dict(modes=Modes(2 * _circle(np.arange(8) * (np.pi / 4)), 0.1))


class Toy2d(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name, description=f.__doc__) for name, f in DENSITIES.items()]

    def _info(self):
        return self.dataset_info_from_configs(
            description=__doc__,
            features=tfds.features.FeaturesDict({"point": tfds.features.Tensor(shape=(2,), dtype=np.float32)}),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(seed, num) for seed, (split, num) in enumerate(SIZES.items())}

    def _generate_examples(self, seed, num):
        points = DENSITIES[self.builder_config.name](np.random.RandomState(seed), num).astype(np.float32)
        for index, point in enumerate(points):
            yield index, {"point": point}
