"""What all autoregressive models share: an exact likelihood that is a product over places in a fixed order, and what
follows from it.

log p(x) = sum over places i of log p(x_i | x_<i). A place is an entry of x, or a pixel with its channels. A model gives
all factors in one parallel pass and draws in one cached loop; here are the loss, `sample` and completion. Given the
places that come first, the rest is drawn exactly. Given any others, candidates that keep what is given are weighted by
how likely that is after what was drawn before it, and one is chosen (sampling-importance-resampling: D. B. Rubin,
1988), exact as their number grows.
"""

import abc
import math

import numpy as np
import tensorflow as tf

from zoo import random
from zoo.capabilities import Completing, ExactLikelihood
from zoo.model import GenerativeModel, Player, split_batch

CANDIDATES = 16  # of a completion that is not exact


class Autoregressive(GenerativeModel, ExactLikelihood, Completing):
    """log p(x) = sum_i log p(x_i | x_<i), with places in row-major order unless the model says otherwise.

    A subclass defines the five abstract methods below and what `GenerativeModel` asks for.
    """

    @abc.abstractmethod
    def parameters(self, x, condition=None, seed=None):
        """Returns the parameters of every p(x_i | x_<i), float32, in one parallel pass; `seed` is the noise of training
        (dropout), None: none."""

    @abc.abstractmethod
    def distribution(self, parameters):
        """Returns p as a `tfd.Independent` over the places (and a pixel's channels) of one example, given all
        parameters."""

    @abc.abstractmethod
    def noise(self, seeds):
        """Returns what `generate` inverts, one example's for each row of `seeds`, int32 [batch, 2]."""

    @abc.abstractmethod
    def from_noise(self, parameters, noise):
        """Returns x with every place drawn from its parameters and the noise that `generate` would use there: what the
        naive sampler calls once a place."""

    @abc.abstractmethod
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws every place given those before it, in one loop; where `known` (bool [batch, *places]), x stands."""

    @property
    def order(self):
        """The places in the order in which they are drawn, a permutation of their row-major numbers."""
        return np.arange(math.prod(self.domain.places))

    @property
    def passes(self):
        """How often the naive sampler must evaluate the network for one place."""
        return 1

    def log_probs(self, x, condition=None):
        """Computes log p(x_i | x_<i) of every place, [batch, *domain.places]."""
        return self._by_place(self.distribution(self.parameters(x, condition)), x)

    def _log_prob(self, x, condition=None):
        """Computes log p(x) (given the condition) in nats, [batch]: exact."""
        return self.distribution(self.parameters(x, condition)).log_prob(x)

    def objective(self, batch, seed):
        x, condition = split_batch(batch)
        return {"nll": -self.distribution(self.parameters(x, condition, seed)).log_prob(x)}

    def players(self):
        return (Player("model", self.trainable_weights, self.objective),)

    def call(self, batch):
        return self._log_prob(*split_batch(batch))

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x), place by place."""
        return self.generate(self.noise(seeds), condition)

    def _complete(self, x, mask, seeds, condition=None):
        """Draws x where `mask` (bool, [batch, *domain.places]) is false, given x where it is true.

        Exactly, and in one pass, if every row's known places come first in the model's order; else one of 16 candidates
        by their importance.
        """

        def drawn():
            return self.generate(self.noise(seeds), condition, x, mask)

        return _either(_come_first(self._in_order(mask)), drawn, lambda: self._resampled(x, mask, seeds, condition))

    def _missing_log_prob(self, x, mask, seeds, condition=None):
        """Computes log p(x where `mask` is false | x where it is true) in nats, [batch].

        Exact if every row's known places come first. Else a lower bound on average, of the log-probability that
        `complete` draws these very values: x is one of the 16 candidates, log q(x) + log(16 w(x) / (w(x) + w_1 + ... +
        w_15)), with q of what is drawn and w of what is known.
        """
        terms = self.log_probs(x, condition)

        def exact():
            return _sum(tf.where(mask, 0.0, terms))

        def bound():
            own = _sum(tf.where(mask, terms, 0.0))
            others = self._candidates(x, mask, seeds, condition, CANDIDATES - 1)[1]
            total = tf.reduce_logsumexp(tf.concat([own[:, None], others], 1), axis=1)
            return exact() + math.log(CANDIDATES) + own - total

        return _either(_come_first(self._in_order(mask)), exact, bound)

    @property
    def completion(self):
        """What `complete` does where it is not exact, in words."""
        return f"importance resampling of {CANDIDATES} candidates"

    def completes_exactly(self, mask):
        """Says whether every row's known places come first, so that what `complete` draws and `missing_log_prob` says
        is exact."""
        return _come_first(self._in_order(tf.convert_to_tensor(mask, tf.bool)))

    def _resampled(self, x, mask, seeds, condition):
        candidates, weights = self._candidates(x, mask, seeds, condition, CANDIDATES)
        gumbels = -tf.math.log(-tf.math.log(random.uniform_rows(random.fold_in_rows(seeds, CANDIDATES), [CANDIDATES],
                                                                minval=1e-20)))
        return tf.gather(candidates, tf.argmax(weights + gumbels, axis=1), batch_dims=1)

    def _candidates(self, x, mask, seeds, condition, num):
        """Examples [batch, candidates, *shape] that keep what is known, and log of the weight of each: what is known,
        given what was drawn before it."""
        def one(number):
            drawn = self.generate(self.noise(random.fold_in_rows(seeds, number)), condition, x, mask)
            return drawn, _sum(tf.where(mask, self.log_probs(drawn, condition), 0.0))

        specs = tf.TensorSpec(x.shape, x.dtype), tf.TensorSpec(x.shape[:1], tf.float32)
        # one at a time: bounded memory
        drawn, weights = tf.map_fn(one, tf.range(num), fn_output_signature=specs, parallel_iterations=1)
        return tf.transpose(drawn, [1, 0, *range(2, drawn.shape.rank)]), tf.transpose(weights)

    def _in_order(self, mask):
        """Returns the mask with places in the order in which they are drawn, [batch, number of places]."""
        return tf.gather(tf.reshape(mask, [-1, math.prod(self.domain.places)]), self.order, axis=1)

    def _by_place(self, distribution, x):
        terms = distribution.distribution.log_prob(x)
        return terms if terms.shape.rank == 1 + len(self.domain.places) else tf.reduce_sum(terms, -1)


def _come_first(mask):
    """Says whether in every row [batch, n] no place is known after one that is not: a Python bool where the mask can be
    seen."""
    late = tf.reduce_any(mask[:, 1:] & ~mask[:, :-1])
    return ~late if tf.is_symbolic_tensor(mask) else not bool(late)


def _either(condition, true, false):
    """Calls `tf.cond`, or in eager mode the branch itself."""
    if tf.is_tensor(condition):
        return tf.cond(condition, true, false)
    return true() if condition else false()


def _sum(terms):
    return tf.reduce_sum(terms, list(range(1, terms.shape.rank)))
