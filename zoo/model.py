"""The contract that every model of the zoo stands behind.

A model is a game of players. A player is a name, some weights and a loss to minimise; in a step each player moves in turn. A
likelihood model is a game of one, a GAN of two. What else a model can do is a short list of capabilities, each a protocol below;
a model that lacks one does not define it. Evaluation, export, pictures and tests are written once per capability.
"""

import abc
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from zoo.fit import Playing
from zoo.following import followed

KNOWN = {}  # `zoo.MODELS`, put here by `zoo`: a model can have one of another family as a part, by its name, without importing that family


class Domain(NamedTuple):
    """What a model's examples are: the declaration that the input pipeline fulfils.

    kind: `binary` (float32 in {0, 1}), `levels` (int32 in 0..levels-1), `real` (float32), `tokens` (int32), `waveform` (float32),
        `strokes` (float32 [T, 5], steps of a pen as `zoo.distributions.strokes` says).
    shape: of one example. levels: number of values that a discrete example's entry can take.
    range: (low, high) to which the values of `real` image data are scaled; None leaves tables and points as they are.
    dequantized: whether `real` image data get uniform noise of one level's width (a density model of real values needs it).
    classes: number of class labels if the model is conditional on one; its batch is then a pair (x, condition int32 [batch]).
    features: shape of a real-valued condition, an embedding or a local feature in time; the batch is then (x, condition float32 [batch, *features]).
    given: bool [height, width] where features are the image itself: they hold its values where it is true, and -1 elsewhere.
    """

    kind: str
    shape: tuple
    levels: int | None = None
    range: tuple | None = None
    dequantized: bool = False
    classes: int | None = None
    features: tuple | None = None
    given: np.ndarray | None = None

    @property
    def dtype(self):
        return tf.int32 if self.kind in ("levels", "tokens") else tf.float32

    def batch_spec(self, batch_size=None):
        """The `tf.TensorSpec` of one batch: x, or (x, condition)."""
        x = tf.TensorSpec((batch_size, *self.shape), self.dtype)
        return (x, self.condition_spec(batch_size)) if self.conditional else x

    def condition_spec(self, batch_size=None):
        """The `tf.TensorSpec` of a batch's condition, or None."""
        if self.features:
            return tf.TensorSpec((batch_size, *self.features), tf.float32)
        return tf.TensorSpec((batch_size,), tf.int32) if self.classes else None

    @property
    def conditional(self):
        return bool(self.classes or self.features)

    @property
    def places(self):
        """The shape of a mask that says what of an example is known: the channels of a pixel, or the numbers of a pen's step, together."""
        return tuple(self.shape[:-1] if len(self.shape) == 3 or self.kind == "strokes" else self.shape)

    def require(self, condition):
        """Raises ValueError if the condition is missing, or has no use."""
        if (condition is None) == self.conditional:
            needed = f"features of shape {tuple(self.features)} per row are needed" if self.features else "a class label per row is needed"
            raise ValueError(f"condition: {needed if self.conditional else 'this model takes none'}.")


class Player(NamedTuple):
    """One side of a game: `loss(batch, seed) -> {term: [batch]}`, in the paper's order; what is minimised is the mean of their sum.

    follows: weights that the loss says the next values of, or `zoo.following.Followed` ones; the loss then returns `(terms, values)`, values in this order, and
    after the move the weights take them.
    updates: moves in a step, each on a batch of its own; the learning rate's schedule spans them all. scheduled: whether the loss also takes the step, int32:
    `loss(batch, seed, step)`; without one it is what its schedules end with.
    start, stop: it moves from step `start` on and before step `stop` (None: to the end). ends_averaged: whether its weights take the values of their averages,
    where there are some, when it stops: who learns from it later learns from what will be evaluated.
    multipliers: pairs (some of `weights`, factor of the learning rate): an update moves them by that factor of its way, of any optimizer, weight decay included.
    optimizer: () -> the Keras optimizer that its loss is made for, without clipping or averages; None: the run's own. shared: whether its noise is the same on
    all replicas. measures: () -> {name: scalar}, what else is logged of it.
    """

    name: str
    weights: Sequence
    loss: Callable
    updates: int = 1
    scheduled: bool = False
    start: int = 0
    stop: int | None = None
    optimizer: Callable | None = None
    shared: bool = False
    measures: Callable | None = None
    follows: Sequence = ()
    ends_averaged: bool = False
    multipliers: Sequence = ()

    def outcome(self, batch, seed, step=None):
        """({term: [batch]}, values) of the loss at a step (None: after all schedules), whether it follows anything or not; nothing is assigned.

        Raises:
            ValueError: if the loss does not say as many values as the player follows weights.
        """
        found = self.loss(batch, seed, *([step] if self.scheduled else []))
        terms, values = found if isinstance(found, tuple) else (found, ())
        if len(values) != len(self.follows):
            raise ValueError(f"player {self.name!r}: follows {len(self.follows)} weights, and its loss says {len(values)} values.")
        return terms, tuple(tf.cast(value, item.weight.dtype) for value, item in zip(values, followed(self.follows)))

    def moves_at(self, step):
        """Whether the player moves at a step, a Python integer or a tensor."""
        return (step >= self.start) & (step < (2**31 - 1 if self.stop is None else self.stop))


