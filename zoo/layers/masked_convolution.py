"""Masked convolution: a pixel's output sees only the pixels before it in raster order, and of its own pixel only the
earlier channels.

Features belong to the image's channels in equal, contiguous groups. Mask A (the first layer) lets group g see the
groups before g of its own pixel, mask B (all other layers) also g itself: red sees no colour, green sees red, blue sees
both. A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759, section
3.4.
"""

import keras
import numpy as np
import tensorflow as tf


def causal_mask(kernel_size, kind, groups, inputs, outputs):
    """Returns the mask of a causal kernel's upper half, float32 [kernel_size // 2 + 1, kernel_size, inputs, outputs];
    the rows below are all closed."""
    half = kernel_size // 2
    mask = np.ones((half + 1, kernel_size, inputs, outputs), np.float32)
    mask[half, half + 1:] = 0.0
    # the image channel that each feature belongs to
    source, target = (np.arange(n) * groups // n for n in (inputs, outputs))
    mask[half, half] = source[:, None] < target if kind == "A" else source[:, None] <= target
    return mask


class MaskedConv2D(keras.layers.Layer):
    """y[i, j] = b + sum over (u, v) at or before (i, j) of (mask * W)[u, v] x[i + u, j + v], of the input's size, zero
    outside of the image.

    Only the kernel's rows that the mask can open are stored: half of a full kernel's weights and work.

    Args:
        filters: number of output features.
        kernel_size: odd.
        kind: mask `A` or `B`.
        groups: channels of the image, to which the features belong.

    Raises:
        ValueError: if the kernel size is even, the mask neither, or there are fewer features than groups.
    """

    def __init__(self, filters, kernel_size, kind, groups=1, **kwargs):
        super().__init__(**kwargs)
        if kernel_size % 2 == 0 or kernel_size < 1:
            raise ValueError(f"kernel_size must be odd, found {kernel_size}.")
        if kind not in ("A", "B"):
            raise ValueError(f"kind must be 'A' or 'B', found {kind!r}.")
        if filters < groups:
            raise ValueError(f"each of the {groups} channels needs a feature of its own, found {filters} filters.")
        self.filters, self.kernel_size, self.kind, self.groups = filters, kernel_size, kind, groups

    def build(self, input_shape):
        self.mask = causal_mask(self.kernel_size, self.kind, self.groups, input_shape[-1], self.filters)
        self.kernel = self.add_weight(shape=self.mask.shape, initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def masked_kernel(self):
        kernel = tf.convert_to_tensor(self.kernel)
        return kernel if self.mask.all() else kernel * tf.cast(self.mask, kernel.dtype)

    def call(self, x):
        half = self.kernel_size // 2
        padding = [[0, 0], [half, 0], [half, half], [0, 0]] if half else "VALID"
        return tf.nn.bias_add(tf.nn.conv2d(x, self.masked_kernel(), 1, padding), tf.convert_to_tensor(self.bias))

    @property
    def offsets(self):
        """(row, column) offsets of the earlier pixels that are seen, in raster order: T of them."""
        half = self.kernel_size // 2
        square = [(u, v) for u in range(-half, 1) for v in range(-half, half + 1)]
        return square[:square.index((0, 0))]

    def matrices(self):
        """Returns the layer at one pixel: kernel [(T + 1) * inputs, filters], for the earlier pixels' features, then
        its own, and bias."""
        flat = tf.reshape(self.masked_kernel(), [-1, *self.kernel.shape[2:]])[:len(self.offsets) + 1]
        return tf.reshape(flat, [-1, self.filters]), tf.convert_to_tensor(self.bias)
