"""Character VAE: strings as sequences of characters, all of them read off one code.

R. Gomez-Bombarelli, J. N. Wei, D. Duvenaud, J. M. Hernandez-Lobato, B. Sanchez-Lengeling, D. Sheberla, J.
Aguilera-Iparraguirre, T. D. Hirzel, R. P. Adams, A. Aspuru-Guzik, Automatic Chemical Design Using a Data-Driven
Continuous Representation of Molecules, 2016, arXiv:1610.02415. The network is that of its twin, the Grammar VAE (M. J.
Kusner et al., 2017, arXiv:1703.01925).
"""

import tensorflow as tf

from zoo.distributions import categories
from zoo.latent.parts.sequence_vae import SequenceVAE
from zoo.paper import Paper


class CharacterVAE(SequenceVAE):
    """log p(x|z) = sum_t log Categorical(x_t | logits_t(z)), up to the end.

    Args:
        shape: (T,), tokens of a text, its end counted.
        levels: size of the vocabulary, K.
        end: the token that ends a text, in 0..K-1: it is followed by itself with probability one, so that texts of
            different lengths, padded with it, have a likelihood each and the likelihoods sum to one; None: all texts
            are of length T. NOTE: the paper's decoder has to learn the padding.
        latent_size: number of latent dimensions.
        filters, kernels: of the encoder's convolutions over the places, in their order.
        dense: width of the layer after them.
        hidden, layers: width and number of the decoder's gated recurrent layers.
        beta: weight of the KL term in the loss (I. Higgins et al., beta-VAE, 2017); bounds are reported with weight
            one.
        warmup_steps: steps in which that weight rises from 0; 0: none.

    Raises:
        ValueError: as `SequenceVAE` does, and if `end` is no token.
    """

    paper = Paper(("Gomez-Bombarelli", "Wei", "Duvenaud", "Hernandez-Lobato", "Sanchez-Lengeling", "Sheberla",
                   "Aguilera-Iparraguirre", "Hirzel", "Adams", "Aspuru-Guzik"),
                  "Automatic Chemical Design Using a Data-Driven Continuous Representation of Molecules",
                  2016, "arXiv:1610.02415")

    def __init__(self, shape=(20,), levels=128, end=None, latent_size=25, filters=(2, 3, 4), kernels=(2, 3, 4),
                 dense=100, hidden=100, layers=3, beta=1.0, warmup_steps=0, **kwargs):
        super().__init__(shape, levels, latent_size, filters, kernels, dense, hidden, layers, beta, warmup_steps,
                         **kwargs)
        if end is not None and not 0 <= end < levels:
            raise ValueError(f"end must be a token, 0..{levels - 1}, or None, found {end}.")
        self.end = end
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, end=self.end, latent_size=self.latent_size,
                    filters=self.filters, kernels=self.kernels,
                    dense=self.dense, hidden=self.hidden, layers=self.depth, beta=self.beta,
                    warmup_steps=self.warmup_steps)

    def allowed(self, x):
        if self.end is None:
            return tf.ones([tf.shape(x)[0], *self.shape, self.levels], tf.bool)
        ended = tf.pad(x[:, :-1] == self.end, [[0, 0], [1, 0]])
        return ~ended[..., None] | (tf.range(self.levels) == self.end)

    def draw(self, logits, noise):
        return self._ended(categories.from_noise(logits, noise))

    def likeliest(self, logits):
        return self._ended(tf.argmax(logits, -1, tf.int32))

    def _ended(self, x):
        """Returns x with nothing but the end after the first end."""
        if self.end is None:
            return x
        return tf.where(tf.cumsum(tf.cast(x == self.end, tf.int32), axis=1) > 0, self.end, x)
