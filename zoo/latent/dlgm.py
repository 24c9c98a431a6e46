"""Deep latent Gaussian model: layers of Gaussian latents, from the top down, each added to a nonlinear function of the
layer above.

D. J. Rezende, S. Mohamed, D. Wierstra, Stochastic Backpropagation and Approximate Inference in Deep Generative Models,
2014, arXiv:1401.4082. The latents proper are the layers' noises, independent standard normals; the posterior is a
Gaussian for each layer, with one of three forms of covariance.
"""

import keras
import tensorflow as tf

from zoo import random
from zoo.latent.parts import observations, posteriors, priors, schedules
from zoo.latent.parts.image_vae import ImageVAE, flatly
from zoo.model import image_shape
from zoo.networks import autoencoding
from zoo.paper import Paper


class DLGM(ImageVAE):
    """xi^l ~ N(0, I), h^L = G^L xi^L, h^l = T^l(h^{l+1}) + G^l xi^l, x ~ p(x|T^0(h^1)); q(xi|x) = prod_l N(xi^l |
    mu^l(x), C^l(x)).

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        latent_sizes: of each stochastic layer, the one next to the image first.
        hidden: width of the two layers of every T and of the recognition network below each layer.
        activation: of the hidden layers.
        likelihood: a name of `zoo.latent.parts.observations`, or `auto`.
        posterior: covariance of the posteriors: `diagonal`, `rank_one` (a diagonal precision plus a product u u^T) or
            `full` (a Cholesky factor).
        warmup_steps: steps in which the weight of the KL terms rises from 0 to 1; 0: none.

    Raises:
        ValueError: if `shape` is not an image's, there is no layer, a name is unknown, or a number below 1.
    """

    paper = Paper(("Rezende", "Mohamed", "Wierstra"),
                  "Stochastic Backpropagation and Approximate Inference in Deep Generative Models",
                  2014, "arXiv:1401.4082")

    def __init__(self, shape=(28, 28, 1), levels=2, latent_sizes=(50, 50), hidden=200, activation="relu",
                 likelihood="auto", posterior="rank_one", warmup_steps=0, **kwargs):
        super().__init__(**kwargs)
        if not latent_sizes or min(*latent_sizes, hidden, 1) < 1 or warmup_steps < 0:
            raise ValueError("latent_sizes must have at least one entry, these and hidden be at least 1, and "
                             "warmup_steps not be negative, "
                             f"found {tuple(latent_sizes)}, {hidden} and {warmup_steps}.")
        if posterior in posteriors.FLOWS:
            raise ValueError(f"posterior must be a Gaussian, found {posterior!r}.")
        self.shape, self.levels, self.latent_sizes = image_shape(shape), levels, tuple(latent_sizes)
        self.hidden = hidden
        self.activation, self.given_likelihood, self.given_posterior = activation, likelihood, posterior
        self.warmup_steps = warmup_steps
        self.noise_size = sum(latent_sizes)
        self.observation = observations.make(likelihood, levels)
        self.up = [autoencoding.dense_trunk((hidden, hidden), activation) for _ in latent_sizes]
        self.heads = [posteriors.make(posterior, size) for size in latent_sizes]
        self.G = [keras.layers.Dense(size, use_bias=False, name="G") for size in latent_sizes]
        self.T = [keras.Sequential([keras.layers.Dense(hidden, activation), keras.layers.Dense(hidden, activation),
                                    keras.layers.Dense(size)], name="T")
                  for size in latent_sizes[:-1]]
        self.decoder = autoencoding.dense_decoder(*self.observation.layout(self.shape), (hidden, hidden), activation)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, latent_sizes=self.latent_sizes, hidden=self.hidden,
                    activation=self.activation, likelihood=self.given_likelihood, posterior=self.given_posterior,
                    warmup_steps=self.warmup_steps)

    def prior(self):
        """Returns p(xi) = N(0, I), of all layers."""
        return priors.standard_normal(self.noise_size)

    def posterior(self, x):
        """Returns q(xi^l|x) of every layer, the one next to the image first: a list of objects of
        `zoo.latent.parts.posteriors`."""
        found, features = [], self.observation.read(x)
        for up, head in zip(self.up, self.heads):
            features = up(features)
            found.append(head(features))
        return found

    def approximate(self, x, condition=None):
        layers = self.posterior(x)

        def draw(eps):
            xi, log_q = zip(*(q.draw(part) for q, part in zip(layers, tf.split(eps, self.latent_sizes, -1))))
            return tf.concat(xi, -1), tf.add_n(log_q)

        return draw

    def log_prior(self, z, condition=None):
        return self.prior().log_prob(z)

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x|xi), xi ~ p(xi)."""
        self.domain.require(condition)
        xi = self.draw_prior(random.fold_in_rows(seeds, 0))
        return self.draw_image(self.parameters(xi), random.fold_in_rows(seeds, 1))

    def draw_prior(self, seeds, condition=None):
        return random.normal_rows(seeds, [self.noise_size])

    def parameters(self, z, condition=None):
        return autoencoding.float32(flatly(lambda xi: self.decoder(self.down(xi)), z))

    def down(self, xi):
        """Computes h^1 [batch, latent_sizes[0]] of all layers' noises [batch, noise_size]."""
        parts = tf.split(xi, self.latent_sizes, -1)
        h = self.G[-1](parts[-1])
        for layer in reversed(range(len(parts) - 1)):
            h = self.T[layer](h) + self.G[layer](parts[layer])
        return h

    def terms(self, x, eps, condition=None, step=None):
        """Returns {reconstruction: -log p(x|xi), kl: sum_l KL(q(xi^l|x) || N(0, I)), times its weight}, [batch] each:
        minus their sum is the bound, where the weight is 1."""
        layers = self.posterior(x)
        xi = tf.concat([q.draw(part)[0] for q, part in zip(layers, tf.split(eps, self.latent_sizes, -1))], -1)
        return {"reconstruction": -self.likelihood(xi).log_prob(x),
                "kl": schedules.warmup(step, self.warmup_steps) * tf.add_n([q.kl() for q in layers])}

    def _encode(self, x, condition=None):
        """Returns the posteriors' means, the layer next to the image first, [batch, noise_size]."""
        return tf.concat([q.mean() for q in self.posterior(x)], -1)
