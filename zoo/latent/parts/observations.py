"""Likelihoods p(x|z) of images with independent entries, or pixels, given what a decoder says of each: numbers [...,
height, width, channels, parameters].

What goes with a likelihood goes with its name: the domain of the examples, how many numbers an entry takes, its mean,
and how noise becomes a draw. G. Loaiza-Ganem, J. P. Cunningham, The continuous Bernoulli, 2019, arXiv:1907.06845; D. P.
Kingma et al., 2016, arXiv:1606.04934 (discretized logistic); T. Salimans et al., 2017, arXiv:1701.05517 (its mixtures,
with channels that depend on one another).
"""

import abc
import math

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.distributions import discretized_logistic_mixture as dlm
from zoo.distributions import pixels
from zoo.model import Domain

tfd = tfp.distributions
_SMALLEST = -6.0  # log-scale of a Gaussian or logistic entry whose range is 1: a 400th, below a level of 256


class Likelihood(abc.ABC):
    """p(x|z) of images. `levels`: values of a pixel, for the discrete ones; `parameters`: numbers that an entry
    takes."""

    parameters = 1

    def __init__(self, levels):
        self.levels = levels

    @abc.abstractmethod
    def domain(self, shape):
        """Returns the `Domain` of the examples."""

    @abc.abstractmethod
    def entries(self, raw):
        """Returns the distribution of every entry by itself, batch shape [..., height, width, channels]."""

    @abc.abstractmethod
    def mean(self, raw):
        """Returns the entries' means, float32, in the domain's unit."""

    @abc.abstractmethod
    def noise_rows(self, seeds, shape):
        """Returns the noise of `from_noise` for an image per row."""

    @abc.abstractmethod
    def from_noise(self, raw, noise):
        """Returns the image that noise becomes: a draw of `distribution`."""

    def draw(self, raw, seeds, shape):
        """Draws images, a row for each seed."""
        return self.from_noise(raw, self.noise_rows(seeds, shape))

    def read(self, x):
        """Returns what an encoder reads: float32 on [0, 1]."""
        return pixels.unit(x, self.levels)

    def layout(self, shape):
        """Returns ((height, width, channels), parameters) of what a decoder says of an image."""
        return shape, self.parameters

    def size(self, shape):
        """Counts how many numbers a decoder says of an image."""
        grid, parameters = self.layout(shape)
        return math.prod(grid) * parameters

    def distribution(self, raw):
        """Returns the image's distribution."""
        return tfd.Independent(self.entries(raw), 3)

    def log_probs(self, raw, x):
        """Computes log p of every entry, or pixel, [..., height, width, channels or 1]."""
        return self.entries(raw).log_prob(x)


class Discrete(Likelihood):
    """Bernoulli for two levels, Categorical for more."""

    def __init__(self, levels):
        super().__init__(levels)
        self.parameters = 1 if levels == 2 else levels

    def domain(self, shape):
        return Domain("binary" if self.levels == 2 else "levels", shape, self.levels)

    def entries(self, raw):
        if self.levels == 2:
            return pixels.Bernoulli(logits=raw[..., 0], dtype=tf.float32)
        return tfd.Categorical(logits=raw)

    def mean(self, raw):
        return pixels.mean(self._logits(raw), self.levels)

    def noise_rows(self, seeds, shape):
        return pixels.noise_rows(seeds, shape, self.levels)

    def from_noise(self, raw, noise):
        return pixels.from_noise(self._logits(raw), noise, self.levels)

    def _logits(self, raw):
        return raw[..., 0] if self.levels == 2 else raw


class _Levels(tfd.QuantizedDistribution):
    """TFP's, of integers, which its own arithmetic refuses."""

    def log_prob(self, value, **kwargs):
        return super().log_prob(tf.cast(value, tf.float32), **kwargs)


class DiscretizedLogistic(Likelihood):
    """P(k) = sigmoid((k + 1/2 - loc) / s) - sigmoid((k - 1/2 - loc) / s), the outer bins reaching to infinity; loc and
    s of each entry."""

    parameters = 2

    def domain(self, shape):
        return Domain("levels", shape, self.levels)

    def entries(self, raw):
        loc, scale = self._parts(raw)
        # TFP's bins are (k - 1, k]: ours are (k - 1/2, k + 1/2].
        return _Levels(tfd.Logistic(loc - 0.5, scale), 0.0, self.levels - 1.0)

    def mean(self, raw):
        return tf.clip_by_value(self._parts(raw)[0], 0.0, self.levels - 1.0)

    def noise_rows(self, seeds, shape):
        return random.uniform_rows(seeds, shape, minval=1e-7)

    def from_noise(self, raw, noise):
        loc, scale = self._parts(raw)
        drawn = tf.round(loc + scale * (tf.math.log(noise) - tf.math.log1p(-noise)))
        return tf.cast(tf.clip_by_value(drawn, 0.0, self.levels - 1.0), tf.int32)

    def _parts(self, raw):
        return (raw[..., 0] + 0.5) * (self.levels - 1), _scale(raw[..., 1]) * (self.levels - 1)


