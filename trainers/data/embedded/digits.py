"""`digits`: the 1,797 handwritten digits of 8x8 pixels and 17 grey levels that scikit-learn ships, 1,437 to train and
360 to test.

They are the test part of E. Alpaydin and C. Kaynak's Optical Recognition of Handwritten Digits (UCI, 1998). The order
is shuffled once by a fixed seed.
"""

import importlib

import numpy as np
import tensorflow_datasets as tfds

LEVELS = 17
TRAIN = 1437


class Digits(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            description=__doc__,
            features=tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(8, 8, 1)),
                                                 "label": tfds.features.ClassLabel(num_classes=10)}),
            supervised_keys=("image", "label"))

    def _split_generators(self, dl_manager):
        # RandomState, not default_rng: its stream is frozen across NumPy versions, and so is the split.
        order = np.random.RandomState(0).permutation(1797)
        return {"train": self._generate_examples(order[:TRAIN]), "test": self._generate_examples(order[TRAIN:])}

    def _generate_examples(self, indices):
        data = importlib.import_module("sklearn.datasets").load_digits()  # takes a second, and only a build needs it
        for index in indices:
            yield int(index), {"image": data.images[index].astype(np.uint8)[..., None],
                               "label": int(data.target[index])}
