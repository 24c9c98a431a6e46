"""A small time-conditioned U-Net: residual blocks on a few grids, each half as fine as the last, with skips between
equal grids.

O. Ronneberger et al., U-Net, 2015, arXiv:1505.04597, in the shape that J. Ho, A. Jain, P. Abbeel, Denoising Diffusion
Probabilistic Models, 2020, arXiv:2006.11239, appendix B, gave it: group norm, silu, sinusoidal time, self-attention on
coarse grids.
NOTE: no dropout (the paper's is for CIFAR-10 only), and the bottom has attention only if its grid is asked for.
"""

import keras
import tensorflow as tf

from zoo.layers.timestep import TimeEmbedding


def _small():
    # NOTE: the paper's code starts the last layer of every branch at zero, so that blocks begin as identities. A tenth
    # of the usual size comes close, and does not keep the first gradients from everything before it.
    return keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform")


def _norm(channels):
    """Makes a group norm over four channels at a time: the paper's 32 groups of 128 channels."""
    return keras.layers.GroupNormalization(channels // 4, epsilon=1e-5)


class ResidualBlock(keras.layers.Layer):
    """x + conv(silu(norm(conv(silu(norm(x))) + dense(embedding)))), with a 1x1 convolution on x where the channels
    change."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def build(self, x_shape, embedding_shape):
        self.norm_in, self.norm_out = _norm(x_shape[-1]), _norm(self.channels)
        self.conv_in = keras.layers.Conv2D(self.channels, 3, padding="same")
        self.conv_out = keras.layers.Conv2D(self.channels, 3, padding="same", kernel_initializer=_small())
        self.time = keras.layers.Dense(self.channels)
        self.skip = keras.layers.Conv2D(self.channels, 1) if x_shape[-1] != self.channels else None

    def call(self, x, embedding):
        h = self.conv_in(tf.nn.silu(self.norm_in(x)))
        h = self.norm_out(h + self.time(embedding)[:, None, None])
        return (x if self.skip is None else self.skip(x)) + self.conv_out(tf.nn.silu(h))


class SelfAttention(keras.layers.Layer):
    """x + dense(softmax(q k^T / sqrt(channels)) v), (q, k, v) = dense(norm(x)), one head over all positions of the
    grid."""

    def build(self, shape):
        channels = shape[-1]
        self.norm = _norm(channels)
        # No bias: a key's bias would shift all logits of a row alike, and do nothing.
        self.qkv = keras.layers.Dense(3 * channels, use_bias=False)
        self.out = keras.layers.Dense(channels, kernel_initializer=_small())

    def call(self, x):
        _, height, width, channels = x.shape
        qkv = tf.reshape(self.qkv(self.norm(x)), [-1, height * width, 3 * channels])  # [B, HW, 3C]
        q, k, v = tf.split(qkv, 3, -1)
        weights = tf.nn.softmax(tf.matmul(q * channels**-0.5, k, transpose_b=True))  # [B, HW, HW]
        return x + self.out(tf.reshape(tf.matmul(weights, v), [-1, height, width, channels]))


class UNet(keras.layers.Layer):
    """f(x, time): [batch, height, width, channels], [batch] -> [batch, height, width, out_channels].

    Args:
        out_channels: of the output.
        channels: of the finest grid, a multiple of 4.
        multipliers: channels of each grid, finest first, in units of `channels`; each grid is half as fine as the one
            before, rounded up.
        blocks: residual blocks per grid on the way down; one more on the way up.
        attention: heights of the grids whose blocks are followed by self-attention.
    """

    def __init__(self, out_channels, channels=32, multipliers=(1, 2), blocks=1, attention=(), **kwargs):
        super().__init__(autocast=False, **kwargs)  # the layers cast for themselves; `time` must not lose its bits
        self.out_channels, self.channels, self.multipliers = out_channels, channels, tuple(multipliers)
        self.blocks, self.attention = blocks, tuple(attention)

    def build(self, x_shape, time_shape):
        heights = grids(x_shape[1], len(self.multipliers))
        widths = [self.channels * m for m in self.multipliers]

        def stage(width, height, num):
            return [(ResidualBlock(width), SelfAttention() if height in self.attention else None) for _ in range(num)]

        def conv(width, **kwargs):
            return keras.layers.Conv2D(width, 3, padding="same", **kwargs)

        self.time = TimeEmbedding(self.channels)
        self.conv_in = conv(self.channels)
        self.down = [stage(w, h, self.blocks) for w, h in zip(widths, heights)]
        self.shrink = [conv(w, strides=2) for w in widths[:-1]]
        self.middle = stage(widths[-1], heights[-1], 1) + [(ResidualBlock(widths[-1]), None)]
        self.up = [stage(w, h, self.blocks + 1) for w, h in zip(widths[::-1], heights[::-1])]
        self.grow = [conv(w) for w in widths[:0:-1]]
        self.norm_out = _norm(self.channels * self.multipliers[0])
        self.conv_out = conv(self.out_channels, kernel_initializer=_small())

    def call(self, x, time):
        embedding = self.time(time)

        def apply(stage, h):
            for block, attention in stage:
                h = block(h, embedding)
                h = h if attention is None else attention(h)
            return h

        h = self.conv_in(x)
        skips = [h]
        for level, stage in enumerate(self.down):
            if level:
                h = self.shrink[level - 1](h)
                skips.append(h)
            for pair in stage:
                h = apply([pair], h)
                skips.append(h)
        h = apply(self.middle, h)
        for level, stage in enumerate(self.up):
            if level:
                height, width = skips[-1].shape[1:3]
                # an odd grid was rounded up on the way down
                h = tf.repeat(tf.repeat(h, 2, 1), 2, 2)[:, :height, :width]
                h = self.grow[level - 1](h)
            for pair in stage:
                h = apply([pair], tf.concat([h, skips.pop()], -1))
        return self.conv_out(tf.nn.silu(self.norm_out(h)))


def grids(size, num):
    """Returns the sizes of `num` grids, each half of the one before, rounded up."""
    sizes = [size]
    for _ in range(num - 1):
        sizes.append((sizes[-1] + 1) // 2)
    return sizes
