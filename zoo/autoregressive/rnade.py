"""RNADE: NADE for real values, each a mixture of Gaussians or of logistics whose parameters a hidden layer reads from
those before it.

B. Uria, I. Murray, H. Larochelle, RNADE: The real-valued neural autoregressive density-estimator, 2013,
arXiv:1306.0186.
"""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from zoo.autoregressive.parts.prefix_sum import PrefixSum, float32
from zoo.distributions import mixtures
from zoo.layers import prefix_conditionals
from zoo.model import Domain
from zoo.paper import Paper

tfd = tfp.distributions


class RNADE(PrefixSum):
    """p(x_d | x_<d) = mixture(b_d + V_d^T h_d), h_d = act(rho_d a_d), a_d = c + sum_{e<d} x_e W_e.

    The paper's rho_d keeps the activations, sums of more and more terms, where a unit is neither shut nor saturated.

    Args:
        shape: (D,), of a vector. It should be standardized: components start on [-2, 2].
        hidden: units of each hidden layer, H.
        components: of each mixture, K.
        kind: `gaussian` or `logistic` components (`zoo.distributions.mixtures` names their smallest scale).
        activation: `relu`, the paper's better one, or `sigmoid`.
        order: in which entries are drawn: `raster`, as they are, `reversed`, or a permutation of 0..D - 1.

    Raises:
        ValueError: if `shape` is not a vector's, a number is below 1, a name is unknown, or `order` is no permutation.
    """

    paper = Paper(("Uria", "Murray", "Larochelle"),
                  "RNADE: The real-valued neural autoregressive density-estimator", 2013, "arXiv:1306.0186")

    def __init__(self, shape=(2,), hidden=50, components=10, kind="gaussian", activation="relu", order="raster",
                 **kwargs):
        super().__init__(**kwargs)
        if len(shape) != 1:
            raise ValueError(f"shape must be a vector's, (D,), found {tuple(shape)}.")
        prefix_conditionals.require(hidden, activation)
        mixtures.require(kind, components)
        self.arrange(shape, order)
        self.hidden, self.components, self.kind, self.activation = hidden, components, kind, activation
        normal = keras.initializers.RandomNormal
        self.W = self.add_weight((self.size, hidden), normal(stddev=1.0), name="W")
        self.c = self.add_weight((hidden,), normal(stddev=1.0), name="c")
        self.V = self.add_weight((self.size, hidden, 3 * components), normal(stddev=0.1 / math.sqrt(hidden)), name="V")
        self.b = self.add_weight((self.size, 3 * components), "zeros", name="b")
        self.rho = self.add_weight((self.size,), "ones", name="rho")
        # NOTE: where the paper says nothing of the start: locations are spread as a standardized entry's quantiles, and
        # rho_d takes out the growth of a sum of d terms.
        quantiles = tf.math.ndtri((tf.range(float(components)) + 0.5) / components)
        self.b.assign(tf.tile(tf.concat([0.0 * quantiles, quantiles, 0.0 * quantiles], 0)[None], [self.size, 1]))
        self.rho.assign(1.0 / np.sqrt(1.0 + np.arange(self.size)))
        self.build()

    def get_config(self):
        return dict(shape=self.shape, hidden=self.hidden, components=self.components, kind=self.kind,
                    activation=self.activation, order=self.given_order)

    @property
    def domain(self):
        return Domain("real", self.shape)

    def parameters(self, x, condition=None, seed=None):
        """Returns the mixtures' parameters, [batch, D, 3 * components]."""
        self.domain.require(condition)
        W, c, V, b, rho = (float32(w) for w in (self.W, self.c, self.V, self.b, self.rho))
        return self.placed(prefix_conditionals.conditionals(self.arranged(x), W, c, V, rho, self.activation) + b)

    def distribution(self, parameters):
        return tfd.Independent(mixtures.mixture(parameters, self.kind), 1)

    def noise(self, seeds):
        return mixtures.noise_rows(seeds, self.shape, self.components)

    def from_noise(self, parameters, noise):
        return mixtures.from_noise(parameters, noise, self.kind)

    def prefix_sum(self):
        """Returns the hidden layers' inputs; each step rescales them and reads them by its own matrix of V."""
        W, c, V, b, rho = (float32(w) for w in (self.W, self.c, self.V, self.b, self.rho))
        act = prefix_conditionals.ACTIVATIONS[self.activation]
        return c, W, lambda d, a: tf.matmul(act(rho[d] * a), V[d]) + b[d]
