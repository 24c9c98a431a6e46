"""Real NVP: an invertible map from Gaussian noise to data, made of affine couplings, whose density is exact.

Each coupling moves half of the entries by an affine function of the other half, and the halves alternate as a
checkerboard. Images are dequantized by uniform noise and taken to the real line by a logit, whose log-determinant
counts, so that the density is one of pixels.

L. Dinh, J. Sohl-Dickstein, S. Bengio, Density estimation using Real NVP, 2016, arXiv:1605.08803.
NOTE: dense networks and one scale, where the paper has residual convolutions, channel-wise masks and factored-out
scales.
NOTE: no batch normalisation: in a flow its statistics are part of the density, which then differs between training and
evaluation and depends on the other examples. Couplings that start as the identity, with a bounded log-scale, train
without it.
"""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.capabilities import Autoencoding, ExactLikelihood
from zoo.model import Domain, GenerativeModel, Player
from zoo.paper import Paper
from zoo.transforms.coupling import AffineCoupling, checkerboard
from zoo.transforms.transform import Bijector, Chain

tfb = tfp.bijectors
tfd = tfp.distributions


class RealNVP(GenerativeModel, ExactLikelihood, Autoencoding):
    """log p(x) = log N(z; 0, I) + log|det dz/dx|,  x = f_K(... f_2(f_1(z))), the last one an inverse logit for images.

    Args:
        shape: of an example; its D entries are flattened.
        levels: None for points on the real line; for images, the number of a pixel's values, and x = (level + u) /
            levels with u ~ U[0, 1).
        couplings: number of affine couplings; two in a row move every entry.
        hidden: widths of the hidden layers of each coupling's network.
        activation: of the hidden layers.
        alpha: of the paper's logit(alpha + (1 - 2 alpha) x), section 4.1; for images only.

    Raises:
        ValueError: if an example has fewer than 2 entries, `couplings` is less than 2, `levels` less than 2 or `alpha`
            not in (0, 0.5).
    """

    paper = Paper(("Dinh", "Sohl-Dickstein", "Bengio"), "Density estimation using Real NVP", 2016, "arXiv:1605.08803")

    # NOTE: the paper prints logit(alpha + (1 - alpha) x), which is infinite at x = 1; the symmetric form keeps both
    # ends finite. In both, a little mass falls outside [0, 1]^D, so bits per dimension from this density are never too
    # low.

    def __init__(self, shape=(2,), levels=None, couplings=8, hidden=(64, 64), activation="relu", alpha=0.05, **kwargs):
        super().__init__(**kwargs)
        if math.prod(shape) < 2 or couplings < 2:
            raise ValueError("an example must have at least 2 entries and couplings be at least 2, found shape "
                             f"{tuple(shape)} and {couplings}.")
        if levels is not None and levels < 2 or not 0 < alpha < 0.5:
            raise ValueError(f"levels must be None or at least 2 and alpha between 0 and 0.5, found {levels} and "
                             f"{alpha}.")
        self.shape, self.levels, self.couplings = tuple(shape), levels, couplings
        self.hidden, self.activation, self.alpha = tuple(hidden), activation, alpha
        self.size = math.prod(shape)
        self.flow = [AffineCoupling(checkerboard(self.shape, k % 2), self.hidden, activation, name=f"coupling_{k}")
                     for k in range(couplings)]
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, couplings=self.couplings, hidden=self.hidden,
                    activation=self.activation, alpha=self.alpha)

    @property
    def domain(self):
        if self.levels is None:
            return Domain("real", self.shape)
        return Domain("real", self.shape, self.levels, range=(0.0, 1.0), dequantized=True)

    def prior(self):
        """Returns p(z) = N(0, I)."""
        return tfd.Independent(tfd.Normal(tf.zeros([self.size]), 1.0), 1)

    def pixels(self):
        """Returns the last bijector: y -> (sigmoid(y) - alpha) / (1 - 2 alpha) for images, the identity otherwise."""
        if self.levels is None:
            return tfb.Identity()
        return tfb.Chain([tfb.Scale(1.0 / (1.0 - 2.0 * self.alpha)), tfb.Shift(-self.alpha), tfb.Sigmoid()])

    def transform(self):
        """Returns f: the couplings and then the pixels', from z [B, D] to x [B, D]."""
        return Chain([*self.flow, Bijector(self.pixels())])

    def forward(self, z):
        """Computes x = f(z), [B, *shape], unclipped."""
        return tf.reshape(self.transform().forward(z)[0], [-1, *self.shape])

    def inverse(self, x):
        """Computes z = f^-1(x), [B, D], and log|det dz/dx|, [B]."""
        return self.transform().inverse(tf.reshape(x, [-1, self.size]))

    def terms(self, x):
        """Returns {prior: -log p(z), log_det: -log|det dz/dx|}, each [B]."""
        z, log_det = self.inverse(x)
        return {"prior": -self.prior().log_prob(z), "log_det": -log_det}

    def objective(self, x, seed):
        return self.terms(x)

    def players(self):
        return (Player("model", self.trainable_weights, self.objective),)

    def call(self, x):
        return self._log_prob(x)

    def _log_prob(self, x, condition=None):
        """Computes log p(x) = log N(z; 0, I) + log|det dz/dx|, exact, in nats, [B]."""
        return -tf.add_n(list(self.terms(x).values()))

    def _encode(self, x, condition=None):
        """z = f^-1(x), [B, D]."""
        return self.inverse(x)[0]

    def _decode(self, z, condition=None):
        """x = f(z); an image is clipped to [0, 1]."""
        return self.forward(z) if self.levels is None else tf.clip_by_value(self.forward(z), 0.0, 1.0)

    def _sample(self, seeds, condition=None):
        """x = f(z), z ~ N(0, I)."""
        return self._decode(random.normal_rows(seeds, [self.size]))
