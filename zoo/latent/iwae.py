"""Importance-weighted autoencoder: many draws of the posterior, averaged as probabilities, make a tighter bound that is also what is trained.

Y. Burda, R. Grosse, R. Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv:1509.00519, with one or two layers of latents.
Doubly reparameterised gradient: G. Tucker, D. Lawson, S. Gu, C. J. Maddison, 2018, arXiv:1810.04152.
"""

import tensorflow as tf

from zoo import random
from zoo.latent import observations, posteriors, priors
from zoo.latent.variational import Variational, flatly
from zoo.model import image_shape
from zoo.networks import autoencoding

ESTIMATORS = ("iwae", "dreg")


class IWAE(Variational):
    """log p(x) >= E [log 1/k sum_k w_k], w_k = p(x, h_k) / q(h_k|x), h = h_1 or h_1, h_2 with p(h) = p(h_2) p(h_1|h_2), q(h|x) = q(h_1|x) q(h_2|h_1).

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        latent_sizes: of each layer of latents, the one next to the image first; one or two.
        hidden: two dense layers before each layer of latents on the way up, and as many on the way down: a width for each layer of latents.
        activation: of the hidden layers.
        likelihood: a name of `zoo.latent.observations`, or `auto`.
        k: draws of the bound that is trained.
        estimator: of the posterior's gradient: `iwae`, that of the bound, or `dreg`, the doubly reparameterised one.

    Raises:
        ValueError: if `shape` is not an image's, there are neither one nor two layers with a width each, a name is unknown, or a number below 1.
    """

    def __init__(self, shape=(28, 28, 1), levels=2, latent_sizes=(50,), hidden=(200,), activation="tanh", likelihood="auto", k=5, estimator="iwae", **kwargs):
        super().__init__(**kwargs)
        if len(latent_sizes) not in (1, 2) or len(hidden) != len(latent_sizes) or min(*latent_sizes, *hidden, k) < 1:
            raise ValueError("latent_sizes and hidden must have one entry for each of one or two layers, these and k at least 1, "
                             f"found {tuple(latent_sizes)}, {tuple(hidden)} and {k}.")
        if estimator not in ESTIMATORS:
            raise ValueError(f"estimator must be one of {', '.join(ESTIMATORS)}, found {estimator!r}.")
        self.shape, self.levels, self.latent_sizes, self.hidden = image_shape(shape), levels, tuple(latent_sizes), tuple(hidden)
        self.activation, self.given_likelihood, self.k, self.estimator = activation, likelihood, k, estimator
        self.noise_size = sum(latent_sizes)
        self.observation = observations.make(likelihood, levels)
        self.up, self.heads = [], []
        for size, width in zip(self.latent_sizes, self.hidden):
            self.up.append(autoencoding.dense_trunk((width, width), activation))
            self.heads.append(posteriors.Diagonal(size))
        self.down = [autoencoding.dense_trunk((width, width), activation) for width in self.hidden[1:]]
        self.conditionals = [posteriors.Diagonal(size) for size in self.latent_sizes[:-1]]
        self.decoder = autoencoding.dense_decoder(*self.observation.layout(self.shape), (self.hidden[0],) * 2, activation)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, latent_sizes=self.latent_sizes, hidden=self.hidden, activation=self.activation,
                    likelihood=self.given_likelihood, k=self.k, estimator=self.estimator)

    def approximate(self, x, condition=None):
        first = self.posterior(x)

        def draw(eps):
            parts = tf.split(eps, self.latent_sizes, -1)
            h, log_q = first.draw(parts[0])
            z = [h]
            for up, head, part in zip(self.up[1:], self.heads[1:], parts[1:]):
                h, log_density = _given(head, up, h).draw(part)
                z, log_q = [*z, h], log_q + log_density
            return tuple(z), log_q

        return draw

    def posterior(self, x):
        """q(h_1|x): an object of `zoo.latent.posteriors`."""
        return self.heads[0](self.up[0](self.observation.read(x)))

    def log_posterior(self, x, z):
        """log q(h|x), [..., batch], of given latents."""
        total, q = 0.0, self.posterior(x)
        for layer, h in enumerate(z):
            q = q if layer == 0 else _given(self.heads[layer], self.up[layer], z[layer - 1])
            total += q.distribution().log_prob(h)
        return total

    def log_prior(self, z, condition=None):
        total = priors.standard_normal(self.latent_sizes[-1]).log_prob(z[-1])
        for conditional, down, below, above in zip(self.conditionals, self.down, z, z[1:]):
            total += _given(conditional, down, above).distribution().log_prob(below)
        return total

    def draw_prior(self, seeds, condition=None):
        parts = tf.split(random.normal_rows(seeds, [self.noise_size]), self.latent_sizes, -1)
        z = [parts[-1]]
        for conditional, down, part in zip(self.conditionals, self.down, parts):
            z = [_given(conditional, down, z[0]).draw(part)[0], *z]
        return tuple(z)

    def parameters(self, z, condition=None):
        return autoencoding.float32(flatly(self.decoder, z[0]))

    def objective(self, x, seed, step=None):
        """{bound: -log 1/k sum_k w_k}, [batch]; `estimator` is what its gradient is."""
        eps = tf.random.stateless_normal([self.k, tf.shape(x)[0], self.noise_size], seed)
        z, log_q = self.approximate(x)(eps)
        return {"bound": -(importance_bound(self.log_weight(x, z, log_q)) if self.estimator == "iwae" else self._doubly_reparameterised(x, z))}

    def log_weight(self, x, z, log_q, condition=None):
        """log p(x, z) / q(z|x), [..., batch]."""
        return self.likelihood(z, condition).log_prob(x) + self.log_prior(z, condition) - log_q

    def _doubly_reparameterised(self, x, z):
        """The bound. Its gradient by the posterior's weights is sum_k s_k^2 d log w_k / dh_k dh_k / dphi, s the shares of the weights in their sum."""
        shares = []  # known once the weights are, long before a gradient is asked for

        @tf.custom_gradient
        def weighed(h):
            return tf.identity(h), lambda gradient: gradient * shares[0][..., None]

        held, z = [tf.stop_gradient(h) for h in z], [weighed(h) for h in z]
        log_weights = self.log_weight(x, z, self.log_posterior(x, z))
        shares.append(tf.stop_gradient(tf.nn.softmax(log_weights, axis=0)))
        # The second term takes away what the first has of the density's own dependence on the posterior's weights; its value is no part of the bound.
        gradient = tf.reduce_sum(shares[0] * (log_weights + self.log_posterior(x, held)), 0)
        return gradient + tf.stop_gradient(importance_bound(log_weights) - gradient)

    def encode(self, x, condition=None):
        """The mean of q(h_1|x), [batch, latent_sizes[0]]."""
        return self.posterior(x).mean()

    def decode(self, z, condition=None):
        """The mean of p(x|h_1), in the domain's unit."""
        return self.observation.mean(self.parameters((z,)))


def _given(head, network, h):
    """The Gaussian whose parameters a network reads off latents [..., D]."""
    q = head(network(tf.reshape(h, [-1, h.shape[-1]])))
    loc, log_scale = (tf.reshape(t, tf.concat([tf.shape(h)[:-1], t.shape[-1:]], 0)) for t in (q.mean(), q.log_scale))
    return posteriors.DiagonalGaussian(loc, log_scale)


def importance_bound(log_weights):
    """log 1/k sum_k w_k over the first dimension."""
    return tf.reduce_logsumexp(log_weights, 0) - tf.math.log(tf.cast(tf.shape(log_weights)[0], tf.float32))
