"""What the tests of export and of its checker share: every model's exported folder, a model with a condition
everywhere, and ways to spoil one."""

import functools

import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.support import cases
from zoo import random
from zoo.capabilities import Autoencoding, Completing, ExactLikelihood
from zoo.domain import one_class
from zoo.model import Domain, GenerativeModel, Player
from zoo.serving.export import export


class Labelled(GenerativeModel, ExactLikelihood, Autoencoding, Completing):
    """A model of every conditional capability in closed form: x = shift[condition] + eps, eps ~ N(0, I), and z = x -
    shift[condition]."""

    def __init__(self, classes=4, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.shift = self.add_weight(shape=(classes, 1), initializer="random_normal", name="shift")
        self.build()

    domain = property(lambda self: Domain("real", (2, 3), condition=one_class(self.classes)))

    def get_config(self):
        return dict(classes=self.classes)

    def where(self, condition):
        return tf.gather(tf.convert_to_tensor(self.shift), condition)[:, None]  # [B, 1, 1]

    def players(self):
        return (Player("model", self.trainable_weights, lambda batch, seed: {"nll": -self._log_prob(*batch)}),)

    def call(self, batch):
        return self._log_prob(*batch)

    def _log_prob(self, x, condition=None):
        return tfp.distributions.Independent(tfp.distributions.Normal(self.where(condition), tf.ones([2, 3])),
                                             2).log_prob(x)

    def _encode(self, x, condition=None):
        return x - self.where(condition)

    def _decode(self, z, condition=None):
        return z + self.where(condition)

    def _sample(self, seeds, condition=None):
        return self._decode(random.normal_rows(seeds, [2, 3]), condition)

    def _complete(self, x, mask, seeds, condition=None):
        return tf.where(mask, x, self._sample(seeds, condition))

    def _missing_log_prob(self, x, mask, seeds, condition=None):
        entries = tfp.distributions.Normal(self.where(condition), tf.ones([2, 3])).log_prob(x)
        return tf.reduce_sum(tf.where(mask, 0.0, entries), [1, 2])


MAKERS = {name: functools.partial(cases.make, name) for name in cases.CASES} | {"labelled": Labelled}
# One of each kind of graph; the others take a quarter of an hour together, and are slow tests.
KINDS = ("labelled", "histogram", "pixel_cnn", "vae", "autoencoder", "gan")
EVERY = [name if name in KINDS else pytest.param(name, marks=pytest.mark.slow) for name in MAKERS]


@functools.cache
def _exported(name, directory):
    model = MAKERS[name]()
    return model, export(model, directory / "exported" / name, importance_samples=5, protocol={"steps": 3})


@pytest.fixture
def exported(tmp_path_factory):
    """A function of a model's name that exports it once for the tests of every file: (model, folder), to be looked at
    and not changed."""
    return lambda name: _exported(name, tmp_path_factory.getbasetemp())


@pytest.fixture
def gan():
    """A small model to spoil, and its folder's place."""
    return cases.make("gan")


def spoil(model, how):
    """Puts an op that a server should not run behind the model's `sample`."""
    sample = model._sample
    ways = {
        "EagerPyFunc": lambda x: tf.ensure_shape(tf.py_function(lambda x: x, [x], tf.float32), x.shape),
        "WriteFile": lambda x: _after(tf.io.write_file("/tmp/never", "x"), x),
        "ReadFile": lambda x: x + 0.0 * tf.cast(tf.strings.length(tf.io.read_file("/dev/null")), tf.float32),
        "RestoreV2": lambda x: x + 0.0 * tf.raw_ops.RestoreV2(prefix="x", tensor_names=["a"], shape_and_slices=[""],
                                                              dtypes=[tf.float32])[0],
        "RandomStandardNormal": lambda x: x + tf.random.normal(tf.shape(x)),
        "jit_compile=True": tf.function(lambda x: 2.0 * x, jit_compile=True),
    }
    model._sample = lambda seeds, condition=None: ways[how](sample(seeds, condition=condition))


def _after(operation, x):
    with tf.control_dependencies([operation]):
        return tf.identity(x)
