"""Models and a data set that no family has yet: conditions of every kind, alone and by name, unpaired sets, and groups
of one label.

The models are small enough to be known in closed form, and are trained, drawn from, measured and exported as any other
one.
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from trainers.data.dataset import DataSet, Field
from trainers.recipes.recipe import ANY, Recipe
from zoo import random
from zoo.capabilities import EstimatedLikelihood, ExactLikelihood, Translating
from zoo.domain import Domain, label_map, of_features, one_class
from zoo.model import GenerativeModel, Model, Player

SIDE, MAP, NAMES, POSE = 4, 3, ("red", "green", "blue"), 2
SHAPE = (SIDE, SIDE, 1)
PARTS = dict(mask=label_map(SHAPE, MAP), label=one_class(len(NAMES)), pose=of_features((POSE,)),
             sketch=Domain("binary", SHAPE, 2))


def scenes(sizes, seed=0, partner=None):
    """A data set in memory whose images are their number, in two hexadecimal digits, and all of whose fields follow
    from it."""
    fields = {"x": Field("image", SHAPE, 256), "label": Field("class", (), len(NAMES), NAMES),
              "mask": Field("labels", SHAPE[:2], MAP),
              "pose": Field("features", (POSE,)), "sketch": Field("image", SHAPE, 2)}
    cache, first = {}, seed
    for split, num in sizes.items():
        number = np.arange(first, first + num)
        x = np.zeros((num, *SHAPE), np.uint8) + number[:, None, None, None].astype(np.uint8)
        places = number[:, None, None] + np.arange(SIDE)[:, None] + np.arange(SIDE)
        cache[split] = {"x": x, "label": (number % len(NAMES)).astype(np.int32),
                        "mask": (places % MAP).astype(np.uint8),
                        "pose": np.stack([number, -number], -1).astype(np.float32) / 100,
                        "sketch": (places % 2).astype(np.uint8)[..., None]}
        first += num
    return DataSet("scenes", "1", fields, dict(sizes), cache=cache, partner=partner)


class Reread:
    """A data set's arrays as a source that is read record by record: the same data, too large for memory."""

    def __init__(self, arrays):
        self.arrays = arrays

    def records(self, split):
        return tf.data.Dataset.from_tensor_slices(self.arrays[split])

    def stream(self, split, position, key):
        from trainers.data.pipeline import visits

        arrays = self.arrays[split]
        return visits(len(arrays["x"]), position,
                      key).unbatch().map(lambda index: {name: tf.gather(values, index) for name,
                                                        values in arrays.items()})

    def decode(self, record, names):
        return {name: record[name] for name in names}


@keras.saving.register_keras_serializable("standins")
class Painter(GenerativeModel, ExactLikelihood):
    """p(x|c) = prod over pixels of Bernoulli(sigmoid(b + what each part of c says of the pixel)).

    parts: names of `PARTS`. named: whether the condition is a dictionary, which one part alone need not be.
    """

    def __init__(self, shape=SHAPE, parts=("mask",), named=False, **kwargs):
        super().__init__(**kwargs)
        self.shape, self.parts, self.named = tuple(shape), tuple(parts), named
        self.bias = self.add_weight(shape=(1, *self.shape), name="bias")
        sizes = dict(mask=(MAP, 1), label=(len(NAMES), 1), pose=(POSE, 1), sketch=(1, 1))
        self.tables = {part: self.add_weight(shape=sizes[part], name=part) for part in self.parts}
        self.build()

    def get_config(self):
        return dict(shape=self.shape, parts=self.parts, named=self.named)

    @property
    def domain(self):
        condition = {part: PARTS[part] for part in self.parts} if self.named else PARTS[self.parts[0]]
        return Domain("binary", self.shape, 2, condition=condition)

    def logits(self, condition):
        given = condition if self.named else {self.parts[0]: condition}
        said = dict(mask=lambda c, w: tf.gather(w, c), label=lambda c, w: tf.gather(w, c)[:, None, None],
                    pose=lambda c, w: (c @ w)[:, None, None], sketch=lambda c, w: c * w)
        return self.bias + sum(said[part](given[part], 1.0 * table) for part, table in self.tables.items())

    def distribution(self, condition):
        return tfp.distributions.Independent(tfp.distributions.Bernoulli(logits=self.logits(condition),
                                                                         dtype=tf.float32), 3)

    def players(self):
        return (Player("model", self.trainable_weights, lambda batch, seed: {"nll": -self._log_prob(*batch)}),)

    def call(self, batch):
        return self._log_prob(*batch)

    def _log_prob(self, x, condition=None):
        return self.distribution(condition).log_prob(x)

    def _sample(self, seeds, condition=None):
        return tf.cast(random.uniform_rows(seeds, list(self.shape)) < tf.sigmoid(self.logits(condition)), tf.float32)


