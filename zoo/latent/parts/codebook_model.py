"""What models of discrete codes share: players that train in two stages, the bound of the chosen codes, and sampling
from a learned prior over the grid of codes.

A model of two runs is one run of two stages: it takes the other model as a constructor argument, by name, makes it from
`zoo.model.KNOWN`, and gives the players of both: those of the first stage with a `stop`, its own with that as their
`start`. Nothing else knows of the stages: averages, checkpoints and schedules are each player's.

In the first stage an autoencoder learns to say an image by entries of codebooks, whose entries follow it; in the second
both stand still, and an autoregressive model of another family learns which codes there are. The encoder chooses its
codes with certainty: nothing is lost by drawing them.
"""

import abc
import dataclasses

import tensorflow as tf

from zoo import model as models
from zoo import random
from zoo.capabilities import Autoencoding, LowerBound, SamplingMeans
from zoo.domain import condition_of
from zoo.latent.parts import observations
from zoo.layers.vector_quantizer import perplexity
from zoo.model import GenerativeModel, Player, image_shape, split_batch
from zoo.networks.autoencoding import float32

# The models of the autoregressive family that a prior can be, and their arguments from channels and blocks.
PRIORS = {
    "gated_pixel_cnn": lambda channels, blocks: dict(channels=channels, blocks=blocks, kernel_size=5,
                                                     head_channels=2 * channels, embedding=channels),
    "image_gpt": lambda channels, blocks: dict(width=channels, layers=blocks, heads=4 if channels % 4 == 0 else 1),
}


