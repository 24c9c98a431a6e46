"""What the autoencoders of strings share: a convolutional encoder, a recurrent decoder that says all places at once,
and the evidence lower bound.

The decoder reads nothing of the string but its code: what stands at a place depends on the other places through z
alone, and through what may follow (`allowed`). A string is a sequence of tokens [T], filled up after its end.
"""

import abc
import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.capabilities import Autoencoding
from zoo.distributions import categories
from zoo.latent.parts import schedules
from zoo.latent.parts.importance_weighting import ImportanceWeightedModel
from zoo.layers.gru import RepeatedGRU
from zoo.model import Domain

tfd = tfp.distributions

NEVER = -1e9  # log-odds of what can't stand at a place: finite, so that no gradient is lost to an impossible example
_CHUNK, _ENTRIES = 50, 1 << 22  # importance samples in memory at once, and their logits, of a string


class SequenceVAE(ImportanceWeightedModel, Autoencoding):
    """log p(x|z) = sum_t log Categorical(x_t | logits_t(z), of what may stand after x_<t);  p(z) = N(0, I);  q(z|x) =
    N(loc(x), diag(scale(x)^2)).

    Args:
        shape: (T,). levels: tokens, K.
        latent_size: number of latent dimensions.
        filters, kernels: of the encoder's convolutions over the places, in their order.
        dense: width of the layer after them.
        hidden, layers: width and number of the decoder's gated recurrent layers.
        beta: weight of the KL term in the loss; what is reported as a bound is one whatever it is.
        warmup_steps: steps in which that weight rises from 0; 0: none.

    Raises:
        ValueError: if `shape` is not (T,), there is not a kernel for each number of filters, they take more than T
            places, or a number is too small.
    """

    def __init__(self, shape, levels, latent_size, filters, kernels, dense, hidden, layers, beta, warmup_steps,
                 **kwargs):
        super().__init__(**kwargs)
        if len(shape) != 1 or shape[0] < 1:
            raise ValueError(f"shape must be a text's, (number of tokens,), found {tuple(shape)}.")
        if levels < 2:
            raise ValueError(f"levels must be at least 2, found {levels}.")
        if min(latent_size, dense, hidden, layers, *filters, *kernels) < 1 or warmup_steps < 0 or beta <= 0:
            raise ValueError("latent_size, filters, kernels, dense, hidden and layers must be at least 1, beta above 0 "
                             "and warmup_steps not negative, "
                             f"found {latent_size}, {tuple(filters)}, {tuple(kernels)}, {dense}, {hidden}, {layers}, "
                             f"{beta} and {warmup_steps}.")
        if len(filters) != len(kernels):
            raise ValueError(f"filters and kernels must be equally many, found {tuple(filters)} and {tuple(kernels)}.")
        reach = 1 + sum(kernels) - len(kernels)
        if reach > shape[0]:
            raise ValueError(f"kernels: {tuple(kernels)} take {reach} places together, and texts have {shape[0]}; give "
                             "fewer or smaller ones.")
        self.shape, self.levels, self.latent_size, self.noise_size = tuple(shape), levels, latent_size, latent_size
        self.filters, self.kernels, self.dense = tuple(filters), tuple(kernels), dense
        self.hidden, self.depth, self.beta, self.warmup_steps = hidden, layers, beta, warmup_steps
        convolutions = [keras.layers.Conv1D(n, size, activation="relu") for n, size in zip(self.filters, self.kernels)]
        self.trunk = keras.Sequential([*convolutions, keras.layers.Flatten(), keras.layers.Dense(dense, "relu")],
                                      name="trunk")
        self.head = keras.layers.Dense(2 * latent_size, name="posterior")
        self.recurrent = RepeatedGRU(latent_size, hidden, layers, self.shape[0], name="decoder")
        self.rules = keras.layers.Dense(levels, dtype="float32", name="logits")

    @abc.abstractmethod
    def allowed(self, x):
        """Returns what may stand at place t after x_<t: bool [batch, T, K]."""

    @abc.abstractmethod
    def draw(self, logits, noise):
        """Draws x ~ p(x|z) from uniforms [batch, T]."""

    @abc.abstractmethod
    def likeliest(self, logits):
        """Returns the likeliest token of those that may stand, place after place: int32 [batch, T]."""

    @property
    def domain(self):
        return Domain("tokens", self.shape, self.levels)

    def prior(self):
        """Returns p(z) = N(0, I)."""
        return tfd.Independent(tfd.Normal(tf.zeros([self.latent_size]), 1.0), 1)

    def posterior(self, x):
        """Returns q(z|x), a diagonal Gaussian with batch shape [batch]."""
        features = self.trunk(tf.one_hot(x, self.levels))
        loc, log_variance = tf.split(tf.cast(self.head(features), tf.float32), 2, axis=-1)
        return tfd.Independent(tfd.Normal(loc, tf.exp(0.5 * log_variance)), 1)

    def logits(self, z):
        """Returns what the decoder says of every place, before it is known what may stand there: [batch, T, K] of z
        [batch, latent_size]."""
        h = self.recurrent(z)
        return tf.reshape(self.rules(tf.reshape(h, [-1, self.hidden])), [-1, *self.shape, self.levels])

    def likelihood(self, logits, allowed):
        """Returns p(x|z), batch shape [..., batch], event shape (T,): exact at the x whose `allowed` is given."""
        return categories.categories(tf.where(allowed, logits, NEVER))

    def terms(self, x, eps):
        """Returns {reconstruction: -log p(x|z), kl: KL(q(z|x) || p(z))}, each [batch], at z = loc + scale * eps."""
        posterior = self.posterior(x)
        z = posterior.mean() + posterior.stddev() * eps
        reconstruction = -self.likelihood(self.logits(z), self.allowed(x)).log_prob(x)
        return {"reconstruction": reconstruction, "kl": tfd.kl_divergence(posterior, self.prior())}

    def objective(self, x, seed, step=None):
        terms = self.terms(x, tf.random.stateless_normal([tf.shape(x)[0], self.latent_size], seed))
        return terms | {"kl": schedules.warmup(step, self.warmup_steps, self.beta) * terms["kl"]}

    def call(self, x):
        return tf.add_n(list(self.terms(x, tf.zeros([tf.shape(x)[0], self.latent_size])).values()))

    def rate_distortion(self, x, seeds, condition=None):
        """Returns (rate, distortion) in nats, [batch] each, at one draw of q(z|x): KL(q(z|x) || p(z)), and -log p(x|z);
        the bound is minus their sum."""
        self.domain.require(condition)
        terms = self.terms(x, random.normal_rows(seeds, [self.latent_size]))
        return terms["kl"], terms["reconstruction"]

    def weigher(self, x, condition=None):
        posterior, prior, allowed = self.posterior(x), self.prior(), self.allowed(x)

        def weigh(eps):
            z = posterior.mean() + posterior.stddev() * eps  # [num, batch, latent]
            logits = tf.reshape(self.logits(tf.reshape(z, [-1, self.latent_size])),
                                [-1, tf.shape(x)[0], *self.shape, self.levels])
            return self.likelihood(logits, allowed).log_prob(x) + prior.log_prob(z) - posterior.log_prob(z)

        return weigh

    @property
    def chunk(self):
        """Importance samples in memory at once: fewer for longer strings, and 50 at most."""
        return max(1, min(_CHUNK, _ENTRIES // (math.prod(self.shape) * self.levels)))

    def _encode(self, x, condition=None):
        """Returns the posterior's mean, [batch, latent_size]."""
        self.domain.require(condition)
        return self.posterior(x).mean()

    def _decode(self, z, condition=None):
        """Returns tokens, int32 [batch, T]: at each place the likeliest of those that may stand after the ones before
        (greedily, so not the likeliest string)."""
        self.domain.require(condition)
        return self.likeliest(self.logits(z))

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x|z), z ~ p(z)."""
        self.domain.require(condition)
        z = random.normal_rows(random.fold_in_rows(seeds, 0), [self.latent_size])
        return self.draw(self.logits(z), categories.noise_rows(random.fold_in_rows(seeds, 1), self.shape))
