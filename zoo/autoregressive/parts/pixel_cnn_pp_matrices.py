"""The matrices with which PixelCNN++ is drawn from: those of a row of the vertical stream, of what the horizontal one
reads from above, and of a pixel of it.

Rows are [1, width, batch, features]: a kernel's columns are those of an image as wide as the batch.
"""

import tensorflow as tf

from zoo.layers.shifted_convolution import concat_elu


def product(pieces, kernel, strides=1):
    """Convolves rows [1, width, batch, n] side by side along the width by a kernel [columns, 1, sum of n, outputs].

    One column is the row's own, two are the one before and its own, three reach one to both sides.
    """
    left = min(1, kernel.shape[0] - 1)
    padding = [[0, 0], [left, max(0, kernel.shape[0] - 2)], [0, 0], [0, 0]]
    return tf.nn.conv2d(tf.concat(pieces, -1), kernel, [strides, 1], padding)


def beside(kernels, joined):
    """Joins kernels [columns, inputs, outputs], and those that read a column itself, to one for `product`."""
    columns = kernels[0].shape[0]
    joined = [tf.pad(k[None], [[min(1, columns - 1), max(0, columns - 2)], [0, 0], [0, 0]]) for k in joined]
    return tf.concat([*kernels, *joined], 1)[:, None]


def interleave(even, odd):
    """Makes one row of two of half its width."""
    width, outputs = 2 * even.shape[1], even.shape[-1]
    return tf.reshape(tf.stack([even, odd], 2), [1, width, -1, outputs])


def matrix(kernel):
    """Reshapes [..., outputs] to [inputs, outputs]."""
    return tf.reshape(kernel, [-1, kernel.shape[-1]])


def transposed(kernel, inputs):
    """Returns a matrix [inputs, columns * outputs] for each row of a transposed kernel: one product for all columns."""
    return [tf.reshape(tf.transpose(row, [1, 0, 2]), [inputs, -1]) for row in tf.unstack(kernel)]


def gate(x, y):
    """Adds a gated residual to x: x + a * sigmoid(b), y = [a, b]."""
    a, b = tf.split(y, 2, axis=-1)
    return x + a * tf.sigmoid(b)


class Block:
    """A gated residual block's matrices: for rows of the vertical stream, or for what the horizontal one reads above
    (`contexts`) and at a pixel."""

    def __init__(self, layer, bias, batch):
        kernels = layer.first.kernel(), layer.second.kernel()
        first, second = layer.first.bias + 0.0, layer.second.bias + 0.0
        joined = []
        if layer.join is not None:
            kernel = matrix(layer.join.kernel())
            joined = tf.split(kernel, kernel.shape[0] // (2 * kernel.shape[1]))  # of each of those that are joined
            first += layer.join.bias
        self.biases = [tf.broadcast_to(first, [batch, first.shape[0]]),
                       (tf.zeros([batch, 1]) if bias is None else bias) + second]
        above, here = [k[0] for k in kernels], [k[1] for k in kernels]
        if layer.first.direction == "down":
            self.row_kernels = [beside([above[0], here[0]], joined), beside([above[1], here[1]], [])]
        else:
            self.above = [beside([above[0]], joined[:1]), beside([above[1]], [])]
            self.here = [tf.concat([matrix(here[0]), *joined[1:]], 0), matrix(here[1])]

    def row(self, u, s, recall):
        """Computes the vertical stream's next row; s: a list of rows that are joined; `recall` swaps a layer's input
        for that of the row above."""
        e = concat_elu(u)
        e = concat_elu(product([recall(e), e, *map(concat_elu, s)], self.row_kernels[0]) + self.biases[0])
        return gate(u, product([recall(e), e], self.row_kernels[1]) + self.biases[1])

    def contexts(self, before, u):
        """Computes what a row of the horizontal stream gets from above (`before` iterates over what the row above
        remembers) and from the vertical one."""
        return [product([next(before), concat_elu(u)], self.above[0]), product([next(before)], self.above[1])]

    def pixel(self, v, e, skip, left, context, features):
        """Computes the horizontal stream at one pixel; e = concat_elu(v); skip: concat_elu of the skip connection, in a
        list, or nothing."""
        h = tf.matmul(tf.concat([next(left), e, *skip], -1), self.here[0]) + next(context)
        features += [e, concat_elu(h)]
        return gate(v, tf.matmul(tf.concat([next(left), features[-1]], -1), self.here[1]) + next(context))


class Scale:
    """One scale's matrices and biases, and the sizes of what its two streams remember of a row and of a pixel."""

    def __init__(self, layer, colours, condition, batch):
        biases = layer.biases(condition)
        self.up, self.down = ([Block(b, next(biases), batch) for b in blocks] for blocks in (layer.up, layer.down))
        between = []
        if layer.inner is not None:
            between = [layer.channels]
            u, v = layer.reduce
            self.reduce_u, self.reduce_bias = beside(tf.unstack(u.kernel()), []), u.bias + 0.0
            self.reduce_above, self.reduce_here = beside([v.kernel()[0]], []), matrix(v.kernel()[1])
            self.reduce_context_bias = tf.broadcast_to(v.bias + 0.0, [batch, layer.channels])
            self.expand_u, self.expand_v = (transposed(t.kernel(), layer.channels) for t in layer.expand)
            self.expand_bias, bias = (t.bias + 0.0 for t in layer.expand)
            self.expand_context_bias = tf.broadcast_to(bias, [batch, layer.channels])
            self.expand_here_bias = tf.tile(bias, [2])
        # two for each block of one stream
        ups, downs = ([2 * layer.channels] * len(blocks) for blocks in (self.up, self.down))
        pixel = [colours + 1] if colours else []
        # What convolutions read, and what the streams end in: the coarser scales' features, scale 0's levels.
        self.of_row = pixel + ups + between + downs + ([] if colours else [layer.channels])
        self.of_pixel = pixel + ups + between + downs + [colours or layer.channels]