class CodebookModel(GenerativeModel, SamplingMeans, LowerBound, Autoencoding):
    """log p(x) >= log p(x|e(k)) + sum over levels l of log p(k_l|k_<l), k = the encoder's codes of x, e their entries.

    A subclass calls `assemble`, then sets `quantizers`, `code_priors` (level by level, the first conditions the next)
    and the lists `autoencoder_layers` and `prior_layers`, whose weights are those of its players.
    """

    level_names = ("",)

    @abc.abstractmethod
    def latents(self, x):
        """Returns the encoder's vectors z and what they are replaced by, [(z, q, codes)] of each level: [B, h, w, size]
        twice, float32, and int32 [B, h, w]."""

    @abc.abstractmethod
    def parameters(self, entries):
        """Returns what p(x|e) is made of, float32 [B, height, width, channels, observation.parameters], of entries [B,
        h, w, size] of each level."""

    @abc.abstractmethod
    def prior_condition(self, level, entries, condition):
        """Returns the condition of a level's prior: of the entries of the levels before it, and of the class."""

    def assemble(self, shape, levels, likelihood, beta, autoencoder_steps, classes):
        if beta < 0 or autoencoder_steps < 1 or (classes is not None and classes < 1):
            raise ValueError(f"beta must not be negative, autoencoder_steps and classes at least 1, found {beta}, "
                             f"{autoencoder_steps} and {classes}.")
        self.shape, self.levels, self.given_likelihood, self.beta = image_shape(shape), levels, likelihood, beta
        self.autoencoder_steps, self.classes = autoencoder_steps, classes
        self.observation = observations.make(likelihood, levels)

    @property
    def domain(self):
        return dataclasses.replace(self.observation.domain(self.shape), condition=condition_of(self.classes))

    def players(self):
        """Returns the autoencoder, whose vectors the codebooks follow, and then the prior."""
        stop, parts = self.autoencoder_steps, (self.autoencoder_layers, self.prior_layers)
        autoencoder, prior = ([w for layer in layers for w in layer.trainable_weights] for layers in parts)
        codebooks = [item for quantizer in self.quantizers for item in quantizer.averages()]
        # Shared: what revives an entry is drawn alike on all replicas.
        return (Player("autoencoder", autoencoder, self.autoencoder_objective, scheduled=True, stop=stop, shared=True,
                       ends_averaged=True, measures=self.code_measures, follows=codebooks),
                Player("prior", prior, self.prior_objective, start=stop))

    def code_measures(self):
        """Returns each level's perplexity, and the share of its entries that are in use, both of the moving
        averages."""
        found = {}
        for name, quantizer in zip(self.level_names, self.quantizers):
            used = 1.0 - tf.reduce_mean(tf.cast(quantizer.dead(), tf.float32))
            found |= {f"{name}perplexity": perplexity(quantizer.usage()), f"{name}codes_used": used}
        return found

    def autoencoder_objective(self, batch, seed, step=None):
        """Returns {reconstruction: -log p(x|e), commitment: beta ||z - sg[e]||^2 a level}, [batch] each, and next
        codebooks.

        That is equation 3, in the place of whose middle term the codebooks follow the vectors z of this very loss.
        """
        x, _ = split_batch(batch)
        levels = self.latents(x)
        likelihood = self.observation.distribution(self.parameters([q for _, q, _ in levels]))
        terms = {"reconstruction": -likelihood.log_prob(x)}
        values = []
        for level, (name, quantizer, (z, q, codes)) in enumerate(zip(self.level_names, self.quantizers, levels)):
            terms[f"{name}commitment"] = self.beta * tf.reduce_sum((z - tf.stop_gradient(q)) ** 2, [1, 2, 3])
            values += quantizer.moved(z, codes, random.fold_in(seed, level), step)
        return terms, values

    def prior_objective(self, batch, seed):
        """Returns {nll: -log p(k_l|k_<l)} of each level, [batch] each."""
        x, condition = split_batch(batch)
        codes = [tf.stop_gradient(codes) for _, _, codes in self.latents(x)]
        return {f"{name}nll": -value for name, value in zip(self.level_names, self._log_priors(codes, condition))}

    def _log_priors(self, codes, condition):
        entries = self._entries(codes)
        return [prior._log_prob(tf.cast(k[..., None], prior.domain.dtype),
                                self.prior_condition(level, entries[:level], condition))
                for level, (prior, k) in enumerate(zip(self.code_priors, codes))]

    def _entries(self, codes):
        return [tf.stop_gradient(quantizer.embed(k)) for quantizer, k in zip(self.quantizers, codes)]

    def call(self, batch):
        x, condition = split_batch(batch)
        return tf.add_n(self.rate_distortion(x, None, condition))

    def rate_distortion(self, x, seeds, condition=None):
        """Returns (rate, distortion) in nats, [batch] each: -log p(k), what the codes cost, and -log p(x|e(k)); nothing
        is drawn, so `seeds` are not read."""
        self.domain.require(condition)
        codes = self.codes(x)
        distortion = -self.observation.distribution(self.parameters(self._entries(codes))).log_prob(x)
        return -tf.add_n(self._log_priors(codes, condition)), distortion

    def _elbo(self, x, seeds, condition=None):
        """Computes log p(x|e(k)) + log p(k), k the codes of x, in nats, [batch]: one term of log sum_k p(x|e(k)) p(k),
        so a lower bound."""
        return -tf.add_n(self.rate_distortion(x, seeds, condition))

    def codes(self, x):
        """Returns the codes of x: a tuple of int32 [batch, h, w], one for each level."""
        return tuple(codes for _, _, codes in self.latents(x))

    def decode_codes(self, codes):
        """Returns the mean of p(x|e(k)) in the domain's unit, of codes as `codes` gives them."""
        return self.observation.mean(self.parameters(self._entries(codes)))

    def sample_codes(self, seeds, condition=None):
        """Draws k ~ p(k), level by level, as `codes` gives them: each by its prior's own sampler."""
        self.domain.require(condition)
        codes = []
        for level, prior in enumerate(self.code_priors):
            drawn = prior._sample(random.fold_in_rows(seeds, level),
                                  self.prior_condition(level, self._entries(codes), condition))
            codes.append(tf.cast(drawn[..., 0], tf.int32))
        return tuple(codes)

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x|e(k)), k ~ p(k)."""
        raw = self.parameters(self._entries(self.sample_codes(random.fold_in_rows(seeds, 0), condition)))
        return self.observation.draw(raw, random.fold_in_rows(seeds, 1), self.shape)

    def _sample_mean(self, seeds, condition=None):
        """Computes E[x|e(k)], k ~ p(k): the same codes as `sample`, without the pixels' own noise."""
        return self.decode_codes(self.sample_codes(random.fold_in_rows(seeds, 0), condition))

    def _encode(self, x, condition=None):
        """Returns the entries that x is said by, float32 [batch, h, w, size]; [batch, n] of several levels, one after
        the other."""
        entries = self._entries(self.codes(x))
        if len(entries) == 1:
            return entries[0]
        return tf.concat([tf.reshape(e, [-1, e.shape[1] * e.shape[2] * e.shape[3]]) for e in entries], 1)

    def _decode(self, z, condition=None):
        """Returns the mean of p(x|z) in the domain's unit; z of the shape that `encode` gives, entries or not."""
        return self.observation.mean(self.parameters(self._parted(z)))

    def _parted(self, z):
        shapes = [(*prior.shape[:2], quantizer.size) for prior, quantizer in zip(self.code_priors, self.quantizers)]
        parts = tf.split(tf.reshape(z, [-1, sum(h * w * n for h, w, n in shapes)]), [h * w * n for h, w, n in shapes],
                         1)
        return [tf.reshape(part, [-1, *shape]) for part, shape in zip(parts, shapes)]

    def to_pixels(self, h):
        """Returns a decoder's maps [B, height, width, channels * parameters] as parameters of each entry."""
        return tf.reshape(float32(h), [-1, *self.shape, self.observation.parameters])


def make_prior(kind, grid, entries, channels, blocks, classes=None, features=None):
    """Returns the autoregressive model p(k) of codes on a grid. Raises ValueError for another kind, or a condition that
    it can't take."""
    if kind not in PRIORS:
        raise ValueError(f"prior must be one of {', '.join(PRIORS)}, found {kind!r}.")
    conditions = {key: value for key, value in dict(classes=classes, features=features).items() if value}
    if conditions and kind == "image_gpt":
        raise ValueError(f"prior 'image_gpt' takes no classes, found {classes}; 'gated_pixel_cnn' does.")
    return models.KNOWN[kind](shape=(*grid, 1), levels=entries, **PRIORS[kind](channels, blocks), **conditions)
