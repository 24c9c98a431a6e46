"""Approximate posteriors q(z|x): what a network reads off an example becomes a distribution of latents that noise is
turned into.

Each is a layer from features [batch, n] to an object with three methods: `mean()` [batch, D]; `draw(eps)`, which gives
z [..., batch, D] and log q(z|x) [..., batch] of standard normal eps [..., batch, D]; and `kl()`, KL(q || N(0, I))
[batch] in closed form, or None where there is none. D. J. Rezende, S. Mohamed, D. Wierstra, 2014, arXiv:1401.4082
(Gaussians: diagonal, of rank one, full); D. J. Rezende, S. Mohamed, Variational Inference with Normalizing Flows, 2015,
arXiv:1505.05770 (planar flows); D. P. Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow,
2016, arXiv:1606.04934.
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from zoo.latent.parts import priors
from zoo.transforms import inverse_autoregressive, planar
from zoo.transforms.transform import Chain, Given

tfd = tfp.distributions


class Gaussian:
    """N(loc, S S^T) with loc [batch, D] and S given by how it multiplies [..., batch, D], by log|det S| [batch] and by
    the trace of S S^T [batch]."""

    def __init__(self, loc, multiply, log_det, trace):
        self._loc, self._multiply, self._log_det, self._trace = loc, multiply, log_det, trace

    def mean(self):
        return self._loc

    def draw(self, eps):
        """z = loc + S eps, log q = log N(eps; 0, I) - log|det S|."""
        return self._loc + self._multiply(eps), priors.standard_normal(eps.shape[-1]).log_prob(eps) - self._log_det

    def kl(self):
        """Computes 1/2 (tr(S S^T) + |loc|^2 - D) - log|det S|."""
        return 0.5 * (self._trace + tf.reduce_sum(self._loc**2, -1) - self._loc.shape[-1]) - self._log_det


class DiagonalGaussian(Gaussian):
    """Independent latents, whose KL terms are known one by one."""

    def __init__(self, loc, log_scale):
        scale = tf.exp(log_scale)
        super().__init__(loc, lambda eps: scale * eps, tf.reduce_sum(log_scale, -1), tf.reduce_sum(scale**2, -1))
        self.log_scale = log_scale

    def distribution(self):
        """Returns it as a TFP distribution with batch shape [batch]."""
        return tfd.Independent(tfd.Normal(self._loc, tf.exp(self.log_scale)), 1)

    def kls(self):
        """Computes KL(q(z_d|x) || N(0, 1)) of every latent, [batch, D]."""
        return 0.5 * (tf.exp(2.0 * self.log_scale) + self._loc**2 - 1.0) - self.log_scale


class Head(keras.layers.Layer):
    """A linear layer of features, to `outputs` numbers in float32."""

    def __init__(self, latent_size, outputs, **kwargs):
        super().__init__(**kwargs)
        self.latent_size = latent_size
        self.head = keras.layers.Dense(outputs)

    def build(self, input_shape):
        self.head.build(input_shape)

    def numbers(self, features):
        return tf.cast(self.head(features), tf.float32)


class Diagonal(Head):
    """S = diag(exp(log_variance / 2))."""

    def __init__(self, latent_size, **kwargs):
        super().__init__(latent_size, 2 * latent_size, **kwargs)

    def call(self, features):
        loc, log_variance = tf.split(self.numbers(features), 2, axis=-1)
        return DiagonalGaussian(loc, 0.5 * log_variance)


class RankOne(Head):
    """The precision diag(d) + u u^T (Rezende, Mohamed and Wierstra 2014, section 4.3): correlated latents for O(D)
    work.

    S = d^-1/2 - (1 - sqrt(eta)) / (u^T d^-1 u) d^-1 u u^T d^-1/2, eta = 1 / (1 + u^T d^-1 u), for which S S^T is the
    inverse of that precision.
    """

    def __init__(self, latent_size, **kwargs):
        super().__init__(latent_size, 3 * latent_size, **kwargs)

    def call(self, features):
        loc, log_d, u = tf.split(self.numbers(features), 3, axis=-1)
        scale, v = tf.exp(-0.5 * log_d), u * tf.exp(-0.5 * log_d)  # S = scale (I - c v v^T)
        square = tf.reduce_sum(v * v, -1, keepdims=True)
        root = tf.math.rsqrt(1.0 + square)  # sqrt(eta)
        c = root**2 / (1.0 + root)  # (1 - sqrt(eta)) / |v|^2 without the division by zero at u = 0

        def multiply(eps):
            return scale * (eps - c * v * tf.reduce_sum(v * eps, -1, keepdims=True))

        trace = tf.reduce_sum(scale**2 * (1.0 - (2.0 * c - c**2 * square) * v**2), -1)
        return Gaussian(loc, multiply, tf.reduce_sum(-0.5 * log_d, -1) + tf.math.log(root[..., 0]), trace)


class Full(Head):
    """S lower triangular, a Cholesky factor, with an exponential on its diagonal."""

    def __init__(self, latent_size, **kwargs):
        super().__init__(latent_size, latent_size * (latent_size + 3) // 2, **kwargs)
        rows, columns = np.tril_indices(latent_size, -1)
        self._places = rows * latent_size + columns  # of the entries below the diagonal

    def call(self, features):
        size = self.latent_size
        loc, log_scale, below = tf.split(self.numbers(features), [size, size, len(self._places)], axis=-1)
        place = np.zeros((len(self._places), size * size), np.float32)
        place[np.arange(len(self._places)), self._places] = 1.0
        lower = tf.reshape(tf.matmul(below, place), [-1, size, size])
        scale = tf.exp(log_scale)

        def multiply(eps):
            return scale * eps + tf.einsum("bij,...bj->...bi", lower, eps)

        return Gaussian(loc, multiply, tf.reduce_sum(log_scale, -1),
                        tf.reduce_sum(scale**2, -1) + tf.reduce_sum(lower**2, [-1, -2]))


class Flowed:
    """A Gaussian's draws after an invertible map of latents."""

    def __init__(self, base, transform):
        self._base, self._transform = base, transform

    def mean(self):
        """Returns where the Gaussian's mean goes: a code of x, not the mean of q."""
        return self._transform.forward(self._base.mean())[0]

    def draw(self, eps):
        z, log_q = self._base.draw(eps)
        z, log_det = self._transform.forward(z)
        return z, log_q - log_det

    def kl(self):
        return None


