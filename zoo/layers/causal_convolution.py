"""Causal convolution in time with holes: an output sees its own time and one time `dilation` steps before it.

Time is the first dimension, [T, B, C]: shifting by some steps is then one copy of contiguous memory, and both taps are
plain matrix products, on a CPU as fast as the library's dilated convolution or faster. A. van den Oord et al., WaveNet:
A Generative Model for Raw Audio, 2016, arXiv:1609.03499, section 2.1.
"""

import keras
import tensorflow as tf


class CausalConv1D(keras.layers.Layer):
    """y_t = b + W_0 x_{t - dilation} + W_1 x_t over [T, B, C], zero before the beginning.

    Args:
        filters: number of output features.
        dilation: in steps.

    Raises:
        ValueError: if `filters` or `dilation` is less than 1; in a call, if `dilation` is not less than T.
    """

    def __init__(self, filters, dilation, **kwargs):
        super().__init__(**kwargs)
        if filters < 1 or dilation < 1:
            raise ValueError(f"filters and dilation must be at least 1, found {filters} and {dilation}.")
        self.filters, self.dilation = filters, dilation

    def build(self, input_shape):
        # Both taps are one kernel, so that its initial scale counts both.
        self.kernel = self.add_weight(shape=(2 * input_shape[-1], self.filters), initializer="glorot_uniform",
                                      name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, x):
        if x.shape[0] is not None and x.shape[0] <= self.dilation:
            raise ValueError(f"a dilation of {self.dilation} needs more than as many steps, found {x.shape[0]}.")
        past, now, bias = self.matrices()
        before = tf.pad(tf.tensordot(x[:-self.dilation], past, 1), [[self.dilation, 0], [0, 0], [0, 0]])
        return tf.nn.bias_add(tf.tensordot(x, now, 1), bias) + before

    def matrices(self):
        """Returns (W_0, W_1, b), [C, filters], [C, filters] and [filters]."""
        kernel = tf.convert_to_tensor(self.kernel)
        past, now = tf.split(kernel, 2)
        return past, now, tf.convert_to_tensor(self.bias)
