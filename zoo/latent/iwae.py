"""Importance-weighted autoencoder: many draws of the posterior, averaged as probabilities, make a tighter bound that is
also what is trained.

Y. Burda, R. Grosse, R. Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv:1509.00519, with one or two layers
of latents.
Doubly reparameterised gradient: G. Tucker, D. Lawson, S. Gu, C. J. Maddison, 2018, arXiv:1810.04152.
"""

import tensorflow as tf

from zoo import random
from zoo.latent.parts import observations, posteriors, priors, schedules
from zoo.latent.parts.image_vae import ImageVAE, flatly
from zoo.model import image_shape
from zoo.networks import autoencoding
from zoo.paper import Paper

ESTIMATORS = ("iwae", "dreg")


class IWAE(ImageVAE):
    """log p(x) >= E [log 1/k sum_k w_k], w_k = p(x, h_k) / q(h_k|x), h = h_1 or h_1, h_2 with p(h) = p(h_2) p(h_1|h_2),
    q(h|x) = q(h_1|x) q(h_2|h_1).

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        latent_sizes: of each layer of latents, the one next to the image first; one or two.
        hidden: two dense layers before each layer of latents on the way up, and as many on the way down: a width for
            each layer of latents.
        activation: of the hidden layers.
        likelihood: a name of `zoo.latent.parts.observations`, or `auto`.
        k: draws of the bound that is trained.
        estimator: of the posterior's gradient: `iwae`, that of the bound, or `dreg`, the doubly reparameterised one.
        backward_draws: draws, picked by their weights out of the k, that the gradient is computed of: as right on
            average and noisier, for k passes forward and so many back (Burda et al. 2015, section 3); 0: all k.
        early_k: k in the first `early_steps` steps; a bound of few draws is a cheap start for one of many (there,
            section 5.1).
        early_steps: 0: none.
        warmup_steps: steps in which what log p(h) - log q(h|x) counts in log w rises from 0 to 1; 0: none.

    Raises:
        ValueError: if `shape` is not an image's, there are neither one nor two layers with a width each, a name is
            unknown, or a number below 1 (or 0, where it may be 0).
    """

    paper = Paper(("Burda", "Grosse", "Salakhutdinov"), "Importance Weighted Autoencoders", 2015, "arXiv:1509.00519")

    def __init__(self, shape=(28, 28, 1), levels=2, latent_sizes=(50,), hidden=(200,), activation="tanh",
                 likelihood="auto", k=5, estimator="iwae", backward_draws=0, early_k=1, early_steps=0, warmup_steps=0,
                 **kwargs):
        super().__init__(**kwargs)
        if (
            len(latent_sizes) not in (1, 2)
            or len(hidden) != len(latent_sizes)
            or min(*latent_sizes, *hidden, k, early_k) < 1
        ):
            raise ValueError("latent_sizes and hidden must have one entry for each of one or two layers, these, k and "
                             "early_k at least 1, "
                             f"found {tuple(latent_sizes)}, {tuple(hidden)}, {k} and {early_k}.")
        if min(backward_draws, early_steps, warmup_steps) < 0:
            raise ValueError("backward_draws, early_steps and warmup_steps must not be negative, found "
                             f"{backward_draws}, {early_steps} and {warmup_steps}.")
        if estimator not in ESTIMATORS:
            raise ValueError(f"estimator must be one of {', '.join(ESTIMATORS)}, found {estimator!r}.")
        self.shape, self.levels, self.latent_sizes = image_shape(shape), levels, tuple(latent_sizes)
        self.hidden = tuple(hidden)
        self.activation, self.given_likelihood, self.k, self.estimator = activation, likelihood, k, estimator
        self.backward_draws, self.early_k, self.early_steps = backward_draws, early_k, early_steps
        self.warmup_steps = warmup_steps
        self.noise_size = sum(latent_sizes)
        self.observation = observations.make(likelihood, levels)
        self.up, self.heads = [], []
        for size, width in zip(self.latent_sizes, self.hidden):
            self.up.append(autoencoding.dense_trunk((width, width), activation))
            self.heads.append(posteriors.Diagonal(size))
        self.down = [autoencoding.dense_trunk((width, width), activation) for width in self.hidden[1:]]
        self.conditionals = [posteriors.Diagonal(size) for size in self.latent_sizes[:-1]]
        self.decoder = autoencoding.dense_decoder(*self.observation.layout(self.shape), (self.hidden[0],) * 2,
                                                  activation)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, latent_sizes=self.latent_sizes, hidden=self.hidden,
                    activation=self.activation, likelihood=self.given_likelihood, k=self.k, estimator=self.estimator,
                    backward_draws=self.backward_draws, early_k=self.early_k, early_steps=self.early_steps,
                    warmup_steps=self.warmup_steps)

    def approximate(self, x, condition=None):
        first = self.posterior(x)
        return lambda eps: self._draw(first, eps)

    def _draw(self, first, eps):
        """Returns (h, log q(h|x)) of noise, given q(h_1|x)."""
        parts = tf.split(eps, self.latent_sizes, -1)
        h, log_q = first.draw(parts[0])
        z = [h]
        for up, head, part in zip(self.up[1:], self.heads[1:], parts[1:]):
            h, log_density = _given(head, up, h).draw(part)
            z, log_q = [*z, h], log_q + log_density
        return tuple(z), log_q

    def posterior(self, x):
        """Returns q(h_1|x): an object of `zoo.latent.parts.posteriors`."""
        return self.heads[0](self.up[0](self.observation.read(x)))

    def _log_above(self, z):
        """Computes log q(h_2|h_1), 0 where there is one layer."""
        return sum(_given(head, up, below).distribution().log_prob(above)
                   for head, up, below, above in zip(self.heads[1:], self.up[1:], z, z[1:]))

    def log_prior(self, z, condition=None):
        total = priors.standard_normal(self.latent_sizes[-1]).log_prob(z[-1])
        for conditional, down, below, above in zip(self.conditionals, self.down, z, z[1:]):
            total += _given(conditional, down, above).distribution().log_prob(below)
        return total

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x|h_1), h_1 ~ p(h_1|h_2), h_2 ~ p(h_2)."""
        self.domain.require(condition)
        h = self.draw_prior(random.fold_in_rows(seeds, 0))
        return self.draw_image(self.parameters(h), random.fold_in_rows(seeds, 1))

    def draw_prior(self, seeds, condition=None):
        parts = tf.split(random.normal_rows(seeds, [self.noise_size]), self.latent_sizes, -1)
        z = [parts[-1]]
        for conditional, down, part in zip(self.conditionals, self.down, parts):
            z = [_given(conditional, down, z[0]).draw(part)[0], *z]
        return tuple(z)

    def parameters(self, z, condition=None):
        return autoencoding.float32(flatly(self.decoder, z[0]))

    def terms(self, x, eps, condition=None, step=None):
        """Returns {reconstruction: -log p(x|h), kl: log q(h|x) / p(h)}, [batch] each, at one h ~ q(h|x): minus their
        sum is the bound of one draw."""
        h, log_q = self._draw(self.posterior(x), eps)
        return {"reconstruction": -self.likelihood(h).log_prob(x), "kl": log_q - self.log_prior(h)}

    def objective(self, x, seed, step=None):
        """Returns {bound: -log 1/k sum_k w_k}, [batch]; `estimator` is what its gradient is."""
        k = self.k if step is None or not self.early_steps else tf.where(step < self.early_steps, self.early_k, self.k)
        eps = tf.random.stateless_normal([k, tf.shape(x)[0], self.noise_size], seed)
        beta = schedules.warmup(step, self.warmup_steps)
        q = self.posterior(x)
        z, log_q = self._draw(q, eps)
        if self.backward_draws:
            return {"bound": -self._resampled(x, q, eps, self.log_weight(x, z, log_q, beta), random.fold_in(seed, 1),
                                              beta)}
        if self.estimator == "dreg":
            return {"bound": -self._doubly_reparameterised(x, q, z, beta)}
        return {"bound": -importance_bound(self.log_weight(x, z, log_q, beta))}

    def log_weight(self, x, z, log_q, beta=1.0):
        """Computes log p(x|z) + beta log p(z) / q(z|x), [..., batch]."""
        return self.likelihood(z).log_prob(x) + beta * (self.log_prior(z) - log_q)

    def _resampled(self, x, q, eps, log_weights, seed, beta):
        """Computes the bound, with the gradient of n draws for that of all: n of the k picked by their shares s, each
        log w_k then counts 1/n."""
        held, draws = tf.transpose(tf.stop_gradient(log_weights)), self.backward_draws
        picked = tf.random.stateless_categorical(held, draws, seed, tf.int32)  # [batch, n]
        row = tf.broadcast_to(tf.range(tf.shape(x)[0]), [draws, tf.shape(x)[0]])
        places = tf.stack([tf.transpose(picked), row], -1)
        z, log_q = self._draw(q, tf.gather_nd(eps, places))
        if self.estimator == "dreg":
            shares = tf.gather_nd(tf.stop_gradient(tf.nn.softmax(log_weights, axis=0)), places)
            gradient = tf.reduce_mean(self._pathwise(x, q, z, lambda: shares, beta)[1], 0)
        else:
            gradient = tf.reduce_mean(self.log_weight(x, z, log_q, beta), 0)
        return gradient + tf.stop_gradient(importance_bound(log_weights) - gradient)

    def _doubly_reparameterised(self, x, q, z, beta):
        """Computes the bound. Its gradient by the posterior's weights is sum_k s_k (1 - beta + beta s_k) d log w_k /
        dh_k dh_k / dphi, s the shares of the weights in their sum: the score, which counts -beta s_k, is worth -beta
        s_k (1 - s_k) d log w_k / dh_k."""
        shares = []  # known once the weights are, long before a gradient is asked for
        log_weights, summands = self._pathwise(x, q, z, lambda: shares[0], beta)
        shares.append(tf.stop_gradient(tf.nn.softmax(log_weights, axis=0)))
        gradient = tf.reduce_sum(shares[0] * summands, 0)
        return gradient + tf.stop_gradient(importance_bound(log_weights) - gradient)

    def _pathwise(self, x, q, z, shares, beta):
        """Returns log w_k, and what has its gradient but for the posterior's weights: by these it has (1 - beta + beta
        shares()) d log w_k / dh_k dh_k / dphi."""

        @tf.custom_gradient
        def weighed(h):
            return tf.identity(h), lambda gradient: gradient * (1.0 - beta + beta * shares())[..., None]

        held, z = [tf.stop_gradient(h) for h in z], [weighed(h) for h in z]
        constant = posteriors.DiagonalGaussian(tf.stop_gradient(q.mean()), tf.stop_gradient(q.log_scale))
        log_weights = self.log_weight(x, z, constant.distribution().log_prob(z[0]) + self._log_above(z), beta)
        # q(h_2|h_1) depends on its weights and, through them, on h_1: the second term takes away the one and leaves the
        # other. Its value counts nowhere.
        return log_weights, log_weights + beta * self._log_above(held)

    def _encode(self, x, condition=None):
        """Returns the mean of q(h_1|x), [batch, latent_sizes[0]]."""
        return self.posterior(x).mean()

    def _decode(self, z, condition=None):
        """Computes the mean of p(x|h_1), in the domain's unit."""
        return self.observation.mean(self.parameters((z,)))


def _given(head, network, h):
    """Returns the Gaussian whose parameters a network reads off latents [..., D]."""
    q = head(network(tf.reshape(h, [-1, h.shape[-1]])))
    loc, log_scale = (tf.reshape(t, tf.concat([tf.shape(h)[:-1], t.shape[-1:]], 0)) for t in (q.mean(), q.log_scale))
    return posteriors.DiagonalGaussian(loc, log_scale)


def importance_bound(log_weights):
    """Computes log 1/k sum_k w_k over the first dimension."""
    return tf.reduce_logsumexp(log_weights, 0) - tf.math.log(tf.cast(tf.shape(log_weights)[0], tf.float32))
