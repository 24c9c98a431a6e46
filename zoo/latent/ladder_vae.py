"""Ladder VAE: latents from the top down, in the posterior as in the prior, each posterior a precision-weighted mean of
what the image and the layers above say.

C. K. Sonderby, T. Raiko, L. Maaloe, S. K. Sonderby, O. Winther, Ladder Variational Autoencoders, 2016,
arXiv:1602.02282.
"""

import math

import keras
import tensorflow as tf

from zoo import random
from zoo.latent.parts import observations, priors, schedules
from zoo.latent.parts.image_vae import ImageVAE, flatly
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.following import collect
from zoo.model import Player, image_shape
from zoo.networks import autoencoding
from zoo.paper import Paper

_SMALLEST = 1e-3  # scale of a conditional


class Conditional(keras.layers.Layer):
    """Loc and scale of a diagonal Gaussian, read off features [rows, n] by a linear layer each; scale = softplus(.) +
    0.001."""

    def __init__(self, latent_size, **kwargs):
        super().__init__(**kwargs)
        self.head = keras.layers.Dense(2 * latent_size)

    def build(self, input_shape):
        self.head.build(input_shape)

    def call(self, features):
        loc, raw = tf.split(tf.cast(self.head(features), tf.float32), 2, axis=-1)
        return tf.concat([loc, tf.nn.softplus(raw) + _SMALLEST], -1)


class NormalizedDense(keras.layers.Layer):
    """activation(batch normalisation of W x), [rows, n] to [rows, units]."""

    def __init__(self, units, activation, **kwargs):
        super().__init__(**kwargs)
        self.normalization = BatchNormalization()
        self.dense = keras.layers.Dense(units, use_bias=False)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.normalization.build((*input_shape[:-1], self.dense.units))

    def call(self, x, training=False):
        return self.activation(self.normalization(self.dense(x), training=training))


class Trunk(keras.layers.Layer):
    """Two dense layers, normalised before their activation: by the batch's moments in training, else by running."""

    def __init__(self, width, activation, **kwargs):
        super().__init__(**kwargs)
        self.layers = [NormalizedDense(width, activation) for _ in range(2)]

    def run(self, x, training=False):
        """Computes features [rows, width] of x [rows, n]."""
        for layer in self.layers:
            x = layer(x, training=training)
        return x


