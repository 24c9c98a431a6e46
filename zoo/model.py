"""The contract that every model of the zoo stands behind.

A model is a game of players. A player is a name, some weights and a loss to minimise; in a step each player moves in
turn. A likelihood model is a game of one, a GAN of two. What else a model can do is a short list of abilities, each a
base class of `zoo.capabilities`; what a user turns when drawing is declared once, in `controls`.
"""

import abc
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from zoo.capabilities import Sampling
from zoo.domain import Domain, split_batch  # noqa: F401 - models take these from here too
from zoo.layers.following import followed
from zoo.paper import Paper
from zoo.training.fit import Playing

# `zoo.MODELS`, put here by `zoo`: a model can have one of another family as a part, by its name, without importing that
# family
KNOWN = {}


class Player(NamedTuple):
    """One side of a game: `loss(batch, seed) -> {term: [batch]}`, in the paper's order; what is minimised is the mean
    of their sum.

    updates: moves in a step, each on a batch of its own; the learning rate's schedule spans them all.
    scheduled: whether the loss also takes the step, int32: `loss(batch, seed, step)`; without one it is what its
        schedules end with.
    start, stop: it moves from step `start` on and before step `stop` (None: to the end).
    shared: whether its noise is the same on all replicas.
    measures: () -> {name: scalar}, what else is logged of it.
    follows: weights that the loss says the next values of, or `zoo.layers.following.Followed` ones; the loss then
    returns
        `(terms, values)`, values in this order, and after the move the weights take them.
    ends_averaged: whether its weights take the values of their averages, where there are some, when it stops: who
        learns from it later learns from what will be evaluated.
    multipliers: pairs (some of `weights`, factor of the learning rate): an update moves them by that factor of its
        way, of any optimizer, weight decay included.
    """

    name: str
    weights: Sequence
    loss: Callable
    updates: int = 1
    scheduled: bool = False
    start: int = 0
    stop: int | None = None
    shared: bool = False
    measures: Callable | None = None
    follows: Sequence = ()
    ends_averaged: bool = False
    multipliers: Sequence = ()

    def outcome(self, batch, seed, step=None):
        """Returns ({term: [batch]}, values) of the loss at a step (None: after all schedules), whether it follows
        anything or not; nothing is assigned.

        Raises:
            ValueError: if the loss does not say as many values as the player follows weights.
        """
        found = self.loss(batch, seed, *([step] if self.scheduled else []))
        terms, values = found if isinstance(found, tuple) else (found, ())
        if len(values) != len(self.follows):
            raise ValueError(f"player {self.name!r}: follows {len(self.follows)} weights, and its loss says "
                             f"{len(values)} values.")
        return terms, tuple(tf.cast(value, item.weight.dtype) for value, item in zip(values, followed(self.follows)))

    def moves_at(self, step):
        """Says whether the player moves at a step, a Python integer or a tensor."""
        return (step >= self.start) & (step < (2**31 - 1 if self.stop is None else self.stop))


def image_shape(shape):
    """Returns (height, width, channels) as a tuple. Raises ValueError for the shape of anything but an image."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"shape must be an image's, (height, width, channels), found {tuple(shape)}.")
    return tuple(shape)


class Model(Playing, abc.ABC):
    """A Keras model that is a game of players.

    A subclass defines `domain`, `players`, `call` (the whole likelihood or forward path, so that every weight is built)
    and `get_config` (exactly its constructor's arguments), and ends its constructor with `self.build()`.
    """

    paper: Paper  # of every model of `zoo.MODELS`
    controls = {}  # {name: `zoo.control.Control`}

    def controls_of(self, method):
        """Returns the controls that a method takes, {name: Control}, with numbers in the place of names of
        attributes."""
        return {name: control.resolved(self) for name, control in self.controls.items() if method in control.of}

    @property
    @abc.abstractmethod
    def domain(self):
        """The model's `Domain`."""

    @abc.abstractmethod
    def players(self):
        """Returns the sequence of `Player`s, in the order of their moves."""

    @abc.abstractmethod
    def get_config(self):
        """Returns the constructor's arguments, all of them and nothing else."""

    def settle(self):
        """Recomputes what belongs to the weights as they are now, each part that has a `settle` by that.

        Called where averaged weights were put into the model; of most models nothing does. What a loss alone can say,
        such as running moments, stays as it followed.
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


class GenerativeModel(Model, Sampling):
    """A model that can be sampled: it defines `_sample`. One that can't, such as an autoencoder, is a `Model`."""
