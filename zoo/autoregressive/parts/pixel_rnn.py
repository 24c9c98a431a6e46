"""PixelRNN: what Row LSTM and Diagonal BiLSTM share. A masked convolution, a stack of two-dimensional LSTM layers with
residuals, two 1x1 layers.

A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759, sections 3
and 4. A layer's state at a pixel depends on earlier pixels alone, and the map that it adds to keeps the colours apart,
so that the image's likelihood is a product over pixels, and within a pixel red comes first, then green given red, then
blue given both.
"""

import abc

import tensorflow as tf

from zoo.autoregressive.parts import raster
from zoo.autoregressive.parts.pixel_model import PixelModel
from zoo.distributions import pixels
from zoo.layers.gated_convolution import dense
from zoo.layers.masked_convolution import MaskedConv2D
from zoo.model import image_shape


def lstm(gates, c):
    """Computes [o, f, i, g] = gates, before their nonlinearities; c' = f c + i g, in float32, and h' = o tanh(c'):
    returns (h', c')."""
    o, f, i, g = tf.split(gates, 4, axis=-1)
    c = tf.cast(tf.sigmoid(f), c.dtype) * c + tf.cast(tf.sigmoid(i) * tf.tanh(g), c.dtype)
    return tf.sigmoid(o) * tf.cast(tf.tanh(c), o.dtype), c


class PixelRNN(PixelModel):
    """log p(x) = sum over pixels i and channels c of log p(x_{i,c} | x_{<i}, x_{i,<c}), by LSTM layers of h features
    between maps of 2h.

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel; 2 gives Bernoulli pixels, more give Categorical ones.
        channels: features between the layers, 2h in the paper (even).
        blocks: number of LSTM layers.
        kernel_size: of the first convolution, with mask A (odd).
        head_channels: features of the first of the two 1x1 convolutions that end in the logits.

    Raises:
        ValueError: if `shape` is not an image's, a number is too small, `channels` is odd, the kernel size is even or
            below 3, or an image channel gets no feature.
    """

    def __init__(self, shape=(28, 28, 1), levels=2, channels=32, blocks=7, kernel_size=7, head_channels=32, **kwargs):
        super().__init__(**kwargs)
        if levels < 2 or blocks < 1:
            raise ValueError(f"levels must be at least 2, blocks at least 1, found {levels} and {blocks}.")
        if channels < 2 or channels % 2:
            raise ValueError(f"channels must be even and at least 2, found {channels}.")
        if kernel_size < 3:
            raise ValueError(f"kernel_size must be at least 3, found {kernel_size}.")
        self.shape, self.levels, self.channels, self.blocks = image_shape(shape), levels, channels, blocks
        self.kernel_size, self.head_channels = kernel_size, head_channels
        colours = self.shape[-1]
        self.first = MaskedConv2D(channels, kernel_size, "A", colours)
        self.stack = [self.recurrent(channels, colours) for _ in range(blocks)]
        self.head = [MaskedConv2D(n, 1, "B", colours)
                     for n in (head_channels, colours * (1 if levels == 2 else levels))]
        self.build()

    @staticmethod
    @abc.abstractmethod
    def recurrent(channels, groups):
        """Makes a layer of the stack. It maps [batch, height, width, channels] to the same, and has what `generate`
        calls:

        zeros(batch, width): (memory, state, kept) before the first row and pixel.
        pixel(): a function (u, here, state) -> (u', state, kept), the layer at one pixel of each image; kept: [batch,
        n], for the row below.
        """

    @abc.abstractmethod
    def above(self, kept, memory):
        """Returns what each layer reads of the rows above: (kept of the last row, memory) of each layer -> (here
        [batch, width, m], memory) of each layer."""

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, channels=self.channels, blocks=self.blocks,
                    kernel_size=self.kernel_size, head_channels=self.head_channels)

    def parameters(self, x, condition=None, seed=None):
        """Returns the logits of every p(x_{i,c} | x_{<i}, x_{i,<c}): `pixels` says their shape."""
        self.domain.require(condition)
        u = self.first(pixels.centre(x, self.levels))
        for layer in self.stack:
            u = layer(u)
        for layer in self.head:
            u = layer(tf.nn.relu(u))
        return self._per_pixel(tf.cast(u, tf.float32))

    @tf.function(reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws row by row (`raster`), the states of the row above being remembered; computed in float32 whatever the
        dtype policy."""
        self.domain.require(condition)
        _, width, colours = self.shape
        batch, half = tf.shape(noise)[0], self.kernel_size // 2
        kernel, bias = self.first.matrices()
        upper, own = tf.split(kernel, [half * self.kernel_size * colours, (half + 1) * colours])
        upper = tf.reshape(upper, [half, self.kernel_size, colours, self.channels])
        layers, head = [layer.pixel() for layer in self.stack], [layer.matrices() for layer in self.head]
        memory, state, kept = zip(*(layer.zeros(batch, width) for layer in self.stack))
        keeps = kept[0].shape[-1]

        def begin(above, kept, memory):
            # first: [batch, width, channels]
            first = tf.nn.conv2d(above, upper, 1, [[0, 0], [0, 0], [half, half], [0, 0]])[:, 0] + bias
            here, memory = self.above(tf.split(kept, [keeps] * self.blocks, -1), memory)
            return tf.concat([first, *here], -1), tuple(memory)

        def column(left, here, pixel, state):
            first, here = tf.split(here, [self.channels, here.shape[-1] - self.channels], -1)
            u, states, kept = first + tf.matmul(tf.concat([left, pixel], -1), own), [], []
            for layer, its, before in zip(layers, tf.split(here, self.blocks, -1), state):
                u, after, keep = layer(u, its, before)
                states.append(after)
                kept.append(keep)
            for layer in head:
                u = dense(tf.nn.relu(u), layer)
            return self._per_pixel(u), tuple(states), tf.concat(kept, -1)

        start = memory, state, tf.concat(kept, -1)
        return raster.generate_by_rows(begin, column, start, (half, half), self.shape, self.levels, noise, x, known)