class LadderVAE(ImageVAE):
    """p(x|z_1) p(z_1|z_2) ... p(z_L), q(z_L|x) q(z_{L-1}|z_L, x) ... q(z_1|z_2, x).

    With loc^, scale^ read off the image by layer l's part of the encoder and loc_p, scale_p the prior's given the
    layers above, 1/scale^2 = 1/scale^^2 + 1/scale_p^2 and loc = scale^2 (loc^ / scale^^2 + loc_p / scale_p^2); the top
    layer's posterior is the encoder's own.

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        latent_sizes: of each layer, the one next to the image first.
        hidden: width of the two dense layers below each layer of latents in the encoder, and above it in the prior; as
            many as layers.
        activation: of the hidden layers, which are normalised before it: by a batch while training, by running moments
            in all else.
        likelihood: a name of `zoo.latent.parts.observations`, or `auto`.
        warmup_steps: steps in which the weight of the KL terms rises from 0 to 1; 0: none.

    Raises:
        ValueError: if `shape` is not an image's, there is no layer, layers and widths differ in number, a name is
            unknown, or a number is too small.
    """

    paper = Paper(("Sonderby", "Raiko", "Maaloe", "Sonderby", "Winther"),
                  "Ladder Variational Autoencoders", 2016, "arXiv:1602.02282")

    def __init__(self, shape=(28, 28, 1), levels=2, latent_sizes=(32, 16, 8), hidden=(256, 128, 64),
                 activation="leaky_relu", likelihood="auto", warmup_steps=0, **kwargs):
        super().__init__(**kwargs)
        if not latent_sizes or len(latent_sizes) != len(hidden) or min(*latent_sizes, *hidden) < 1 or warmup_steps < 0:
            raise ValueError("latent_sizes and hidden must have one entry for each of at least one layer, none below "
                             "1, and warmup_steps not be negative, "
                             f"found {tuple(latent_sizes)}, {tuple(hidden)} and {warmup_steps}.")
        self.shape, self.levels, self.latent_sizes = image_shape(shape), levels, tuple(latent_sizes)
        self.hidden = tuple(hidden)
        self.activation, self.given_likelihood, self.warmup_steps = activation, likelihood, warmup_steps
        self.noise_size = sum(latent_sizes)
        self.observation = observations.make(likelihood, levels)
        self.up = [Trunk(width, activation) for width in hidden]
        self.likely = [Conditional(size, name="likely") for size in latent_sizes]  # what the image says of each layer
        self.down = [Trunk(width, activation) for width in hidden[:-1]]
        self.conditionals = [Conditional(size, name="prior") for size in latent_sizes[:-1]]
        self.decoder = autoencoding.dense_decoder(*self.observation.layout(self.shape), (hidden[0],) * 2, activation)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, latent_sizes=self.latent_sizes, hidden=self.hidden,
                    activation=self.activation, likelihood=self.given_likelihood, warmup_steps=self.warmup_steps)

    def players(self):
        """Returns the one player, the model; the running moments of its normalised layers follow."""
        moments = self.non_trainable_weights
        return (Player("model", self.trainable_weights, self.objective, scheduled=True, follows=moments),)

    def conditional(self, layer, above, training=False):
        """Returns p(z_l|z_{l+1}) as (loc, scale), each [..., latent_sizes[l]]; of the top layer, N(0, I)."""
        if above is None:
            return 0.0, 1.0
        head, trunk = self.conditionals[layer], self.down[layer]
        return tf.split(flatly(lambda z: head(trunk.run(z, training)), above), 2, axis=-1)

    def evidence(self, x, training=False):
        """Returns (loc^, scale^) of every layer, the one next to the image first: what the encoder reads off the
        image."""
        found, features = [], tf.reshape(self.observation.read(x), [-1, math.prod(self.shape)])
        for up, likely in zip(self.up, self.likely):
            features = up.run(features, training)
            found.append(tf.split(likely(features), 2, axis=-1))
        return found

    def path(self, x, eps, training=False):
        """Returns (z, KL(q(z_l|z_{l+1}, x) || p(z_l|z_{l+1})), log q) of every layer, the one next to the image first.

        z is what eps [..., batch, noise_size] gives.
        """
        z, kls, log_qs, above = [], [], [], None
        parts = tf.split(eps, self.latent_sizes, -1)
        for layer, (loc, scale) in reversed(list(enumerate(self.evidence(x, training)))):
            prior_loc, prior_scale = self.conditional(layer, above, training)
            if above is not None:
                loc, scale = merge(loc, scale, prior_loc, prior_scale)
            above = loc + scale * parts[layer]
            z.insert(0, above)
            kls.insert(0, kl(loc, scale, prior_loc, prior_scale))
            log_eps = priors.standard_normal(self.latent_sizes[layer]).log_prob(parts[layer])
            log_qs.insert(0, log_eps - tf.reduce_sum(tf.math.log(scale), -1))
        return tuple(z), kls, log_qs

    def approximate(self, x, condition=None):
        def draw(eps):
            z, _, log_qs = self.path(x, eps)
            return z, tf.add_n(log_qs)

        return draw

    def log_prior(self, z, condition=None):
        total = 0.0
        for layer, (own, above) in enumerate(zip(z, (*z[1:], None))):
            loc, scale = self.conditional(layer, above)
            standard = (own - loc) / scale
            log_standard = priors.standard_normal(self.latent_sizes[layer]).log_prob(standard)
            total += log_standard - tf.reduce_sum(tf.math.log(scale) * tf.ones_like(own), -1)
        return total

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x|z_1), z_1 ~ p(z_1|z_2), ..., z_L ~ p(z_L)."""
        self.domain.require(condition)
        z = self.draw_prior(random.fold_in_rows(seeds, 0))
        return self.draw_image(self.parameters(z), random.fold_in_rows(seeds, 1))

    def draw_prior(self, seeds, condition=None):
        z, above = [], None
        parts = tf.split(random.normal_rows(seeds, [self.noise_size]), self.latent_sizes, -1)
        for layer in reversed(range(len(parts))):
            loc, scale = self.conditional(layer, above)
            above = loc + scale * parts[layer]
            z.insert(0, above)
        return tuple(z)

    def parameters(self, z, condition=None):
        return autoencoding.float32(flatly(self.decoder, z[0]))

    def terms(self, x, eps, condition=None, step=None):
        """Returns {reconstruction: -log p(x|z_1), kl_1, ..., kl_L: each layer's KL given the layers above}, [batch]
        each: minus their sum is the bound; at a step, as in training, by the batch's own moments."""
        z, kls, _ = self.path(x, eps, training=step is not None)
        weight = schedules.warmup(step, self.warmup_steps)
        rate = {f"kl_{layer}": weight * value for layer, value in enumerate(kls, 1)}
        return {"reconstruction": -self.likelihood(z).log_prob(x)} | rate

    def objective(self, batch, seed, step=None):
        with collect() as moments:
            terms = super().objective(batch, seed, step)
        return terms, moments.values(self.non_trainable_weights)

    def _encode(self, x, condition=None):
        """Returns the latents at the posteriors' means from the top down, the layer next to the image first, [batch,
        noise_size]."""
        z, _, _ = self.path(x, tf.zeros([tf.shape(x)[0], self.noise_size]))
        return tf.concat(z, -1)

    def _decode(self, z, condition=None):
        """Computes the mean of p(x|z_1), in the domain's unit."""
        return self.observation.mean(self.parameters(tf.split(z, self.latent_sizes, -1)))


def merge(loc, scale, prior_loc, prior_scale):
    """Multiplies two Gaussians' densities, as (loc, scale): precisions add up, and means are weighed by them."""
    own, prior = scale**-2, prior_scale**-2
    precision = own + prior
    return (loc * own + prior_loc * prior) / precision, tf.math.rsqrt(precision)


def kl(loc, scale, prior_loc, prior_scale):
    """Computes KL(N(loc, scale^2) || N(prior_loc, prior_scale^2)), summed over the last dimension."""
    ratio = (scale / prior_scale) ** 2
    return 0.5 * tf.reduce_sum(ratio + ((loc - prior_loc) / prior_scale) ** 2 - 1.0 - tf.math.log(ratio), -1)
