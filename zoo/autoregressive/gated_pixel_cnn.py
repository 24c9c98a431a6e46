"""Gated PixelCNN: two stacks of convolutions, one over all rows above and one along the row, so that no pixel before is
out of sight.

A. van den Oord, N. Kalchbrenner, O. Vinyals, L. Espeholt, A. Graves, K. Kavukcuoglu, Conditional Image Generation with
PixelCNN Decoders, 2016, arXiv:1606.05328. A stack of masked convolutions (`pixel_cnn`) has a blind spot, a wedge to the
right above the pixel. Here the vertical stack needs no mask, since it is a row late, and feeds the horizontal stack at
every layer. Both are gated, and a class or an embedding moves every gate.
"""

import math

import keras
import tensorflow as tf

from zoo.autoregressive.parts import raster
from zoo.autoregressive.parts.pixel_model import PixelModel
from zoo.distributions import pixels
from zoo.layers.gated_convolution import HorizontalConv, VerticalConv, dense, gated
from zoo.layers.masked_convolution import MaskedConv2D
from zoo.model import image_shape
from zoo.paper import Paper


class GatedLayer(keras.layers.Layer):
    """z = W_n * v; v' = gated(z + V_v h); u' = u + W_1 gated(W_k * u + W_l z + V_u h), without the residual in the
    first layer (figure 2)."""

    def __init__(self, channels, kernel_size, kind, groups, **kwargs):
        super().__init__(**kwargs)
        self.residual = kind == "B"
        self.vertical = VerticalConv(2 * channels, kernel_size, shift=kind == "A")
        self.link = keras.layers.Conv2D(2 * channels, 1, use_bias=False)
        self.horizontal = HorizontalConv(channels, kernel_size, kind, groups, gates=2)
        self.out = MaskedConv2D(channels, 1, "B", groups)

    def call(self, v, u, v_bias=None, u_bias=None):
        """Returns (v', u') of both stacks' maps; the biases are what the condition adds to their gates, [batch, 2
        channels]."""
        z = self.vertical(v)
        y = self.out(gated(_add(self.horizontal(u) + self.link(z), u_bias)))
        return gated(_add(z, v_bias)), u + y if self.residual else y


def _add(z, bias):
    """Adds to z [batch, ..., n] the bias of its row, [batch, n] or one for each place as z has them, if there is
    one."""
    if bias is None or bias.shape.rank == z.shape.rank:
        return z if bias is None else z + bias
    return z + tf.reshape(bias, [-1, *[1] * (z.shape.rank - 2), bias.shape[-1]])