@runtime_checkable
class ExactLikelihood(Protocol):
    def log_prob(self, x, condition=None):
        """log p(x) in nats, [batch]."""


@runtime_checkable
class LowerBound(Protocol):
    def elbo(self, x, seeds, condition=None):
        """One-sample lower bound of log p(x) in nats, [batch]; row i's noise comes from `seeds[i]`."""


@runtime_checkable
class ImportanceWeighted(LowerBound, Protocol):
    def log_prob(self, x, seeds, num_samples=100, condition=None):
        """Importance-weighted lower bound log 1/k sum_k p(x, z_k) / q(z_k | x) in nats, [batch]."""


@runtime_checkable
class Autoencoding(Protocol):
    def encode(self, x, condition=None):
        """The code of x: deterministic, float32 [batch, ...]."""

    def decode(self, z, condition=None):
        """The example of a code, in the domain's units (the mean where the decoder is a distribution)."""


@runtime_checkable
class Denoising(Protocol):
    def corrupt(self, x, seeds, level=None, condition=None):
        """A noisy x, float32 in the domain's unit; row i's noise comes from `seeds[i]`. `level`: how much; None: the model's own."""

    def denoise(self, x, condition=None):
        """What the noisy x, float32, was before, in the domain's unit."""


@runtime_checkable
class Completing(Protocol):
    def complete(self, x, mask, seeds, condition=None):
        """Draws what is missing: keeps x where `mask` (bool, [batch, *domain.places]) is true."""

    def missing_log_prob(self, x, mask, seeds, condition=None):
        """log p(x where `mask` is false | x where it is true) in nats, [batch]."""


def image_shape(shape):
    """(height, width, channels) as a tuple. Raises ValueError for the shape of anything but an image."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"shape must be an image's, (height, width, channels), found {tuple(shape)}.")
    return tuple(shape)


def likelihood_kind(model):
    """`exact`, `lower_bound` or None, of a model or a model class."""
    if hasattr(model, "elbo"):
        return "lower_bound"
    return "exact" if hasattr(model, "log_prob") else None


def capabilities(model):
    """The names of what a model (or model class) can do, in the order in which the zoo lists them."""
    names = ("sample", "sample_mean", "log_prob", "elbo", "encode", "decode", "denoise", "complete", "continuation", "sample_at")
    found = [name for name in names if hasattr(model, name) and (name != "denoise" or hasattr(model, "corrupt"))]
    if "encode" in found:
        found += ["reconstruct", "interpolate", "traverse", "arithmetic"]
    return tuple(found)


def split_batch(batch):
    """Returns (x, condition) of a batch that is x or (x, condition)."""
    return batch if isinstance(batch, (tuple, list)) else (batch, None)


class Model(Playing, abc.ABC):
    """A Keras model that is a game of players.

    A subclass defines `domain`, `players`, `call` (the whole likelihood or forward path, so that every weight is built)
    and `get_config` (exactly its constructor's arguments), and ends its constructor with `self.build()`.
    """

    @property
    @abc.abstractmethod
    def domain(self):
        """The model's `Domain`."""

    @abc.abstractmethod
    def players(self):
        """The sequence of `Player`s, in the order of their moves."""

    @abc.abstractmethod
    def get_config(self):
        """The constructor's arguments, all of them and nothing else."""

    def settle(self):
        """Recomputes what belongs to the weights as they are now, each part that has a `settle` by that; called where averaged weights were put into the model.

        Of most models nothing does. What a loss alone can say, such as running moments, stays as it followed.
        """
        parts = list(self._layers)
        while parts:
            part = parts.pop()
            if hasattr(part, "settle"):
                part.settle()
            else:
                parts += part._layers

    def build(self, input_shape=None):
        """Makes every weight, by one forward pass over two examples of zeros; the shape comes from `domain`."""
        self.call(tf.nest.map_structure(lambda s: tf.zeros(s.shape, s.dtype), self.domain.batch_spec(2)))


class GenerativeModel(Model):
    """A model that can be sampled; one that can't, such as an autoencoder, is a `Model`."""

    @abc.abstractmethod
    def sample(self, seeds, condition=None):
        """Draws examples [batch, *shape] in the domain's units; row i depends on `seeds[i]` (int32 [batch, 2]) alone."""
