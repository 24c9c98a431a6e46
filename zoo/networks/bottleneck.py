"""Bottleneck blocks without normalisation: narrow, two convolutions, wide again, each after a GELU, and started small
where many of them add up.

K. He, X. Zhang, S. Ren, J. Sun, Identity Mappings in Deep Residual Networks, 2016, arXiv:1603.05027; in the shape that
R. Child, 2020, arXiv:2011.10650, figure 3, gave it.
"""

import keras
import tensorflow as tf


def convolution(outputs, size, scale=1.0, **kwargs):
    """Makes a convolution whose kernel starts uniform with variance scale^2 / fan_in, and whose bias starts at zero."""
    # NOTE: the published code has a third of that variance, at which what four convolutions and GELUs let through of a
    # small network is next to nothing.
    return keras.layers.Conv2D(outputs, size, padding="same",
                               kernel_initializer=keras.initializers.VarianceScaling(scale**2, "fan_in", "uniform"),
                               **kwargs)


class Bottleneck(keras.layers.Layer):
    """w_4(gelu(w_3(gelu(w_2(gelu(w_1(gelu(x)))))))) with w_1 and w_4 1x1 convolutions: what a residual block adds to x.

    Args:
        outputs: features of the result.
        middle: features between.
        size: of the kernels of w_2 and w_3: 3, or 1 where a grid is so small that a 3x3 kernel sees mostly its padding.
        scale: by which the usual initial weights of w_4 are multiplied; with 1/sqrt(N) the sum of N blocks starts with
            the variance of one.
    """

    def __init__(self, outputs, middle, size=3, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [convolution(middle, 1), convolution(middle, size), convolution(middle, size),
                             convolution(outputs, 1, scale)]

    def build(self, input_shape):
        for layer in self.convolutions:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def call(self, x):
        for layer in self.convolutions:
            x = layer(tf.nn.gelu(x))
        return x