class GatedPixelCNN(PixelModel):
    """log p(x | h) = sum over pixels i and channels c of log p(x_{i,c} | x_{<i}, x_{i,<c}, h), every p a function of
    all that comes before.

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel; 2 gives Bernoulli pixels, more give Categorical ones.
        channels: features of each stack, p in the paper.
        blocks: number of gated layers after the first.
        kernel_size: n of the first layer, which does not see the pixel itself (odd).
        block_kernel_size: n of the other layers (odd).
        head_channels: features of the first of the two 1x1 convolutions that end in the logits.
        classes: number of class labels to condition on; None: unconditional, or on features.
        features: shape of a real-valued condition: an embedding h, as (n,), or a map of them, (height, width, n), each
            of which moves the gates of its own pixel (section 2.3); None: none.
        embedding: numbers that the network reads of a pixel, learned for each of its levels, where these have no order
            (codes); 0: the level itself.

    Raises:
        ValueError: if `shape` is not an image's, a number is too small, a kernel size is even or below 3, there are
            both classes and features, an image channel gets no feature, or an image of several channels is to be
            embedded.
    """

    paper = Paper(("van den Oord", "Kalchbrenner", "Vinyals", "Espeholt", "Graves", "Kavukcuoglu"),
                  "Conditional Image Generation with PixelCNN Decoders", 2016, "arXiv:1606.05328")

    def __init__(self, shape=(28, 28, 1), levels=2, channels=32, blocks=10, kernel_size=7, block_kernel_size=3,
                 head_channels=32, classes=None, features: tuple | None = None, embedding=0, **kwargs):
        super().__init__(**kwargs)
        if embedding < 0 or (embedding and shape[-1] != 1):
            raise ValueError(f"embedding must be 0, or at least 1 for images of one channel, found {embedding} for "
                             f"images of shape {tuple(shape)}.")
        if levels < 2 or blocks < 1 or head_channels < 1 or (classes is not None and classes < 1):
            raise ValueError(f"levels must be at least 2; blocks, head_channels and classes 1, found {levels}, "
                             f"{blocks}, {head_channels} and {classes}.")
        if min(kernel_size, block_kernel_size) < 3:
            raise ValueError(f"kernel_size and block_kernel_size must be at least 3, found {kernel_size} and "
                             f"{block_kernel_size}.")
        if classes and features:
            raise ValueError(f"the condition is a class or features, not both, found {classes} classes and features of "
                             f"shape {tuple(features)}.")
        self.shape, self.levels, self.channels, self.blocks = image_shape(shape), levels, channels, blocks
        self.kernel_size, self.block_kernel_size, self.head_channels = kernel_size, block_kernel_size, head_channels
        self.classes, self.features, self.embedding = classes, tuple(features) if features else None, embedding
        self.mapped = bool(features) and tuple(features[:2]) == self.shape[:2] and len(features) == 3
        self.vectors = self.add_weight((levels, embedding), keras.initializers.RandomNormal(stddev=1.0),
                                       name="vectors") if embedding else None
        colours = self.shape[-1]
        self.stack = [GatedLayer(channels, kernel_size, "A", colours)]
        self.stack += [GatedLayer(channels, block_kernel_size, "B", colours) for _ in range(blocks)]
        self.head = [MaskedConv2D(n, 1, "B", colours)
                     for n in (head_channels, colours * (1 if levels == 2 else levels))]
        condition = classes or (self.features[-1] if self.mapped else math.prod(self.features or ()))
        gates = 2 * (2 * blocks + 1) * channels  # of both stacks; the last layer's vertical one has no reader
        self.condition_kernel = self.add_weight((condition, gates), "random_normal",
                                                name="condition_kernel") if self.domain.conditional else None
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, channels=self.channels, blocks=self.blocks,
                    kernel_size=self.kernel_size, block_kernel_size=self.block_kernel_size,
                    head_channels=self.head_channels, classes=self.classes, features=self.features,
                    embedding=self.embedding)

    def parameters(self, x, condition=None, seed=None):
        """Returns the logits of every p(x_{i,c} | x_{<i}, x_{i,<c}, h): `pixels` says their shape."""
        v = u = self._read(x, self.levels)
        for layer, bias in zip(self.stack, self._biases(condition)):
            v, u = layer(v, u, *bias)
        for layer in self.head:
            u = layer(tf.nn.relu(u))
        return self._per_pixel(tf.cast(u, tf.float32))

    @tf.function(reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws row by row (`raster`): the vertical stack once a row, the horizontal one once a pixel; in float32
        whatever the dtype policy."""
        _, width, colours = self.shape
        biases = self._biases(condition)
        horizontal = [layer.horizontal.matrices() for layer in self.stack]
        out = [layer.out.matrices() for layer in self.stack]
        head = [layer.matrices() for layer in self.head]
        half, batch = self.block_kernel_size // 2, tf.shape(noise)[0]

        def begin(above, kept, memory):
            """Returns each layer's gates but for what the horizontal stack itself adds, [batch, width, layers * 2
            channels];
            memory: of v, the rows before."""
            here, rows, at = [], [], memory[-1]  # the last entry: the number of the row
            for number, (layer, both) in enumerate(zip(self.stack, biases)):
                v_bias, u_bias = (bias[:, at] if self.mapped and bias is not None else bias for bias in both)
                z = layer.vertical.row(above)  # [batch, width, 2 channels]
                here.append(_add(tf.nn.conv1d(z, tf.convert_to_tensor(layer.link.kernel)[0], 1, "VALID"), u_bias))
                if number < self.blocks:
                    above = tf.concat([memory[number], gated(_add(z, v_bias))[:, None]], 1)
                    rows.append(above[:, 1:])
            return tf.concat(here, -1), [*rows, at + 1]

        def column(left, here, pixel, state):
            u, seen, features = pixel, [left, *state], []
            for number, (here, before) in enumerate(zip(tf.split(here, self.blocks + 1, -1), seen)):
                y = dense(gated(dense(tf.concat([before, u], -1), horizontal[number]) + here), out[number])
                if number:
                    features.append(tf.concat([before[:, self.channels:], u], -1) if half > 1 else u)
                u = u + y if number else y
            for layer in head:
                u = dense(tf.nn.relu(u), layer)
            return self._per_pixel(u), features, tf.zeros([batch, 0])

        memory = [*[tf.zeros([batch, half, width, self.channels])] * self.blocks, tf.constant(0)]
        start = memory, [tf.zeros([batch, half * self.channels])] * self.blocks, tf.zeros([batch, width, 0])
        reach = self.kernel_size // 2 + 1, self.kernel_size // 2
        return raster.generate_by_rows(begin, column, start, reach, self.shape, self.levels, noise, x, known,
                                       self._read, self.embedding or colours)

    def _biases(self, condition):
        """Computes V h of every layer's vertical and horizontal gates, [batch, 2 channels] each, None where there is
        none."""
        self.domain.require(condition)
        if condition is None:
            return [(None, None)] * (self.blocks + 1)
        kernel = tf.convert_to_tensor(self.condition_kernel)
        # The factor makes the gradient dense, as clipping and all-reducing want it; `gather` refuses a label that is
        # none.
        if self.classes:
            h = tf.gather(1.0 * kernel, condition)
        else:
            h = tf.matmul(tf.reshape(condition, [-1, kernel.shape[0]]), kernel)
            h = tf.reshape(h, [-1, *self.shape[:2], h.shape[-1]]) if self.mapped else h
        *gates, last = tf.split(h, 2 * self.blocks + 1, axis=-1)
        return [*zip(gates[::2], gates[1::2]), (None, last)]

    def _read(self, x, levels):
        """Returns what the network reads of pixels [..., 1 or more channels]: their centred values, or the vectors of
        their levels."""
        if not self.embedding:
            return pixels.centre(x, levels)
        vectors = 1.0 * tf.convert_to_tensor(self.vectors)  # the factor makes the gradient dense
        return tf.gather(vectors, tf.cast(x[..., 0], tf.int32))
