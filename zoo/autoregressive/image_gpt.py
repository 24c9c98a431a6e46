"""ImageGPT: GPT's decoder over an image's pixels in raster order, a pixel's channels one after another, and nothing
that knows of two dimensions.

M. Chen, A. Radford, R. Child, J. Wu, H. Jun, D. Luan, I. Sutskever, Generative Pretraining from Pixels, 2020, ICML.
NOTE: the paper reads colours from a palette of 512; here each channel is a token, red, then green, then blue, of
`levels` values, so that the number is a likelihood of the pixels themselves.
"""

import math

import keras
import tensorflow as tf

from zoo.autoregressive.parts.pixel_model import PixelModel
from zoo.distributions import pixels
from zoo.model import image_shape
from zoo.networks.transformer import STDDEV, Affine, Decoder
from zoo.paper import Paper


class ImageGPT(PixelModel):
    """log p(x) = sum_t log p(x_t | x_<t) over pixels and their channels, with logits W decoder(E[x_<t] + P): Bernoulli
    or Categorical.

    Args:
        shape: (height, width, channels) of an image; the sequence has height * width * channels places.
        levels: values of a pixel; 2 gives Bernoulli pixels, more give Categorical ones.
        width: features of a place.
        heads: of each attention, a divisor of `width`.
        layers: number of blocks.
        dropout: rate, in [0, 1), at the embedding and at the end of each branch.

    Raises:
        ValueError: if `shape` is not an image's, there are fewer than two levels, `width` is no multiple of `heads`, a
            number is below 1, or the rate of dropout is none.
    """

    paper = Paper(("Chen", "Radford", "Child", "Wu", "Jun", "Luan", "Sutskever"),
                  "Generative Pretraining from Pixels", 2020, "ICML")

    def __init__(self, shape=(28, 28, 1), levels=2, width=64, heads=2, layers=8, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        if levels < 2:
            raise ValueError(f"levels must be at least 2, found {levels}.")
        self.shape, self.levels, self.width, self.heads, self.depth = image_shape(shape), levels, width, heads, layers
        self.dropout = dropout
        height, columns, colours = self.shape
        normal = keras.initializers.RandomNormal(stddev=STDDEV)
        self.decoder = Decoder(width, heads, layers, dropout)
        self.head = Affine(width, 1 if levels == 2 else levels)
        self.tokens = self.add_weight((levels, width), normal, name="tokens")
        self.positions = self.add_weight((height * columns, 1, width), normal, name="positions")
        self.colours = self.add_weight((colours, width), normal, name="colours") if colours > 1 else None
        self.start = self.add_weight((width,), normal, name="start")
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, width=self.width, heads=self.heads, layers=self.depth,
                    dropout=self.dropout)

    def parameters(self, x, condition=None, seed=None):
        """Returns the logits of every p(x_t | x_<t): `pixels` says their shape."""
        self.domain.require(condition)
        size = math.prod(self.shape)
        before = self._embedded(tf.reshape(x, [-1, size])[:, :-1])  # [batch, T - 1, width]
        start = tf.broadcast_to(tf.convert_to_tensor(self.start), [tf.shape(x)[0], 1, self.width])
        h = self.decoder(tf.concat([start, before], 1) + self._places(), seed=seed)
        logits = tf.cast(self.head(tf.reshape(h, [-1, self.width])), tf.float32)
        return tf.reshape(logits, [-1, *self.shape] if self.levels == 2 else [-1, *self.shape, self.levels])

    @tf.function(reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws a channel of a pixel a step, the keys and values of those before it being remembered; in float32
        whatever the dtype policy."""
        self.domain.require(condition)
        size, places = math.prod(self.shape), self._places()
        batch, noise = tf.shape(noise)[0], self._sequence(noise)
        if known is not None:
            known = self._sequence(tf.broadcast_to(known[..., None], tf.shape(x)))
            x = self._sequence(x)

        def step(t, state, decode):
            read, drawn = state
            logits = self.head(decode(read + places[t]))
            value = pixels.from_noise(logits[:, 0] if self.levels == 2 else logits, noise[t], self.levels)
            value = value if known is None else tf.where(known[t], x[t], value)
            return self._embedded(value), drawn.write(t, value)

        read = tf.broadcast_to(tf.convert_to_tensor(self.start), [batch, self.width])
        drawn = tf.TensorArray(self.domain.dtype, size, element_shape=[None])
        drawn = self.decoder.generate(step, (read, drawn), size, batch)[1]
        return tf.reshape(tf.transpose(drawn.stack()), [-1, *self.shape])

    def _embedded(self, x):
        """Maps [...] -> [..., width]: the row of a level."""
        # the factor makes the gradient dense, as clipping and all-reducing want it
        tokens = 1.0 * tf.convert_to_tensor(self.tokens)
        if self.levels == 2:
            return tokens[0] + tf.cast(x, tf.float32)[..., None] * (tokens[1] - tokens[0])
        return tf.gather(tokens, x)

    def _places(self):
        """Returns what each place adds, float32 [T, width]: its pixel's row, and its channel's."""
        places = tf.convert_to_tensor(self.positions)
        if self.colours is not None:
            places += tf.convert_to_tensor(self.colours)
        return tf.reshape(places, [-1, self.width])

    def _sequence(self, t):
        """Maps [batch, height, width, channels, ...] -> [T, batch, ...]."""
        t = tf.reshape(t, [-1, math.prod(self.shape), *t.shape[4:]])
        return tf.transpose(t, [1, 0, *range(2, t.shape.rank)])
