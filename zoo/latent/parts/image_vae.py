"""What VAEs of images share: importance weighting, samples before the pixels' noise, and completion, all made of a
posterior, a prior and a decoder.

A model says how noise becomes latents and their log-densities (`approximate`), what the prior thinks of them
(`log_prior`) and draws (`draw_prior`), what a decoder makes of them (`parameters`), and its own bound (`terms`);
everything here follows. Latents may be a tensor or a tuple of layers; noise is one standard normal vector an example.
"""

import abc

import tensorflow as tf

from zoo import random
from zoo.capabilities import Autoencoding, Completing, SamplingMeans
from zoo.latent.parts import completion
from zoo.latent.parts.importance_weighting import ImportanceWeightedModel
from zoo.model import split_batch

_CHUNK, _ENTRIES = 50, 1 << 22  # importance samples in memory at once, and what a decoder says of them, of an image


class ImageVAE(ImportanceWeightedModel, SamplingMeans, Autoencoding, Completing):
    """log p(x) >= E_q [log p(x|z)] - KL(q(z|x) || p(z)): a distortion and a rate.

    A subclass sets `shape`, `noise_size` (standard normals of a draw of all latents) and `observation`
    (`zoo.latent.parts.observations`), and defines the abstract methods and `_sample`.
    """

    @abc.abstractmethod
    def approximate(self, x, condition=None):
        """Returns q(z|x) as a function of noise: eps [..., batch, noise_size] -> (z, log q(z|x) [..., batch])."""

    @abc.abstractmethod
    def log_prior(self, z, condition=None):
        """Computes log p(z), [..., batch]."""

    @abc.abstractmethod
    def draw_prior(self, seeds, condition=None):
        """Draws z ~ p(z), a row for each seed."""

    @abc.abstractmethod
    def parameters(self, z, condition=None):
        """Computes what p(x|z) is made of, float32 [..., batch, *observation.layout(shape)]: as a rule [..., batch,
        height, width, channels, parameters]."""

    @abc.abstractmethod
    def terms(self, x, eps, condition=None, step=None):
        """Returns {reconstruction: -log p(x|z), and the terms of the rate}, [batch] each, at the latents that eps
        gives; `step` is that of the schedules, None: after all of them."""

    @property
    def domain(self):
        return self.observation.domain(self.shape)

    def likelihood(self, z, condition=None):
        """Returns p(x|z), batch shape [..., batch]."""
        return self.observation.distribution(self.parameters(z, condition))

    def prior_density(self, condition=None):
        """Returns the function z -> log p(z): a prior that networks make is made once."""
        return lambda z: self.log_prior(z, condition)

    def objective(self, batch, seed, step=None):
        """Returns the loss's terms, [batch] each, at latents drawn from a seed."""
        x, condition = split_batch(batch)
        return self.terms(x, tf.random.stateless_normal([tf.shape(x)[0], self.noise_size], seed), condition, step)

    def call(self, batch):
        x, condition = split_batch(batch)
        return tf.add_n(list(self.terms(x, tf.zeros([tf.shape(x)[0], self.noise_size]), condition).values()))

    def rate_distortion(self, x, seeds, condition=None):
        """Returns (rate, distortion) in nats, [batch] each, at one draw of q(z|x): what the code costs, and what is
        left to say of x; the bound is minus their sum."""
        self.domain.require(condition)
        terms = self.terms(x, random.normal_rows(seeds, [self.noise_size]), condition)
        distortion = terms.pop("reconstruction")
        return tf.add_n(list(terms.values())), distortion

    def weigher(self, x, condition=None):
        draw, log_prior = self.approximate(x, condition), self.prior_density(condition)

        def log_weight(eps):
            z, log_q = draw(eps)
            return self.likelihood(z, condition).log_prob(x) + log_prior(z) - log_q

        return log_weight

    @property
    def chunk(self):
        """Importance samples in memory at once: fewer for images of which a decoder says more, and 50 at most."""
        return max(1, min(_CHUNK, _ENTRIES // self.observation.size(self.shape)))

    def draw_image(self, parameters, seeds):
        """Draws x ~ p(x|z) from what the decoder says of it, a row for each seed."""
        return self.observation.draw(parameters, seeds, self.shape)

    def draw_parameters(self, seeds, condition=None):
        """Computes what p(x|z) is made of, at z ~ p(z), a row for each seed."""
        return self.parameters(self.draw_prior(seeds, condition), condition)

    def _sample_mean(self, seeds, condition=None):
        """Computes E[x|z], z ~ p(z): the same latents as `sample`, without the pixels' own noise."""
        self.domain.require(condition)
        return self.observation.mean(self.draw_parameters(random.fold_in_rows(seeds, 0), condition))

    def _decode(self, z, condition=None):
        """Computes the mean of p(x|z), in the domain's unit."""
        return self.observation.mean(self.parameters(z, condition))

    def _complete(self, x, mask, seeds, condition=None):
        """Draws what is missing: keeps x where `mask` (bool [batch, height, width]) is true."""
        return completion.complete(self, x, mask, seeds, condition)

    def _missing_log_prob(self, x, mask, seeds, condition=None):
        """Computes a lower bound of log of the probability with which `complete` draws what x has where `mask` is
        false, in nats, [batch]."""
        return completion.missing_log_prob(self, x, mask, seeds, condition)

    def completes_exactly(self, mask):
        """Says whether `missing_log_prob` is exact: never."""
        return False

    @property
    def completion(self):
        """What `complete` does, in words."""
        return completion.describe(self)


def flatly(function, z):
    """Applies a function [rows, D] -> [rows, ...] to a tensor [..., D]: networks take one dimension of rows."""
    y = function(tf.reshape(z, [-1, z.shape[-1]]))
    return tf.reshape(y, tf.concat([tf.shape(z)[:-1], y.shape[1:]], 0))
