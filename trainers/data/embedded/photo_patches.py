"""`photo_patches`: 32x32 RGB crops of the two photographs that scikit-learn ships, labelled with the photograph they
are from.

The left 448 columns of each give 5,300 crops to train, every 8 pixels; the right 192 give 550 to test, every 16 pixels.
No pixel is in both. Crops of one split overlap, so they are no independent examples: a number on them shows that a
model learns, not more.
"""

import importlib
import pathlib

import tensorflow as tf
import tensorflow_datasets as tfds

PHOTOS = ("china", "flower")
SIZE, BORDER = 32, 448


class PhotoPatches(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            description=__doc__,
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image(shape=(SIZE, SIZE, 3)),
                 "label": tfds.features.ClassLabel(names=list(PHOTOS))}),
            supervised_keys=("image", "label"))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(slice(0, BORDER), 8),
                "test": self._generate_examples(slice(BORDER, None), 16)}

    def _generate_examples(self, columns, stride):
        # Its import takes a second, and only a build needs it.
        folder = pathlib.Path(importlib.import_module("sklearn.datasets").__file__).parent / "images"
        for name in PHOTOS:
            # TensorFlow's decoder: scikit-learn's own reader would need Pillow.
            photo = tf.io.decode_jpeg(tf.io.read_file(str(folder / f"{name}.jpg")), channels=3,
                                      dct_method="INTEGER_ACCURATE").numpy()
            photo = photo[:, columns]
            for top in range(0, photo.shape[0] - SIZE + 1, stride):
                for left in range(0, photo.shape[1] - SIZE + 1, stride):
                    yield f"{name}_{top}_{left}", {"image": photo[top:top + SIZE, left:left + SIZE], "label": name}
