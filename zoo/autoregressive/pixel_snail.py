"""PixelSNAIL: causal convolutions, which know their neighbourhood well, take turns with causal attention, which reaches
all pixels before.

X. Chen, N. Mishra, M. Rohaninejad, P. Abbeel, PixelSNAIL: An Improved Autoregressive Generative Model, 2018,
arXiv:1712.09763. The convolutions, their gates and the likelihood of colours are PixelCNN++'s (arXiv:1701.05517).
Sampling takes a pixel a step: the convolutions' inputs at the pixels around are remembered, the attention's keys and
values as in `zoo.layers.attention`.
"""

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.autoregressive.parts import pixel_snail_sampler
from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.distributions import discretized_logistic_mixture as dlm
from zoo.distributions import pixels
from zoo.layers import attention
from zoo.layers.masked_convolution import MaskedConv2D
from zoo.layers.shifted_convolution import GatedResidual, ShiftedConv2D
from zoo.model import Domain, image_shape
from zoo.paper import Paper


class Block(keras.layers.Layer):
    """Gated residual convolutions of h, then h joined with o_i = sum_{j<i} softmax_j(q_i k_j / sqrt(d)) v_j: q of
    (place, h), k and v of (pixel, place, h)."""

    def __init__(self, channels, residuals, keys, values, rate, **kwargs):
        super().__init__(**kwargs)
        self.sizes = keys, values
        self.residuals = [GatedResidual(channels, (2, 2), "down_right", rate) for _ in range(residuals)]
        self.query, self.remember = ShiftedConv2D(keys, (1, 1)), ShiftedConv2D(keys + values, (1, 1))
        self.join = GatedResidual(channels, (1, 1), "down", rate, joined=True)

    def call(self, h, pixel=None, place=None, seed=None):
        """Maps [batch, height, width, channels] -> the same; pixel: what is read of the image, place: of where it is,
        each [batch, height, width, n]."""
        seeds = [None] * (1 + len(self.residuals)) if seed is None else random.split(seed, 1 + len(self.residuals))
        for layer, its_seed in zip(self.residuals, seeds[1:]):
            h = layer(h, seed=its_seed)
        pixel, place = tf.cast(pixel, h.dtype), tf.cast(place, h.dtype)
        shape, length = tf.shape(h), h.shape[1] * h.shape[2]
        q = tf.reshape(self.query(tf.concat([place, h], -1)), [-1, length, self.sizes[0]])
        k, v = tf.split(tf.reshape(self.remember(tf.concat([pixel, place, h], -1)), [-1, length, sum(self.sizes)]),
                        self.sizes, -1)
        # a key holds its pixel, so that it is for later ones only
        seen = attention.causal_attention(q, k, v, strict=True)
        return self.join(h, [tf.reshape(seen, [*tf.unstack(shape)[:-1], self.sizes[1]])], seed=seeds[0])


class PixelSNAIL(Autoregressive):
    """log p(x) = sum over pixels i of log p(x_i | x_<i): Bernoulli for two levels, else a mixture over all channels
    (`discretized_logistic_mixture`).

    Args:
        shape: (height, width, channels) of an image, at most 3 channels.
        levels: values of a pixel's channel.
        channels: features (the paper has 256).
        blocks: of convolutions and attention (the paper has 12).
        residuals: gated residual convolutions of a block (the paper has 4).
        keys, values: features of a key and a value (the paper has 16 and 128).
        components: of the mixture (the paper has 10); two levels have no use for it.
        dropout: rate, in [0, 1), in every gate (the paper has 0.5).

    Raises:
        ValueError: if `shape` is not an image's or has more than 3 channels, two levels have several, a number is too
            small or the rate is none.
    """

    paper = Paper(("Chen", "Mishra", "Rohaninejad", "Abbeel"),
                  "PixelSNAIL: An Improved Autoregressive Generative Model", 2018, "arXiv:1712.09763")

    def __init__(self, shape=(28, 28, 1), levels=2, channels=32, blocks=4, residuals=2, keys=4, values=32, components=5,
                 dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        if levels < 2 or min(channels, blocks, residuals, keys, values, components) < 1:
            raise ValueError("levels must be at least 2; channels, blocks, residuals, keys, values and components at "
                             "least 1; "
                             f"found {levels}, {channels}, {blocks}, {residuals}, {keys}, {values} and {components}.")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), found {dropout}.")
        self.shape, self.levels, self.channels, self.blocks = image_shape(shape), levels, channels, blocks
        self.residuals = residuals
        self.keys, self.values, self.components, self.dropout = keys, values, components, dropout
        colours = self.shape[-1]
        if colours > 3 or (levels == 2 and colours > 1):
            raise ValueError(f"an image has at most 3 channels, and 1 if it has two levels; found {colours} channels "
                             f"and {levels} levels.")
        self.first = MaskedConv2D(channels, 3, "A")
        self.stack = [Block(channels, residuals, keys, values, dropout) for _ in range(blocks)]
        self.head = ShiftedConv2D(1 if levels == 2 else components * dlm.size(colours), (1, 1))
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, channels=self.channels, blocks=self.blocks,
                    residuals=self.residuals, keys=self.keys,
                    values=self.values, components=self.components, dropout=self.dropout)

    @property
    def domain(self):
        return Domain("binary" if self.levels == 2 else "levels", self.shape, self.levels)

    @property
    def places(self):
        """Each pixel's row and column on [-1/2, 1/2] and a one, float32 [height, width, 3]: the paper's background."""
        height, width, _ = self.shape
        row, column = np.mgrid[:height, :width].astype(np.float32)
        return tf.constant(np.stack([row / height - 0.5, column / width - 0.5, np.ones_like(row)], -1))

    def parameters(self, x, condition=None, seed=None):
        """Returns what each pixel's distribution is made of: a logit, or [batch, height, width, components * size]
        (`dlm.mixture`)."""
        self.domain.require(condition)
        x = pixels.centre(x, self.levels)
        place = tf.broadcast_to(self.places, [tf.shape(x)[0], *self.places.shape])
        h = self.first(tf.concat([x, place], -1))
        seeds = [None] * self.blocks if seed is None else random.split(seed, self.blocks)
        for block, its_seed in zip(self.stack, seeds):
            h = block(h, pixel=x, place=place, seed=its_seed)
        return tf.cast(self.head(tf.nn.elu(h)), tf.float32)

    def distribution(self, parameters):
        if self.levels == 2:
            return pixels.pixels(parameters, 2)
        return dlm.mixture(parameters, self.levels, self.shape[-1])

    def noise(self, seeds):
        if self.levels == 2:
            return pixels.noise_rows(seeds, self.shape, 2)
        return dlm.noise_rows(seeds, self.shape, self.components)

    def from_noise(self, parameters, noise):
        if self.levels == 2:
            return pixels.from_noise(parameters, noise, 2)
        return dlm.draw(parameters, noise, self.levels, self.shape[-1])

    @tf.function(reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws a pixel a step, what the layers read of the earlier ones being remembered; in float32 whatever the
        dtype policy."""
        self.domain.require(condition)
        return pixel_snail_sampler.generate(self, noise, x, known)
