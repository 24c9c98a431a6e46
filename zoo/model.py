"""The contract that every model of the zoo stands behind.

A model is a game of players. A player is a name, some weights and a loss to minimise; in a step each player moves in turn. A
likelihood model is a game of one, a GAN of two. What else a model can do is a short list of capabilities, each a protocol below;
a model that lacks one does not define it. Evaluation, export, pictures and tests are written once per capability.
"""

import abc
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import tensorflow as tf

from zoo.domain import Domain, split_batch  # noqa: F401 - models take these from here too
from zoo.playing import Playing

KNOWN = {}  # `zoo.MODELS`, put here by `zoo`: a model can have one of another family as a part, by its name, without importing that family


class Player(NamedTuple):
    """One side of a game: `loss(batch, seed) -> {term: [batch]}`, in the paper's order; what is minimised is the mean of their sum.

    updates: moves in a step. scheduled: whether the loss also takes the step, int32: `loss(batch, seed, step)`; without one it is what its schedules end with.
    start, stop: it moves from step `start` on and before step `stop` (None: to the end); when it stops, its weights take the values of their averages.
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
class EstimatedLikelihood(Protocol):
    def estimate_log_prob(self, x, seeds, condition=None):
        """A number near log p(x) in nats that is neither exact nor a bound, [batch]; row i's noise comes from `seeds[i]`."""


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
class Translating(Protocol):
    def translate(self, x, seeds, condition=None):
        """What x would be in the partner's domain (without a partner: in its own), [batch, *shape]; row i's noise comes from `seeds[i]`."""


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
    """`exact`, `lower_bound`, `estimate` (neither of these) or None, of a model or a model class."""
    if hasattr(model, "elbo"):
        return "lower_bound"
    return "exact" if hasattr(model, "log_prob") else "estimate" if hasattr(model, "estimate_log_prob") else None


def capabilities(model):
    """The names of what a model (or model class) can do, in the order in which the zoo lists them."""
    names = ("sample", "sample_mean", "log_prob", "elbo", "estimate_log_prob", "encode", "decode", "denoise", "translate", "complete",
             "continuation", "sample_at")
    found = [name for name in names if hasattr(model, name)]
    if "encode" in found:
        found += ["reconstruct", "interpolate", "traverse", "arithmetic"]
    return tuple(found)


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

    def build(self, input_shape=None):
        """Makes every weight, by one forward pass over two examples of zeros; the shape comes from `domain`."""
        self.call(tf.nest.map_structure(lambda s: tf.zeros(s.shape, s.dtype), self.domain.batch_spec(2)))


class GenerativeModel(Model):
    """A model that can be sampled; one that can't, such as an autoencoder, is a `Model`."""

    @abc.abstractmethod
    def sample(self, seeds, condition=None):
        """Draws examples [batch, *shape] in the domain's units; row i depends on `seeds[i]` (int32 [batch, 2]) alone."""
