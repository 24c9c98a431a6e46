"""What every model with a lower bound of log p(x) has of it: one player, the bound of one draw of the latents, and the
tighter one of many, weighted by their importance.

Y. Burda, R. Grosse, R. Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv:1509.00519.
"""

import abc
import math

import tensorflow as tf

from zoo import random
from zoo.capabilities import ImportanceWeighted
from zoo.model import GenerativeModel, Player


class ImportanceWeightedModel(GenerativeModel, ImportanceWeighted):
    """log p(x) >= -rate - distortion. A subclass sets `noise_size`, standard normals of a draw of all latents, and
    defines the rest."""

    @abc.abstractmethod
    def objective(self, batch, seed, step=None):
        """Returns the loss's terms, {name: [batch]}, at a step (None: after all schedules)."""

    @abc.abstractmethod
    def rate_distortion(self, x, seeds, condition=None):
        """Returns (rate, distortion) in nats, [batch] each, at one draw of q(z|x): what the code costs, and what is
        left to say of x; the bound is minus their sum."""

    @abc.abstractmethod
    def weigher(self, x, condition=None):
        """Returns the function of noise [num, batch, noise_size] that gives log p(x, z) / q(z|x), [num, batch]: what
        does not depend on noise is computed here, once."""

    @property
    @abc.abstractmethod
    def chunk(self):
        """Importance samples of an example that are in memory at once."""

    def players(self):
        return (Player("model", self.trainable_weights, self.objective, scheduled=True),)

    def _elbo(self, x, seeds, condition=None):
        """Computes log p(x|z) + log p(z) - log q(z|x) at one z ~ q(z|x) (the KL term in closed form where there is
        one), in nats, [batch]: nothing weighted."""
        return -tf.add_n(self.rate_distortion(x, seeds, condition))

    def _log_prob(self, x, seeds, num_samples=100, condition=None, chunk=None):
        """Computes log 1/k sum_k p(x, z_k) / q(z_k|x), z_k ~ q(z|x), in nats, [batch]: a lower bound of log p(x),
        tighter as k grows.

        `chunk` samples of an example are in memory at once; None: `self.chunk`.
        """
        self.domain.require(condition)
        weigh = self.weigher(x, condition)
        return log_mean_weight(lambda index, num: weigh(self.noise(random.fold_in_rows(seeds, index), num)),
                               num_samples, chunk or self.chunk)

    def noise(self, seeds, num):
        """Draws the noise of `num` draws of the latents for each row: [num, batch, noise_size]."""
        return tf.transpose(random.normal_rows(seeds, [num, self.noise_size]), [1, 0, 2])


def log_mean_weight(log_weights, num_samples, chunk):
    """Computes log 1/k sum_k w_k, [batch], with the weights made `chunk` at a time, so that memory does not grow with
    k.

    Args:
        log_weights: function (index, num) -> log w, [num, batch]; the index of a chunk is what its noise is derived
            from.
        num_samples: k, at least 1.
        chunk: how many weights are in memory at once.

    Raises:
        ValueError: if `num_samples` or `chunk` is less than 1.
    """
    if num_samples < 1 or chunk < 1:
        raise ValueError(f"num_samples and chunk must be at least 1, found {num_samples} and {chunk}.")
    full, rest = divmod(num_samples, chunk)
    total = _log_sum(log_weights(full, rest)) if rest else None
    if full:
        first = _log_sum(log_weights(0, chunk))
        total = first if total is None else _log_add(total, first)

        def add(index, total):
            return index + 1, _log_add(total, _log_sum(log_weights(index, chunk)))

        total = tf.while_loop(lambda index, _: index < full, add, (1, total), parallel_iterations=1)[1]
    return total - math.log(num_samples)


def _log_sum(log_weights):
    return tf.reduce_logsumexp(log_weights, axis=0)


def _log_add(a, b):
    return tf.experimental.numpy.logaddexp(a, b)