class DiscretizedLogisticMixture(Likelihood):
    """A mixture of discretized logistics for each pixel, whose channels share the component and follow one another
    (`zoo.distributions`)."""

    def __init__(self, levels, components):
        super().__init__(levels)
        self.components = components

    def domain(self, shape):
        return Domain("levels", shape, self.levels)

    def layout(self, shape):
        return (*shape[:2], 1), self.components * dlm.size(shape[2])

    def entries(self, raw):
        """Returns the distribution of every pixel, batch shape [..., height, width], event shape [channels]."""
        return dlm.mixture(raw[..., 0, :], self.levels, self._channels(raw), 0).distribution

    def distribution(self, raw):
        return tfd.Independent(self.entries(raw), 2)

    def log_probs(self, raw, x):
        return self.entries(raw).log_prob(x)[..., None]

    def mean(self, raw):
        """Computes sum_k pi_k m_k of the logistics, as `DiscretizedLogistic` has it: each channel's mean given the
        means of those before it."""
        entry, channels = self.entries(raw), self._channels(raw)
        means = []
        for c in range(channels):
            start = c * (c - 1) // 2
            # [..., M]
            means.append(sum((entry.coefficients[..., start + d] * means[d] for d in range(c)), entry.loc[..., c]))
        mean = tf.reduce_sum(tf.nn.softmax(entry.logits)[..., None] * tf.stack(means, -1), -2)
        return (tf.clip_by_value(mean, -1.0, 1.0) + 1.0) * (0.5 * (self.levels - 1))

    def noise_rows(self, seeds, shape):
        return dlm.noise_rows(seeds, shape, self.components)

    def from_noise(self, raw, noise):
        return dlm.draw(raw[..., 0, :], noise, self.levels, self._channels(raw))

    def _channels(self, raw):
        channels = 1
        while self.components * dlm.size(channels) < raw.shape[-1]:
            channels += 1
        return channels


class ContinuousBernoulli(Likelihood):
    """p(x) = C(lambda) lambda^x (1 - lambda)^(1 - x) on [0, 1]: what a Bernoulli of grey values has to be divided by to
    be a density."""

    def domain(self, shape):
        return Domain("real", shape, range=(0.0, 1.0))

    def read(self, x):
        return x

    def entries(self, raw):
        return tfd.ContinuousBernoulli(logits=raw[..., 0])

    def mean(self, raw):
        return self.entries(raw).mean()

    def noise_rows(self, seeds, shape):
        return random.uniform_rows(seeds, shape)

    def from_noise(self, raw, noise):
        return self.entries(raw).quantile(noise)


class Gaussian(Likelihood):
    """N(loc, scale^2) of each entry, of pixels with uniform noise of a level's width scaled to [0, 1]: a density of
    which levels have a bound."""

    parameters = 2

    def domain(self, shape):
        return Domain("real", shape, self.levels, range=(0.0, 1.0), dequantized=True)

    def read(self, x):
        return x

    def entries(self, raw):
        return tfd.Normal(raw[..., 0] + 0.5, _scale(raw[..., 1]))

    def mean(self, raw):
        return raw[..., 0] + 0.5

    def noise_rows(self, seeds, shape):
        return random.normal_rows(seeds, shape)

    def from_noise(self, raw, noise):
        return tf.clip_by_value(raw[..., 0] + 0.5 + _scale(raw[..., 1]) * noise, 0.0, 1.0)


def _scale(raw):
    """Returns the scale of an entry on [0, 1]: about 0.14 to begin with, and never below `_SMALLEST`."""
    return tf.exp(_SMALLEST + tf.nn.softplus(raw + 4.0))


LIKELIHOODS = {"bernoulli": Discrete, "categorical": Discrete, "discretized_logistic": DiscretizedLogistic,
               "discretized_logistic_mixture": DiscretizedLogisticMixture, "continuous_bernoulli": ContinuousBernoulli,
               "gaussian": Gaussian}


def make(name, levels, components=10):
    """Returns the likelihood of a name; `auto` is Bernoulli for two levels and Categorical for more; `components`: of a
    mixture.

    Raises:
        ValueError: for an unknown name, numbers of levels that it can't have, or no component.
    """
    if name == "auto":
        name = "bernoulli" if levels == 2 else "categorical"
    if name not in LIKELIHOODS:
        raise ValueError(f"likelihood must be auto or one of {', '.join(LIKELIHOODS)}, found {name!r}.")
    if levels < 2 or (name == "bernoulli" and levels != 2):
        raise ValueError(f"levels must be {'2' if name == 'bernoulli' else 'at least 2'} with likelihood {name!r}, "
                         f"found {levels}.")
    if components < 1:
        raise ValueError(f"components must be at least 1, found {components}.")
    if name == "discretized_logistic_mixture":
        return DiscretizedLogisticMixture(levels, components)
    return LIKELIHOODS[name](levels)