@keras.saving.register_keras_serializable("standins")
class Crowd(GenerativeModel, EstimatedLikelihood):
    """Groups of k images of one label: p(x_1..x_k|label) = prod_i Bernoulli(sigmoid(b + w_label)), of which it knows no
    more than an estimate."""

    def __init__(self, shape=SHAPE, k=3, **kwargs):
        super().__init__(**kwargs)
        self.shape, self.k = tuple(shape), k
        self.table = self.add_weight(shape=(len(NAMES), *self.shape), name="table")
        self.build()

    def get_config(self):
        return dict(shape=self.shape, k=self.k)

    @property
    def domain(self):
        return Domain("binary", self.shape, 2, condition=one_class(len(NAMES)), group=self.k)

    def logits(self, label):
        return tf.repeat(tf.gather(1.0 * self.table, label)[:, None], self.k, axis=1)  # [B, k, H, W, C]

    def exact(self, x, label):
        return tfp.distributions.Independent(tfp.distributions.Bernoulli(logits=self.logits(label), dtype=tf.float32),
                                             4).log_prob(x)

    def players(self):
        return (Player("model", self.trainable_weights, lambda batch, seed: {"nll": -self.exact(*batch)}),)

    def call(self, batch):
        return self.exact(*batch)

    def _estimate_log_prob(self, x, seeds, condition=None):
        return self.exact(x, condition) + random.normal_rows(seeds, [])

    def _sample(self, seeds, condition=None):
        return tf.cast(random.uniform_rows(seeds, [self.k, *self.shape]) < tf.sigmoid(self.logits(condition)),
                       tf.float32)


@keras.saving.register_keras_serializable("standins")
class Translator(Model, Translating):
    """y = a x + b, whose mean and square are to be those of the partner's examples."""

    def __init__(self, shape=SHAPE, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.scale, self.shift = (self.add_weight(shape=(), initializer=keras.initializers.Constant(value), name=name)
                                  for name, value in (("scale", 1.0), ("shift", 0.1)))
        self.build()

    def get_config(self):
        return dict(shape=self.shape)

    @property
    def domain(self):
        image = Domain("real", self.shape, 256, (-1.0, 1.0))
        return Domain("real", self.shape, 256, (-1.0, 1.0), partner=image)

    def moments(self, batch, seed):
        x, _, y = self.domain.split(batch)
        made = self._translate(x, None)
        off = tf.reduce_mean(made) - tf.reduce_mean(y), tf.reduce_mean(made**2) - tf.reduce_mean(y**2)
        return {name: value**2 + 0.0 * x[:, 0, 0, 0] for name, value in zip(("mean", "square"), off)}

    def players(self):
        return (Player("translator", self.trainable_weights, self.moments),)

    def call(self, batch):
        return self._translate(self.domain.split(batch)[0], None)

    def _translate(self, x, seeds, condition=None):
        return tf.clip_by_value(self.scale * x + self.shift, -1.0, 1.0)


MODELS = {"painter": Painter, "crowd": Crowd, "translator": Translator}
RECIPES = [Recipe(name, ANY, steps=4, batch_size=6) for name in MODELS]
CASES = {"a label map": (Painter, {}), "a pose": (Painter, dict(parts=("pose",))),
         "another image": (Painter, dict(parts=("sketch",))),
         "several by name": (Painter, dict(parts=("mask", "label", "pose", "sketch"), named=True)),
         "groups": (Crowd, {}), "a partner": (Translator, {})}
