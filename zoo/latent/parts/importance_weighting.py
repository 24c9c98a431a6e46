"""What every model with a lower bound has of it: one player, the bound of one draw from its rate and distortion, and
the importance-weighted one."""

import abc

import tensorflow as tf

from zoo import random
from zoo.capabilities import ImportanceWeighted
from zoo.latent.parts.bounds import importance_weighted
from zoo.model import GenerativeModel, Player


class ImportanceWeightedModel(GenerativeModel, ImportanceWeighted):
    """log p(x) >= -rate - distortion. A subclass sets `noise_size`, standard normals of a draw of all latents, and
    defines the rest."""

    @abc.abstractmethod
    def objective(self, batch, seed, step=None):
        """The loss's terms, {name: [batch]}, at a step (None: after all schedules)."""

    @abc.abstractmethod
    def rate_distortion(self, x, seeds, condition=None):
        """(rate, distortion) in nats, [batch] each, at one draw of q(z|x): what the code costs, and what is left to say
        of x; the bound is minus their sum."""

    @abc.abstractmethod
    def weigher(self, x, condition=None):
        """The function of noise [num, batch, noise_size] that gives log p(x, z) / q(z|x), [num, batch]: what does not
        depend on noise is computed here, once."""

    @property
    @abc.abstractmethod
    def chunk(self):
        """Importance samples of an example that are in memory at once."""

    def players(self):
        return (Player("model", self.trainable_weights, self.objective, scheduled=True),)

    def _elbo(self, x, seeds, condition=None):
        """log p(x|z) + log p(z) - log q(z|x) at one z ~ q(z|x) (the KL term in closed form where there is one), in
        nats, [batch]: nothing weighted."""
        return -tf.add_n(self.rate_distortion(x, seeds, condition))

    def _log_prob(self, x, seeds, num_samples=100, condition=None, chunk=None):
        """log 1/k sum_k p(x, z_k) / q(z_k|x), z_k ~ q(z|x), in nats, [batch]: a lower bound of log p(x), tighter as k
        grows.

        `chunk` samples of an example are in memory at once; None: `self.chunk`.
        """
        self.domain.require(condition)
        weigh = self.weigher(x, condition)
        return importance_weighted(lambda index, num: weigh(self.noise(random.fold_in_rows(seeds, index), num)),
                                   num_samples, chunk or self.chunk)

    def noise(self, seeds, num):
        """`num` draws for each row: [num, batch, noise_size]."""
        return tf.transpose(random.normal_rows(seeds, [num, self.noise_size]), [1, 0, 2])
