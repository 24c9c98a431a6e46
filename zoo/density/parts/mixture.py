"""Mixtures by expectation maximisation: responsibilities r = p(k | x) for all data, then each component's own maximum
with those as weights.

One iteration never lowers the likelihood (or the posterior, where there is a prior). It starts from components at
examples that k-means++ chose, each with the examples that are nearest to it.

A. P. Dempster, N. M. Laird, D. B. Rubin, Maximum Likelihood from Incomplete Data via the EM Algorithm, 1977.
"""

import abc

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.density.parts import k_means
from zoo.density.parts.fitted import BUDGET, Completes, FittedModel, in_chunks

tfd = tfp.distributions


class Mixture(Completes, FittedModel):
    """p(x) = sum_k pi_k p(x | k).

    A subclass adds its components' weights with `state`, and defines the methods below.
    """

    iterative = True

    def __init__(self, shape, components, levels=None, **kwargs):
        super().__init__(shape, levels, **kwargs)
        if components < 1:
            raise ValueError(f"components must be at least 1, found {components}.")
        self.components = components
        self.weight = self.state("weight", [components],
                                 lambda shape, dtype: tf.fill(shape, tf.cast(1.0 / components, dtype)))

    @property
    @abc.abstractmethod
    def row_cost(self):
        """Numbers that one row adds to the largest intermediate result."""

    @abc.abstractmethod
    def component_distribution(self):
        """Returns p(x | k) of flat x, a distribution with batch shape [K] and event shape [D]."""

    @abc.abstractmethod
    def component_log_prob(self, x, known=None):
        """Computes log p(x where `known` | k) of flat x [B, D], [B, K]."""

    @abc.abstractmethod
    def component_sample(self, k, seeds, x=None, known=None):
        """Draws x [B, D] from component k [B] (given x where `known`)."""

    @abc.abstractmethod
    def statistics(self, x, r):
        """Sums over examples x [B, D], weighted by r [B, K], that the new components follow from: a tuple."""

    @abc.abstractmethod
    def maximize(self, num, sums, mean):
        """Sets the components from `num` = sum r [K], the `statistics` of all data, and the data's mean [D]."""

    def distribution(self):
        """Returns p(x) of flat x as a `tfd.MixtureSameFamily`."""
        return tfd.MixtureSameFamily(tfd.Categorical(probs=tf.convert_to_tensor(self.weight)),
                                     self.component_distribution())

    def place(self, centres):
        """Puts the components at `centres` [K, D] where `statistics` are measured from where they are."""

    def start(self, x, seed):
        x = self.flat(x)
        centres = k_means.choose(x, self.components, seed)
        self.place(centres)
        self._improve(x, self._sweep(x, centres)[1])

    def update(self, x):
        """Makes an iteration; returns {log_likelihood: mean log p(x) of the data under the weights as they were before
        it}."""
        x = self.flat(x)
        total, sums = self._sweep(x, None)
        self._improve(x, sums)
        return {"log_likelihood": tf.cast(total / x.shape[0], tf.float32)}

    def log_weights(self):
        return tf.math.log(tf.convert_to_tensor(self.weight))

    def marginal_log_prob(self, x, known):
        """Computes log sum_k pi_k p(x where `known` | k), [B]."""
        def rows(*given):
            return tf.reduce_logsumexp(self.log_weights() + self.component_log_prob(*given), axis=1)

        return in_chunks(rows, (x,) if known is None else (x, known), self._rows)

    def component(self, seeds, x, known):
        """Draws k ~ p(k | x where `known`), int32 [B]."""
        logits = self.log_weights()
        if known is not None:
            logits += in_chunks(self.component_log_prob, (x, known), self._rows, (self.components,))
        # The smallest uniform is kept away from 0, where the double logarithm would be infinite.
        gumbels = -tf.math.log(-tf.math.log(random.uniform_rows(random.fold_in_rows(seeds, 0), [self.components],
                                                                minval=1e-20)))
        return tf.argmax(logits + gumbels, axis=1, output_type=tf.int32)

    def conditional(self, seeds, x, known):
        """Draws k ~ p(k | x where `known`), then x ~ p(x | k, x where `known`), [B, D]."""
        return self.component_sample(self.component(seeds, x, known), random.fold_in_rows(seeds, 1), x, known)

    @property
    def _rows(self):
        return max(1, BUDGET // self.row_cost)

    def _improve(self, x, sums):
        num, *sums = sums
        self.maximize(num, sums, tf.reduce_mean(x, axis=0))
        self.weight.assign(num / tf.reduce_sum(num))

    @tf.function(reduce_retracing=True)
    def _sweep(self, x, centres):
        """Returns (sum of log p(x), (sum r, *statistics)) over all rows, a chunk at a time; r is 1 for the nearest of
        `centres`, or p(k | x) without them."""
        rows, size = self._rows, tf.shape(x)[0]

        def chunk(x):
            if centres is None:
                joint = self.log_weights() + self.component_log_prob(x)  # [B, K]
                r, total = tf.nn.softmax(joint), tf.reduce_sum(tf.cast(tf.reduce_logsumexp(joint, axis=1), tf.float64))
            else:
                r, total = tf.one_hot(k_means.nearest(x, centres), self.components), tf.zeros([], tf.float64)
            return total, tf.reduce_sum(r, axis=0), *self.statistics(x, r)

        def step(start, *sums):
            return start + rows, *(a + b for a, b in zip(sums, chunk(x[start:start + rows])))

        total, *sums = tf.while_loop(lambda start, *_: start < size, step, (rows, *chunk(x[:rows])),
                                     parallel_iterations=1)[1:]
        return total, tuple(sums)
