"""Gates of a causal network: convolutions that give several pre-activations to each feature, and the gated unit tanh(a)
* sigmoid(b).

Features belong to the image's channels in groups (`masked_convolution`), and so does each of their gates: the mask is
repeated for every gate. A. van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016,
arXiv:1606.05328, sections 2.1 and 2.2.
"""

import keras
import numpy as np
import tensorflow as tf

from zoo.layers.masked_convolution import causal_mask


def gated(z):
    """Computes tanh(a) * sigmoid(b) of z = [a, b], features last: [..., 2 n] -> [..., n]."""
    a, b = tf.split(z, 2, axis=-1)
    return tf.tanh(a) * tf.sigmoid(b)


def dense(x, layer):
    """Computes x W + b of layer = (W, b), for x [N, inputs]."""
    return tf.nn.bias_add(tf.matmul(x, layer[0]), layer[1])


def windows(x, size):
    """Returns the `size` (odd) columns around each column side by side, zeros outside: [batch, width, n] -> [batch,
    width, size
    * n]."""
    half = size // 2
    padded = tf.pad(x, [[0, 0], [half, half], [0, 0]])
    return tf.concat([padded[:, v:v + x.shape[1]] for v in range(size)], -1)


class HorizontalConv(keras.layers.Layer):
    """y_k[i, j] = b_k + sum over v <= 0 of (mask * W_k)[v] x[i, j + v] for each gate k.

    A pixel sees those to its left in its row, and of itself what the mask lets through.

    Args:
        filters: features of each gate.
        kernel_size: odd; the half to the left is stored.
        kind: mask `A` or `B`.
        groups: channels of the image, to which the features belong.
        gates: pre-activations to each feature; they lie one after the other, [gate 1's features, gate 2's, ...].

    Raises:
        ValueError: if the kernel size is even, or there are fewer features than groups.
    """

    def __init__(self, filters, kernel_size, kind, groups=1, gates=1, **kwargs):
        super().__init__(**kwargs)
        if kernel_size % 2 == 0 or kernel_size < 1:
            raise ValueError(f"kernel_size must be odd, found {kernel_size}.")
        if filters < groups:
            raise ValueError(f"each of the {groups} channels needs a feature of its own, found {filters} filters.")
        self.filters, self.kernel_size, self.kind, self.groups, self.gates = filters, kernel_size, kind, groups, gates

    def build(self, input_shape):
        half = self.kernel_size // 2
        mask = causal_mask(self.kernel_size, self.kind, self.groups, input_shape[-1], self.filters)[-1:, :half + 1]
        if self.kind == "A" and self.groups == 1 and half:
            mask = mask[:, :half]  # nothing of the own pixel is seen
        self.mask = np.concatenate([mask] * self.gates, -1)  # [1, half + 1, inputs, gates * filters]
        self.kernel = self.add_weight(shape=self.mask.shape, initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=self.mask.shape[-1:], initializer="zeros", name="bias")

    def masked_kernel(self):
        kernel = tf.convert_to_tensor(self.kernel)
        return kernel if self.mask.all() else kernel * tf.cast(self.mask, kernel.dtype)

    def call(self, x):
        half, padding = self.kernel_size // 2, "VALID"
        if self.mask.shape[1] == half:
            x = tf.pad(x[:, :, :-1], [[0, 0], [0, 0], [half, 0], [0, 0]])
        elif half:
            padding = [[0, 0], [0, 0], [half, 0], [0, 0]]
        return tf.nn.bias_add(tf.nn.conv2d(x, self.masked_kernel(), 1, padding), tf.convert_to_tensor(self.bias))

    def matrices(self):
        """Returns the layer at one pixel: kernel [(half + 1) * inputs, gates * filters], for the features from left to
        right, its own last, and bias."""
        kernel = self.masked_kernel()
        own = tf.zeros([1, self.kernel_size // 2 + 1 - kernel.shape[1], *kernel.shape[2:]])
        return tf.reshape(tf.concat([kernel, own], 1), [-1, kernel.shape[-1]]), tf.convert_to_tensor(self.bias)


class VerticalConv(keras.layers.Layer):
    """y[i, j] = b + sum over u <= 0 and all v of W[u, v] x[i + u, j + v]; with `shift`, of x[i - 1 + u, j + v]: without
    its own row. No mask.

    Args:
        filters: number of output features.
        kernel_size: of a full kernel (odd), whose upper half and middle row are stored.
        shift: whether the own row is hidden.
    """

    def __init__(self, filters, kernel_size, shift=False, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.shift = filters, kernel_size, shift

    def build(self, input_shape):
        shape = (self.kernel_size // 2 + 1, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, x):
        half = self.kernel_size // 2
        padding = [[0, 0], [half, 0], [half, half], [0, 0]]
        if self.shift:
            x, padding = tf.pad(x[:, :-1], [[0, 0], [half + 1, 0], [half, half], [0, 0]]), "VALID"
        return tf.nn.bias_add(tf.nn.conv2d(x, tf.convert_to_tensor(self.kernel), 1, padding),
                              tf.convert_to_tensor(self.bias))

    def row(self, rows):
        """Computes y of one row, of the half + 1 rows that it reads: [batch, half + 1, width, inputs] -> [batch, width,
        filters]."""
        half = self.kernel_size // 2
        y = tf.nn.conv2d(rows, tf.convert_to_tensor(self.kernel), 1, [[0, 0], [0, 0], [half, half], [0, 0]])
        return tf.nn.bias_add(y, tf.convert_to_tensor(self.bias))[:, 0]
