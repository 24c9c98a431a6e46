"""PixelCNN: an image's likelihood as a product over pixels in raster order, all factors at once by a convolutional
network that can't look ahead.

A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759.
Training and `log_prob` take one parallel pass; sampling takes one step per pixel, with the layers' activations
remembered (`raster`).
"""

import keras
import tensorflow as tf

from zoo.autoregressive.parts import raster
from zoo.autoregressive.parts.pixel_model import PixelModel
from zoo.distributions import pixels
from zoo.layers.masked_convolution import MaskedConv2D
from zoo.model import image_shape
from zoo.paper import Paper


class ResidualBlock(keras.layers.Layer):
    """h + W_3 relu(W_2 * relu(W_1 relu(h)) + b): 1x1 from 2h to h features, k x k with mask B, 1x1 back to 2h (figure
    5)."""

    def __init__(self, channels, kernel_size, groups, **kwargs):
        super().__init__(**kwargs)
        self.reduce = MaskedConv2D(channels // 2, 1, "B", groups)
        self.mix = MaskedConv2D(channels // 2, kernel_size, "B", groups)
        self.expand = MaskedConv2D(channels, 1, "B", groups)

    def call(self, h, bias=None):
        u = self.mix(tf.nn.relu(self.reduce(tf.nn.relu(h))))
        return h + self.expand(tf.nn.relu(u if bias is None else u + bias))


class PixelCNN(PixelModel):
    """log p(x) = sum over pixels i and channels c of log p(x_{i,c} | x_{<i}, x_{i,<c}): red, then green given red, then
    blue given both.

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel; 2 gives Bernoulli pixels, more give Categorical ones.
        channels: features between residual blocks, 2h in the paper (even).
        blocks: number of residual blocks.
        kernel_size: of the first convolution, with mask A (odd).
        block_kernel_size: of the blocks' convolutions, with mask B (odd).
        head_channels: features of the first of the two 1x1 convolutions that end in the logits.
        classes: number of class labels to condition on, each with a bias of its own in every block; None:
            unconditional.

    Raises:
        ValueError: if `shape` is not an image's, a number is too small, `channels` is odd, a kernel size is even or
            below 3, or an image channel gets no feature.
    """

    paper = Paper(("van den Oord", "Kalchbrenner", "Kavukcuoglu"),
                  "Pixel Recurrent Neural Networks", 2016, "arXiv:1601.06759")

    def __init__(self, shape=(28, 28, 1), levels=2, channels=32, blocks=15, kernel_size=7, block_kernel_size=3,
                 head_channels=32, classes=None, **kwargs):
        super().__init__(**kwargs)
        if levels < 2 or blocks < 1 or (classes is not None and classes < 1):
            raise ValueError(f"levels must be at least 2, blocks and classes at least 1, found {levels}, {blocks} and "
                             f"{classes}.")
        if channels < 2 or channels % 2:
            raise ValueError(f"channels must be even and at least 2, found {channels}.")
        if min(kernel_size, block_kernel_size) < 3:
            raise ValueError(f"kernel_size and block_kernel_size must be at least 3, found {kernel_size} and "
                             f"{block_kernel_size}.")
        self.shape, self.levels, self.channels, self.blocks = image_shape(shape), levels, channels, blocks
        self.kernel_size, self.block_kernel_size, self.head_channels = kernel_size, block_kernel_size, head_channels
        self.classes = classes
        colours = self.shape[-1]
        self.first = MaskedConv2D(channels, kernel_size, "A", colours)
        self.stack = [ResidualBlock(channels, block_kernel_size, colours) for _ in range(blocks)]
        self.head = [MaskedConv2D(n, 1, "B", colours)
                     for n in (head_channels, colours * (1 if levels == 2 else levels))]
        self.class_bias = self.add_weight((classes, blocks * (channels // 2)), "random_normal",
                                          name="class_bias") if classes else None
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, channels=self.channels, blocks=self.blocks,
                    kernel_size=self.kernel_size, block_kernel_size=self.block_kernel_size,
                    head_channels=self.head_channels, classes=self.classes)

    def parameters(self, x, condition=None, seed=None):
        """Returns the logits of every p(x_{i,c} | x_{<i}, x_{i,<c}): `pixels` says their shape."""
        h = self.first(pixels.centre(x, self.levels))
        biases = self._class_biases(condition)  # [batch, blocks * h], or None
        for block, bias in zip(self.stack, self._per_block(biases)):
            h = block(h, None if bias is None else bias[:, None, None])
        for layer in self.head:
            h = layer(tf.nn.relu(h))
        return self._per_pixel(tf.cast(h, tf.float32))

    @tf.function(reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws a diagonal of pixels a step (`raster`); computed in float32 whatever the dtype policy."""
        first = self.first.matrices()
        blocks = [[layer.matrices() for layer in (block.reduce, block.mix, block.expand)] for block in self.stack]
        head = [layer.matrices() for layer in self.head]
        memories = [raster.Memory(self.first.offsets, 1, self.shape[-1]),
                    raster.Memory(self.stack[0].mix.offsets, self.blocks, self.channels // 2)]

        def dense(h, layer):
            return tf.nn.bias_add(tf.matmul(h, layer[0]), layer[1])

        def column(neighbours, pixel, biases):
            h, features = dense(tf.concat([neighbours[0][0], pixel], -1), first), []
            for (reduce, mix, expand), seen, bias in zip(blocks, neighbours[1], self._per_block(biases)):
                features.append(tf.nn.relu(dense(tf.nn.relu(h), reduce)))
                u = dense(tf.concat([seen, features[-1]], -1), mix)
                h += dense(tf.nn.relu(u if bias is None else u + bias), expand)
            for layer in head:
                h = dense(tf.nn.relu(h), layer)
            return self._per_pixel(h), [features]

        return raster.generate(column, memories, self.shape, self.levels, noise, self._class_biases(condition), x,
                               known)

    def _class_biases(self, condition):
        """Returns what the class adds in the blocks, [batch, blocks * h], or None."""
        self.domain.require(condition)
        # The factor makes the gradient dense, as clipping and all-reducing want it; `gather` refuses a label that there
        # isn't.
        return tf.gather(1.0 * tf.convert_to_tensor(self.class_bias), condition) if self.classes else None

    def _per_block(self, biases):
        return [None] * self.blocks if biases is None else tf.split(biases, self.blocks, axis=-1)
