"""What density estimators share: they are fitted, not trained. `start` sets the weights from all training data,
`update` improves them.

An estimator's weights are no gradient's business: it is a game of one player who has a loss to be judged by and nothing
that an optimizer moves. What follows from the size or the range of the data (how many points to store, how many bins)
is found by `sized` before the model is made, so that a configuration always gives weights of the same shapes.
"""

import abc
import math

import tensorflow as tf

from zoo import checks, random
from zoo.capabilities import Completing, ExactLikelihood
from zoo.model import Domain, GenerativeModel, Player

BUDGET = 1 << 22  # numbers in the largest intermediate result


class FittedModel(GenerativeModel, ExactLikelihood):
    """A model with exact log p(x) whose weights come from `start(x, seed)`, then `update(x)` as often as `iterative`
    allows.

    A subclass defines `start`, `update`, `log_prob`, `sample`, `get_config`, and `sized` if its arguments depend on the
    data.

    Args:
        shape: of an example; its D entries are flattened inside.
        levels: None for points; for images, the number of a pixel's values, and x = (level + u) / levels with u ~ U[0,
            1).
    """

    iterative = False  # whether a second `update` can change anything

    def __init__(self, shape, levels=None, **kwargs):
        super().__init__(**kwargs)
        if not len(shape) or min(shape) < 1:
            raise ValueError(f"shape must have at least one dimension, of 1 or more, found {tuple(shape)}.")
        if levels is not None and levels < 2:
            raise ValueError(f"levels must be None or at least 2, found {levels}.")
        self.shape, self.levels = tuple(shape), levels
        self.size = math.prod(shape)

    @property
    def domain(self):
        if self.levels is None:
            return Domain("real", self.shape)
        return Domain("real", self.shape, self.levels, range=(0.0, 1.0), dequantized=True)

    @classmethod
    def sized(cls, arguments, x):
        """Returns the constructor's arguments with those that were left to the data, x [N, *shape], filled in."""
        return dict(arguments)

    @classmethod
    def fitted(cls, x, seed=0, steps=None, **arguments):
        """Makes a model for x [N, *shape] and fits it: for a notebook."""
        model = cls(**cls.sized(arguments | dict(shape=tuple(x.shape[1:])), x))
        model.fit(x, seed, steps)
        return model

    @abc.abstractmethod
    def start(self, x, seed):
        """Sets the weights from all training data, x [N, *shape] in the domain's units; `seed`: int32 [2]."""

    @abc.abstractmethod
    def update(self, x):
        """Makes one pass over all data that improves the weights where it can; returns {name: scalar}."""

    def fit(self, x, seed=0, steps=None):
        """Runs `start`, then `steps` updates (20, or 1 where one is all there is); returns {name: [a value per
        update]}."""
        x = checks.example(self.domain, x)
        self.start(x, random.seed(seed))
        history = [self.update(x) for _ in range(steps or (20 if self.iterative else 1))]
        return {name: [float(scalars[name]) for scalars in history] for name in history[0]}

    def players(self):
        return (Player("model", (), self.objective),)

    def objective(self, x, seed):
        return {"nll": -self._log_prob(x)}

    def call(self, x):
        return self._log_prob(x)

    def state(self, name, shape, initializer):
        """Returns a weight that no optimizer moves, kept in 32 bits."""
        return self.add_weight(shape=shape, initializer=initializer, trainable=False, dtype="float32", autocast=False,
                               name=name)

    def flat(self, x):
        """Maps [batch, *shape] -> float32 [batch, D]."""
        return tf.reshape(tf.cast(x, tf.float32), [-1, self.size])

    def example(self, x):
        """Maps [batch, D] -> [batch, *shape]; an image is clipped to [0, 1]."""
        # NOTE: kernels and components reach a little beyond the pixels' range: their mass there is part of the density,
        # and not of the samples.
        x = x if self.levels is None else tf.clip_by_value(x, 0.0, 1.0)
        return tf.cast(tf.reshape(x, [-1, *self.shape]), self.domain.dtype)

    def flat_mask(self, mask):
        """Maps bool [batch, *places] -> bool [batch, D]."""
        places = self.domain.places
        return tf.repeat(tf.reshape(mask, [-1, math.prod(places)]), self.size // math.prod(places), axis=1)


class Completes(Completing):
    """For an estimator whose conditionals are exact: `complete` and `missing_log_prob` for any mask, from two methods
    of flat x [batch, D].

    A subclass defines `marginal_log_prob(x, known)`, log p(x where `known`), [batch], and `conditional(seeds, x,
    known)`, a draw of all of x given it.
    """

    def _log_prob(self, x, condition=None):
        """Computes log p(x) in nats, [batch]: exact."""
        return self._marginal(self.flat(x), None)

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x); row i from `seeds[i]` alone."""
        return self.example(self._drawn(seeds, None, None))

    def _complete(self, x, mask, seeds, condition=None):
        """Draws x where `mask` (bool, [batch, *domain.places]) is false, given x where it is true: exactly, for any
        mask."""
        x, known = self.flat(x), self.flat_mask(mask)
        return self.example(tf.where(known, x, self._drawn(seeds, x, known)))

    def _missing_log_prob(self, x, mask, seeds, condition=None):
        """Computes log p(x) - log p(x where `mask` is true) in nats, [batch]: exact; -inf where what is known has
        density 0."""
        known = self._marginal(self.flat(x), self.flat_mask(mask))
        return tf.where(tf.math.is_inf(known), known, self._log_prob(x) - known)

    def completes_exactly(self, mask):
        """Returns True: any mask's completion is exact."""
        return True

    # Compiled, since a loop over rows or chunks is slow in eager mode; inside a graph they become part of it.
    @tf.function(reduce_retracing=True, autograph=False)
    def _marginal(self, x, known):
        return self.marginal_log_prob(x, known)

    @tf.function(reduce_retracing=True, autograph=False)
    def _drawn(self, seeds, x, known):
        return self.conditional(seeds, x, known)


def in_chunks(function, given, rows, shape=()):
    """Computes function(*given), float32 [N, *shape], by parts of `rows` rows, so that what it needs on the way stays
    small; it maps rows to rows."""
    num = tf.shape(given[0])[0]
    parts = tf.TensorArray(tf.float32, (num + rows - 1) // rows, infer_shape=False, element_shape=[None, *shape])

    def step(part, parts):
        return part + 1, parts.write(part, function(*(tensor[part * rows:(part + 1) * rows] for tensor in given)))

    parts = tf.while_loop(lambda part, _: part * rows < num, step, (0, parts), parallel_iterations=1)[1]
    return tf.ensure_shape(parts.concat(), [given[0].shape[0], *shape])
