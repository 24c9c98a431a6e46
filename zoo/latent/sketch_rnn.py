"""Sketch-RNN: a drawing as strokes of a pen, encoded to a latent Gaussian by a recurrent network and drawn again by
another, step by step.

D. Ha, D. Eck, A Neural Representation of Sketch Drawings, 2017, arXiv:1704.03477. Its decoder alone, the paper's
unconditional generation, is another model with other abilities (an exact likelihood and completion, no codes):
`zoo.autoregressive.sketch_rnn_unconditional`.
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.capabilities import Autoencoding
from zoo.control import Control
from zoo.distributions import strokes
from zoo.domain import condition_of
from zoo.latent.parts.importance_weighting import ImportanceWeightedModel
from zoo.model import Domain, split_batch
from zoo.networks.sketching import SketchDecoder, SketchEncoder
from zoo.paper import Paper

tfd = tfp.distributions

# importance samples in memory at once, and the numbers of their decoders' states, of a sketch
_CHUNK, _STATES = 50, 1 << 20


class SketchRNN(ImportanceWeightedModel, Autoencoding):
    """log p(S) >= E_{q(z|S)} [sum_{i <= N} log p(dx_i, dy_i | S_<i, z) + sum_{i <= N+1} log p(pen_i | S_<i, z)] -
    KL(q(z|S) || N(0, I)).

    N is the number of steps before the sketch ends, at most T. The step that ends it has no offset, and after it all is
    certain: p is a density of sketches of every length, with respect to the area of each offset, and sums and
    integrates to one over all of them.

    What is minimised is T times the paper's loss, in nats: L_s + L_p + w_KL eta(step) (T / N_z) max(KL, N_z KL_min),
    with eta(step) = 1 - (1 - eta_min) R^step.

    Args:
        shape: (T, 5) of a sketch in the paper's format, offsets in units of their standard deviation (N_max in the
            paper).
        latent_size: N_z.
        encoder_units: of the encoder's LSTM in each direction.
        decoder_units: of the decoder's LSTM.
        components: of the mixture of an offset, M.
        kl_weight: w_KL. T / N_z times it is what a nat of KL weighs; where that is 1 the loss ends as a bound of -log
            p(S).
        kl_min: KL_min, nats per latent dimension below which KL costs nothing.
        eta_min: the KL's weight in the first step, relative to the last.
        annealing: R, in (0, 1], how slowly it rises.
        dropout: rate of the recurrent dropout, in [0, 1).
        classes: number of class labels that both networks are given, or None.

    Raises:
        ValueError: if `shape` is not (T, 5), a size is below 1, or a weight or rate out of its range.
    """

    paper = Paper(("Ha", "Eck"), "A Neural Representation of Sketch Drawings", 2017, "arXiv:1704.03477")

    controls = {"temperature": Control(*strokes.TEMPERATURE)}

    # NOTE: the paper's pen loss counts all T steps, the padding after the end as well, so that p(S) depends on T and
    # loses mass to what can't follow an end. Here a sketch's steps end with its end. KL_min holds for each sketch, not
    # for a batch's mean. Plain LSTMs, no HyperLSTM.

    def __init__(self, shape=(64, 5), latent_size=32, encoder_units=64, decoder_units=128, components=10, kl_weight=0.5,
                 kl_min=0.2, eta_min=0.01, annealing=0.99995, dropout=0.1, classes: int | None = None, **kwargs):
        super().__init__(**kwargs)
        sizes = dict(latent_size=latent_size, encoder_units=encoder_units, decoder_units=decoder_units,
                     components=components)
        if min(sizes.values()) < 1 or (classes is not None and classes < 1):
            raise ValueError(f"{', '.join(sizes)} and classes must be at least 1, found "
                             f"{', '.join(map(str, sizes.values()))} and {classes}.")
        if min(kl_weight, kl_min) < 0 or not 0 <= eta_min <= 1 or not 0 < annealing <= 1 or not 0 <= dropout < 1:
            raise ValueError("kl_weight and kl_min must be at least 0, eta_min in [0, 1], annealing in (0, 1] and "
                             "dropout in [0, 1), found "
                             f"{kl_weight}, {kl_min}, {eta_min}, {annealing} and {dropout}.")
        self.shape, self.latent_size, self.encoder_units = strokes.sketch_shape(shape), latent_size, encoder_units
        self.decoder_units = decoder_units
        self.components, self.kl_weight, self.kl_min, self.eta_min = components, kl_weight, kl_min, eta_min
        self.annealing = annealing
        self.dropout, self.classes, self.noise_size = dropout, classes, latent_size
        self.encoder = SketchEncoder(encoder_units, dropout)
        self.head = keras.layers.Dense(2 * latent_size, dtype="float32", name="posterior")
        self.decoder = SketchDecoder(decoder_units, 6 * components + 3, latent_size + (classes or 0), dropout)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, latent_size=self.latent_size, encoder_units=self.encoder_units,
                    decoder_units=self.decoder_units, components=self.components, kl_weight=self.kl_weight,
                    kl_min=self.kl_min, eta_min=self.eta_min, annealing=self.annealing, dropout=self.dropout,
                    classes=self.classes)

    @property
    def domain(self):
        return Domain("strokes", self.shape, condition=condition_of(self.classes))

    def prior(self):
        """Returns p(z) = N(0, I)."""
        return tfd.Independent(tfd.Normal(tf.zeros([self.latent_size]), 1.0), 1)

    def posterior(self, x, condition=None, seed=None):
        """Returns q(z|S) = N(mu, diag(sigma^2)), [mu, log sigma^2] = W [h_forwards; h_backwards] + b; `seed` is the
        noise of
        dropout, None: none."""
        h = self._given(self.encoder(x, lengths=strokes.lengths(x), seed=seed), condition)
        loc, log_variance = tf.split(self.head(h), 2, axis=-1)
        return tfd.Independent(tfd.Normal(loc, tf.exp(0.5 * log_variance)), 1)

    def parameters(self, x, z, condition=None, seed=None):
        """Returns those of every p(S_i | S_<i, z) (`strokes` says which), [batch, T, 6 M + 3]."""
        return strokes.certain(self.decoder(x, self._given(z, condition), lengths=strokes.lengths(x), seed=seed),
                               strokes.over(x))

    def eta(self, step):
        """eta(step) = 1 - (1 - eta_min) R^step, the KL's weight relative to that after all steps, which is that of step
        None."""
        return 1.0 if step is None else 1.0 - (1.0 - self.eta_min) * tf.pow(self.annealing, tf.cast(step, tf.float32))

    def terms(self, x, eps, condition=None, seed=None):
        """Returns {offsets: -log p(offsets|z), pen: -log p(pen|z), kl: KL(q(z|S) || p(z))}, each [batch], at z = mu +
        sigma eps."""
        seeds = (None, None) if seed is None else random.split(seed)
        posterior = self.posterior(x, condition, seeds[0])
        steps = strokes.Strokes(self.parameters(x, posterior.mean() + posterior.stddev() * eps, condition, seeds[1]))
        return {"offsets": -tf.reduce_sum(steps.offset_log_prob(x), -1),
                "pen": -tf.reduce_sum(steps.pen_log_prob(x), -1),
                "kl": tfd.kl_divergence(posterior, self.prior())}

    def objective(self, batch, seed, step=None):
        x, condition = split_batch(batch)
        latent, dropped = random.split(seed)
        terms = self.terms(x, tf.random.stateless_normal([tf.shape(x)[0], self.latent_size], latent), condition,
                           dropped)
        weight = self.kl_weight * self.eta(step) * self.shape[0] / self.latent_size
        return terms | {"kl": weight * tf.maximum(terms["kl"], self.latent_size * self.kl_min)}

    def call(self, batch):
        x, condition = split_batch(batch)
        return tf.add_n(list(self.terms(x, tf.zeros([tf.shape(x)[0], self.latent_size]), condition).values()))

    def rate_distortion(self, x, seeds, condition=None):
        """Returns (rate, distortion) in nats, [batch] each: KL(q(z|S) || p(z)), and -log p(S|z) at one z ~ q(z|S); the
        bound is minus their sum."""
        terms = self.terms(x, random.normal_rows(seeds, [self.latent_size]), condition)
        return terms["kl"], terms["offsets"] + terms["pen"]

    def weigher(self, x, condition=None):
        posterior, prior = self.posterior(x, condition), self.prior()

        def weigh(eps):
            num = tf.shape(eps)[0]
            z = posterior.mean() + posterior.stddev() * eps  # [num, batch, latent]
            x_, condition_ = (None if t is None
                              else tf.tile(t, tf.concat([[num], tf.ones([t.shape.rank - 1], tf.int32)], 0))
                              for t in (x, condition))
            steps = strokes.Strokes(self.parameters(x_, tf.reshape(z, [-1, self.latent_size]), condition_))
            likelihood = tf.reshape(tfd.Independent(steps, 1).log_prob(x_), [num, -1])
            return likelihood + prior.log_prob(z) - posterior.log_prob(z)

        return weigh

    @property
    def chunk(self):
        """Importance samples in memory at once: fewer for longer sketches and larger decoders, and 50 at most."""
        return max(1, min(_CHUNK, _STATES // (self.shape[0] * (self.decoder_units + 6 * self.components))))

    def _encode(self, x, condition=None):
        """Returns the posterior's mean, [batch, latent_size]."""
        return self.posterior(x, condition).mean()

    @tf.function(autograph=False, reduce_retracing=True)
    def _decode(self, z, condition=None):
        """Returns the sketch at temperature 0: in every step the location of the component of most weight, and the
        likeliest state of the pen."""
        return self._drawn(lambda i, parameters: strokes.likeliest(parameters), z, condition)

    def draw(self, z, seeds, condition=None, temperature=None):
        """Draws S ~ p(S|z) at a temperature, float32 [batch]: logits divided by it, variances times it; 1, or None, is
        the model, less is safer."""
        temperature = tf.ones_like(z[:, 0]) if temperature is None else temperature
        return self._draw(z, strokes.noise_rows(seeds, self.shape[0]), temperature, condition)

    def _sample(self, seeds, condition=None, temperature=None):
        """Draws S ~ p(S|z) at a temperature (see `draw`), z ~ p(z) as it is."""
        return self.draw(random.normal_rows(random.fold_in_rows(seeds, 2), [self.latent_size]), seeds, condition,
                         temperature)

    @tf.function(autograph=False, reduce_retracing=True)
    def _draw(self, z, noise, temperature, condition):
        noise = tf.transpose(noise, [1, 0, 2])  # [T, batch, 4]
        return self._drawn(lambda i, parameters: strokes.from_noise(parameters, noise[i], temperature), z, condition)

    def _drawn(self, step, z, condition):
        context = self._given(z, condition)
        return strokes.filled(
            self.decoder.generate(
                lambda i, parameters, over: step(i, strokes.certain(parameters, over)),
                self.shape[0],
                tf.shape(z)[0],
                context,
            )
        )

    def _given(self, h, condition):
        """Returns [h, the label's indicator], what a network is given besides the sketch."""
        self.domain.require(condition)
        return h if condition is None else tf.concat([h, tf.one_hot(condition, self.classes)], -1)
