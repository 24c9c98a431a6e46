"""What a reconstruction lacks of an image: minus the log-likelihood of an observation model, or one of the two usual
measures of grey values that are none.

A distortion says what goes with it, as a likelihood does: the domain of the examples, what an encoder reads, how many
numbers an entry takes, and their mean.
"""

import abc

import tensorflow as tf
import tensorflow_probability as tfp

from zoo.distributions import pixels
from zoo.latent.parts import observations
from zoo.model import Domain

tfd = tfp.distributions


class Distortion(abc.ABC):
    """d(x, raw) of images and what a decoder says of them, [..., height, width, channels, parameters]. `unit`: of d;
    `meaning`: in words."""

    parameters = 1

    def domain(self, shape):
        """Returns the `Domain` of the examples: grey values, unless a likelihood has another."""
        return Domain("real", shape, range=(0.0, 1.0))

    def read(self, x):
        """Returns what an encoder reads: float32 on [0, 1], noise aside."""
        return x

    def layout(self, shape):
        """Returns ((height, width, channels), parameters) of what a decoder says of an image."""
        return shape, self.parameters

    @abc.abstractmethod
    def mean(self, raw):
        """Returns the reconstruction, float32, in the domain's unit."""

    @abc.abstractmethod
    def of(self, x, raw):
        """Computes d(x, raw), [batch], summed over the image's entries."""


class NegativeLogLikelihood(Distortion):
    """-log p(x|z)."""

    unit, meaning = "nats", "-log p(x | code)"

    def __init__(self, likelihood):
        self.likelihood, self.parameters = likelihood, likelihood.parameters

    def domain(self, shape):
        return self.likelihood.domain(shape)

    def read(self, x):
        return self.likelihood.read(x)

    def layout(self, shape):
        return self.likelihood.layout(shape)

    def mean(self, raw):
        return self.likelihood.mean(raw)

    def of(self, x, raw):
        return -self.likelihood.distribution(raw).log_prob(x)


class CrossEntropy(Distortion):
    """-sum_i x_i log y_i + (1 - x_i) log(1 - y_i) of grey values as probabilities: no density, since it does not
    integrate to one over [0, 1]."""

    unit, meaning = "nats", "cross-entropy of grey values as probabilities; no likelihood"

    def mean(self, raw):
        return tf.sigmoid(raw[..., 0])

    def of(self, x, raw):
        return -tfd.Independent(pixels.Bernoulli(logits=raw[..., 0], dtype=tf.float32), 3).log_prob(x)


class SquaredError(Distortion):
    """sum_i (x_i - y_i)^2 of grey values on [0, 1]; y is any real number."""

    unit, meaning = "squared error", "squared error of grey values on [0, 1]"

    def mean(self, raw):
        return raw[..., 0]

    def of(self, x, raw):
        return tf.reduce_sum(tf.square(x - raw[..., 0]), [-3, -2, -1])


MEASURES = {"cross_entropy": CrossEntropy, "squared_error": SquaredError}


def make(name, levels):
    """Returns the distortion of a name. Raises ValueError for an unknown one, or numbers of levels that it can't
    have."""
    if name in MEASURES:
        return MEASURES[name]()
    if name != "auto" and name not in observations.LIKELIHOODS:
        raise ValueError(f"distortion must be auto or one of {', '.join([*observations.LIKELIHOODS, *MEASURES])}, "
                         f"found {name!r}.")
    return NegativeLogLikelihood(observations.make(name, levels))
