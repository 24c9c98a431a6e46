"""Shifted convolution: causal without a mask, by padding the image so that a small kernel ends at the pixel itself.

A kernel shifted down sees the rows up to its own, left and right alike; shifted down and right also no column after its
own. Two streams of them, the first a row behind the second, see all earlier pixels and no other. Strides halve a
stream's image and transposed kernels double it again. T. Salimans, A. Karpathy, X. Chen, D. P. Kingma, PixelCNN++,
2017, arXiv:1701.05517, section 2.3.
"""

import keras
import tensorflow as tf

from zoo.layers.dropout import dropout
from zoo.layers.weight_norm import WeightNormalized

DIRECTIONS = ("down", "down_right")


def concat_elu(x):
    """Computes elu of x and of -x side by side, [..., C] -> [..., 2 C]."""
    return tf.nn.elu(tf.concat([x, -x], -1))


def down_shift(x):
    """y[i, j] = x[i - 1, j], zero in the first row."""
    return tf.pad(x[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]])


def right_shift(x):
    """y[i, j] = x[i, j - 1], zero in the first column."""
    return tf.pad(x[:, :, :-1], [[0, 0], [0, 0], [1, 0], [0, 0]])


def _check(kernel_size, direction):
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {DIRECTIONS}, found {direction!r}.")
    if min(kernel_size) < 1 or (direction == "down" and kernel_size[1] % 2 == 0):
        raise ValueError("kernel_size must be positive, and its columns odd where the kernel is shifted down only; "
                         f"found {tuple(kernel_size)}.")


class ShiftedConv2D(WeightNormalized):
    """y[i, j] = b + sum_{u,v} K[u, v] x[s i + u - (rows - 1), s j + v - left], zero outside of the image.

    left is (columns - 1) / 2 for the direction `down`, columns - 1 for `down_right`. Weight-normalised.

    Args:
        filters: number of output features.
        kernel_size: (rows, columns) of K.
        direction: `down` or `down_right`.
        strides: s, by which the image's size is divided (it must divide it).
        gain: the kernel's length at the start.

    Raises:
        ValueError: if the direction is unknown, or an even number of columns has no middle.
    """

    def __init__(self, filters, kernel_size, direction="down", strides=1, gain=1.0, **kwargs):
        super().__init__(gain, **kwargs)
        _check(kernel_size, direction)
        self.filters, self.kernel_size, self.direction, self.strides = filters, tuple(kernel_size), direction, strides

    def build(self, input_shape):
        self.add_kernel((*self.kernel_size, input_shape[-1], self.filters))

    def call(self, x):
        rows, columns = self.kernel_size
        right = (columns - 1) // 2 if self.direction == "down" else 0
        padding = [[0, 0], [rows - 1, 0], [columns - 1 - right, right], [0, 0]] if max(rows, columns) > 1 else "VALID"
        y = tf.nn.conv2d(x, tf.cast(self.kernel(), x.dtype), self.strides, padding)
        return tf.nn.bias_add(y, tf.cast(tf.convert_to_tensor(self.bias), x.dtype))


class ShiftedConv2DTranspose(WeightNormalized):
    """y[i, j] = b + sum of K[u, v] x[I, J] over all u < 2, v, I, J with i = 2 I + u, j = 2 J + v - left: [B, H, W, C]
    -> [B, 2 H, 2 W, filters].

    left is (columns - 1) / 2 for the direction `down`, 0 for `down_right`: no output sees a pixel after the one it lies
    in. Weight-normalised.

    Args:
        filters: number of output features.
        columns: of the kernel, which has two rows: 3 for `down`, 2 for `down_right`.
        direction: `down` or `down_right`.

    Raises:
        ValueError: if the direction is unknown, or the columns are not as many.
    """

    def __init__(self, filters, columns, direction="down", gain=1.0, **kwargs):
        super().__init__(gain, **kwargs)
        _check((2, columns), direction)
        if columns != (3 if direction == "down" else 2):
            raise ValueError(f"columns must be 3 for 'down' and 2 for 'down_right', found {columns} for {direction!r}.")
        self.filters, self.columns, self.direction = filters, columns, direction

    def build(self, input_shape):
        self.add_kernel((2, self.columns, input_shape[-1], self.filters))

    def call(self, x):
        batch, height, width = tf.unstack(tf.shape(x))[:3]
        kernel = tf.transpose(tf.cast(self.kernel(), x.dtype), [0, 1, 3, 2])
        y = tf.nn.conv2d_transpose(x, kernel, [batch, 2 * height, 2 * width + self.columns - 2, self.filters], 2,
                                   "VALID")
        y = y[:, :, 1:] if self.direction == "down" else y
        y.set_shape([x.shape[0], *[n and 2 * n for n in x.shape[1:3]], self.filters])
        return tf.nn.bias_add(y, tf.cast(tf.convert_to_tensor(self.bias), x.dtype))


class GatedResidual(keras.layers.Layer):
    """x + a * sigmoid(b) with (a, b) = W_2 * drop(E(W_1 * E(x) + N E(s))) + h, E = concat_elu: s comes from another
    stream or a skip connection.

    Args:
        filters: features of x, kept.
        kernel_size, direction: of the two shifted convolutions W_1 and W_2.
        rate: of the dropout.
        joined: whether there is an s.
    """

    def __init__(self, filters, kernel_size, direction, rate=0.0, joined=False, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.first = ShiftedConv2D(filters, kernel_size, direction)
        # near the identity at the start, as in the paper
        self.second = ShiftedConv2D(2 * filters, kernel_size, direction, gain=0.1)
        self.join = ShiftedConv2D(filters, (1, 1)) if joined else None

    def call(self, x, s=None, bias=None, seed=None):
        """Computes the layer; `s`: a list of what N reads side by side; bias: h, [B, 1, 1, 2 filters]; seed: of the
        dropout, None for none."""
        h = self.first(concat_elu(x))
        if self.join is not None:
            h += self.join(tf.concat([concat_elu(t) for t in s], -1))
        h = self.second(dropout(concat_elu(h), self.rate, seed))
        a, b = tf.split(h if bias is None else h + bias, 2, axis=-1)
        return x + a * tf.sigmoid(b)
