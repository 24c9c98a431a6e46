"""`claw`: numbers from the claw, or Bart Simpson density, a normal with five thin ones on it: 1/2 N(0, 1) + 1/10 sum_j
N(j/2 - 1, 0.1^2), j = 0..4.

5,000 to train, 1,000 for validation, 5,000 to test. The exact density is `zoo.density.parts.claw.claw`.
"""

import numpy as np
import tensorflow_datasets as tfds

from zoo.density.parts.claw import LOCS, SCALES, WEIGHTS

SIZES = {"train": 5_000, "validation": 1_000, "test": 5_000}


class Claw(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            description=__doc__,
            features=tfds.features.FeaturesDict({"point": tfds.features.Tensor(shape=(1,), dtype=np.float32)}),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(seed, num) for seed, (split, num) in enumerate(SIZES.items())}

    def _generate_examples(self, seed, num):
        for index, point in enumerate(points(seed, num)):
            yield index, {"point": point}


def points(seed, num):
    """Draws float32 [num, 1]; a component by its weight, then its normal."""
    rng = np.random.RandomState(seed)
    component = np.searchsorted(np.cumsum(WEIGHTS.astype(np.float64)), rng.uniform(size=num),
                                side="right").clip(max=len(WEIGHTS) - 1)
    return (LOCS[component] + SCALES[component] * rng.normal(size=num)).astype(np.float32)[:, None]