class Planar(keras.layers.Layer):
    """Planar flows, the parameters of each step read off the example (Rezende and Mohamed 2015)."""

    def __init__(self, latent_size, flows, **kwargs):
        super().__init__(**kwargs)
        self.latent_size, self.flows = latent_size, flows
        self.base, self.step = Diagonal(latent_size), planar.Planar()
        self.head = keras.layers.Dense(flows * self.step.parameters(latent_size),
                                       kernel_initializer=keras.initializers.VarianceScaling(0.01))

    def build(self, input_shape):
        self.base.build(input_shape)
        self.head.build(input_shape)

    def call(self, features):
        parameters = tf.split(tf.cast(self.head(features), tf.float32), self.flows, axis=-1)
        return Flowed(self.base(features), Chain([Given(self.step, p) for p in parameters]))


class InverseAutoregressive(keras.layers.Layer):
    """Inverse autoregressive steps that read features of the example (Kingma et al. 2016). The order of the latents is
    turned around after each step."""

    def __init__(self, latent_size, flows, hidden=(), **kwargs):
        super().__init__(**kwargs)
        self.latent_size, self.flows, self.hidden = latent_size, flows, tuple(hidden) or (max(2 * latent_size, 32),)
        self.base = Diagonal(latent_size)
        self.steps = [inverse_autoregressive.InverseAutoregressive(latent_size, self.hidden, reverse=bool(k % 2))
                      for k in range(flows)]
        self.contexts = [keras.layers.Dense(self.hidden[0]) for _ in range(flows)]

    def build(self, input_shape):
        self.base.build(input_shape)
        for step, context in zip(self.steps, self.contexts):
            context.build(input_shape)
            step.build()

    def call(self, features):
        given = [tf.cast(context(features), tf.float32) for context in self.contexts]
        return Flowed(self.base(features), Chain([Given(step, context) for step, context in zip(self.steps, given)]))


POSTERIORS = {"diagonal": Diagonal, "rank_one": RankOne, "full": Full, "planar": Planar, "iaf": InverseAutoregressive}
FLOWS = ("planar", "iaf")


def make(name, latent_size, flows=0):
    """Returns the layer of a posterior. Raises ValueError for an unknown name, and for a number of flows that does not
    go with it."""
    if name not in POSTERIORS:
        raise ValueError(f"posterior must be one of {', '.join(POSTERIORS)}, found {name!r}.")
    if (flows < 1) if name in FLOWS else flows:
        raise ValueError(f"flows must be {'at least 1' if name in FLOWS else '0'} with posterior {name!r}, found "
                         f"{flows}.")
    if name in FLOWS:
        return POSTERIORS[name](latent_size, flows, name="posterior")
    return POSTERIORS[name](latent_size, name="posterior")
