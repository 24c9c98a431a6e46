"""GPT: text as a product over tokens, each predicted by a transformer's decoder from all the tokens before it.

A. Radford, J. Wu, R. Child, D. Luan, D. Amodei, I. Sutskever, Language Models are Unsupervised Multitask Learners,
2019. A learned vector stands in the place of the token before the first, so that p sums to one over all texts of a
length. Sampling remembers keys and values (`zoo.layers.attention`). Top-k: A. Fan, M. Lewis, Y. Dauphin, 2018,
arXiv:1805.04833. Top-p: A. Holtzman et al., 2019, arXiv:1904.09751.
"""

import keras
import tensorflow as tf

from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.control import Control
from zoo.distributions import categories
from zoo.model import Domain
from zoo.networks.transformer import STDDEV, Decoder
from zoo.paper import Paper

_LOWEST, _HIGHEST = 1e-4, 100.0  # temperature
_NEVER = -1e9  # log-odds of what can't follow


class GPT(Autoregressive):
    """log p(x) = sum_t log Categorical(x_t | softmax(E decoder(E[x_<t] + P))), with one matrix E for what is read and
    what is predicted.

    Args:
        shape: (T,), the length of a text in tokens: the context.
        levels: size of the vocabulary, V.
        width: features of a token.
        heads: of each attention, a divisor of `width`.
        layers: number of blocks.
        dropout: rate, in [0, 1), at the embedding and at the end of each branch.
        end: the token that ends a text, in 0..V-1: it is followed by itself with probability one, so that texts of
            different lengths, padded with it, have a likelihood each and the likelihoods sum to one; None: all texts
            are of length T.

    Raises:
        ValueError: if `shape` is not (T,), the vocabulary has fewer than two tokens, `width` is no multiple of `heads`,
            a number is below 1, the rate of dropout is none, or `end` is no token.
    """

    paper = Paper(("Radford", "Wu", "Child", "Luan", "Amodei", "Sutskever"),
                  "Language Models are Unsupervised Multitask Learners", 2019, "OpenAI")

    controls = {
        "temperature": Control(1.0, _LOWEST, _HIGHEST, "divisor of the log-odds; 1 draws from the model",
                               of=("sample", "complete")),
        "top_k": Control(0, 0, "levels", "of how many tokens one is drawn, the likeliest; 0 for all", "tokens",
                         of=("sample", "complete")),
        "top_p": Control(1.0, 1e-4, 1.0, "probability that the tokens of which one is drawn have together, the "
                                         "likeliest first", of=("sample", "complete")),
    }

    def __init__(self, shape=(64,), levels=256, width=128, heads=4, layers=4, dropout=0.0, end=None, **kwargs):
        super().__init__(**kwargs)
        if len(shape) != 1 or shape[0] < 1:
            raise ValueError(f"shape must be a text's, (number of tokens,), found {tuple(shape)}.")
        if levels < 2:
            raise ValueError(f"levels must be at least 2, found {levels}.")
        if end is not None and not 0 <= end < levels:
            raise ValueError(f"end must be a token, 0..{levels - 1}, or None, found {end}.")
        self.shape, self.levels, self.width, self.heads, self.depth = tuple(shape), levels, width, heads, layers
        self.dropout, self.end = dropout, end
        normal = keras.initializers.RandomNormal(stddev=STDDEV)
        self.decoder = Decoder(width, heads, layers, dropout)
        self.tokens = self.add_weight((levels, width), normal, name="tokens")
        self.positions = self.add_weight((*self.shape, width), normal, name="positions")
        self.start = self.add_weight((width,), normal, name="start")
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, width=self.width, heads=self.heads, layers=self.depth,
                    dropout=self.dropout, end=self.end)

    @property
    def domain(self):
        return Domain("tokens", self.shape, self.levels)

    def parameters(self, x, condition=None, seed=None):
        """Returns the logits of every p(x_t | x_<t), [batch, T, V]."""
        self.domain.require(condition)
        # the factor makes the gradient dense, as clipping and all-reducing want it
        tokens = 1.0 * tf.convert_to_tensor(self.tokens)
        before = tf.gather(tokens, x[:, :-1])  # [batch, T - 1, width]
        start = tf.broadcast_to(tf.convert_to_tensor(self.start), [tf.shape(x)[0], 1, self.width])
        h = self.decoder(tf.concat([start, before], 1) + tf.convert_to_tensor(self.positions), seed=seed)
        logits = tf.matmul(tf.reshape(h, [-1, self.width]), tf.cast(tokens, h.dtype), transpose_b=True)
        logits = tf.cast(tf.reshape(logits, [-1, *self.shape, self.levels]), tf.float32)
        if self.end is None:
            return logits
        ended = tf.pad(x[:, :-1] == self.end, [[0, 0], [1, 0]])
        return tf.where(ended[..., None], self._ended(), logits)

    def distribution(self, parameters):
        return categories.categories(parameters)

    def noise(self, seeds):
        return categories.noise_rows(seeds, self.shape)

    def from_noise(self, parameters, noise):
        return categories.from_noise(parameters, noise)

    @tf.function(reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws a token a step, the keys and values of those before it being remembered; in float32 whatever the dtype
        policy."""
        self.domain.require(condition)
        return self._draw(noise, x, known, lambda logits: logits)

    def _sample(self, seeds, condition=None, **controls):
        """Draws x ~ p(x); with controls, [batch] each, every token from the likely ones only."""
        if controls:
            return self._continued(self.noise(seeds), None, None, *self._settings(seeds, controls))
        return super()._sample(seeds, condition)

    def _complete(self, x, mask, seeds, condition=None, **controls):
        """Completes as `Autoregressive` does; with controls each token is drawn in its turn, from the likely ones only,
        whatever is known after it."""
        if not controls:
            return super()._complete(x, mask, seeds, condition)
        return self._continued(self.noise(seeds), x, mask, *self._settings(seeds, controls))

    def _settings(self, seeds, given):
        """Returns a value of every control for each row."""
        rows = tf.shape(seeds)[:1]
        return [given.get(name, tf.fill(rows, tf.cast(control.default, control.dtype))) for name,
                control in self.controls.items()]

    @tf.function(reduce_retracing=True)
    def _continued(self, noise, x, known, temperature, top_k, top_p):
        return self._draw(noise, x, known, lambda logits: likely(logits, temperature, top_k, top_p))

    def _draw(self, noise, x, known, filtered):
        tokens, positions = tf.convert_to_tensor(self.tokens), tf.convert_to_tensor(self.positions)
        batch, noise = tf.shape(noise)[0], tf.transpose(noise)  # [T, batch]
        if known is not None:
            x, known = tf.transpose(x), tf.transpose(known)

        def step(t, state, decode):
            read, last, drawn = state
            logits = tf.matmul(decode(read + positions[t]), tokens, transpose_b=True)
            if self.end is not None:
                logits = tf.where((last == self.end)[:, None], self._ended(), logits)
            token = categories.from_noise(filtered(logits), noise[t])
            token = token if known is None else tf.where(known[t], x[t], token)
            return tf.gather(tokens, token), token, drawn.write(t, token)

        length = self.shape[0]
        read = tf.broadcast_to(tf.convert_to_tensor(self.start), [batch, self.width])
        state = read, tf.fill([batch], -1), tf.TensorArray(tf.int32, length, element_shape=[None])
        return tf.transpose(self.decoder.generate(step, state, length, batch)[2].stack())

    def _ended(self):
        return tf.where(tf.range(self.levels) == self.end, 0.0, _NEVER)


def likely(logits, temperature, top_k, top_p):
    """Returns log-odds [batch, V] at a temperature, those of all but the `top_k` likeliest tokens, then of all beyond
    the probability `top_p`, -inf.

    A token stays if those that are likelier have less than `top_p` together, so that one always does; tokens that tie
    with the last one stay too.
    """
    logits /= temperature[..., None]
    ranked, size, top_p = tf.sort(logits, direction="DESCENDING"), tf.shape(logits)[-1], top_p[..., None]
    among = tf.range(size) < tf.where(top_k > 0, top_k, size)[..., None]
    likelier = tf.cumsum(tf.nn.softmax(tf.where(among, ranked, -float("inf"))), axis=-1, exclusive=True)
    stays = among & ((likelier < top_p) | (top_p >= 1.0))  # all of them together may round to 1 too soon
    least = tf.reduce_min(tf.where(stays, ranked, float("inf")), axis=-1, keepdims=True)
    return tf.where(logits >= least, logits, -float("inf"))
