"""Drawing from PixelSNAIL a pixel a step, what the layers read of the earlier ones being remembered.

What a row's convolutions read of the row above is one product for the whole row, when it begins; what they read of the
pixel to the left is one for all layers. The attention's keys and values are remembered as in `zoo.layers.attention`. A
step is as slow as its many small operations: what can be done to the matrices is done to them, once.
"""

import math

import numpy as np
import tensorflow as tf

from zoo.autoregressive.parts import raster
from zoo.distributions import pixels
from zoo.layers import attention
from zoo.layers.shifted_convolution import concat_elu


def generate(model, noise, x=None, known=None):
    """Draws images [batch, *model.shape] from `model.noise`'s draws; where `known` (bool [batch, height, width]), x's
    pixels stand."""
    height, width, _ = model.shape
    sampler = _Sampler(model, noise, x, known)
    sizes = [(model.keys, model.values)] * model.blocks
    drawn = attention.remembering(sampler.step, sampler.start(), height * width, sampler.batch, sizes, near=width,
                                  begin=sampler.begin_row)[1]
    return tf.reshape(tf.transpose(drawn.stack(), [1, 0, 2]), [-1, *model.shape])


class _Sampler:
    """The network at one pixel of each image, and its loop's state: the last pixels as they are read, the pixels drawn,
    what each layer read in this row (a step's, [layers, batch, 2 channels]), and what comes of the row above and of the
    pixel to the left."""

    def __init__(self, model, noise, x, known):
        height, width, _ = model.shape
        self.model, self.batch, self.ring = model, tf.shape(noise)[0], width + 1
        self.layers, self.features = 2 * model.residuals * model.blocks, 2 * model.channels
        self.places, self.noise = tf.reshape(model.places, [height * width, 1, -1]), raster.by_pixel(noise)
        self.given = None if known is None else (raster.by_pixel(x), raster.by_pixel(known[..., None]))
        self.first, self.head = model.first.matrices(), _matrix(model.head)
        kernels, biases = zip(*(found for block in model.stack for layer in block.residuals
                                for found in (_mirrored(layer.first), _matrix(layer.second))))
        # of the pixels up left, above, left and here
        kernels = tf.reshape(tf.stack(kernels), [self.layers, 4, self.features, self.features])
        self.here, self.left = tf.unstack(kernels[:, 3]), kernels[:, 2]
        self.above = tf.concat([kernels[:, 0], kernels[:, 1]], -1)
        self.biases = tf.stack(biases)[:, None]
        self.blocks = [(_matrix(b.query, model.keys**-0.5), _matrix(b.remember), _mirrored(b.join.first),
                        _mirrored(b.join.join), _matrix(b.join.second)) for b in model.stack]
        self.table = tf.constant(_table(height, width, model.first.offsets, self.ring))

    def start(self):
        """Makes the state before the first pixel: zeros for whatever lies outside of the image."""
        height, width, colours = self.model.shape
        image = tf.TensorArray(tf.float32, self.ring + 1, clear_after_read=False, element_shape=[None, colours + 3])
        image = image.write(self.ring, tf.zeros([self.batch, colours + 3]))  # the last entry is for those outside
        drawn = tf.TensorArray(self.model.domain.dtype, height * width, element_shape=[None, colours])
        nothing = tf.zeros([width, self.layers, self.batch, self.features])
        row = tf.TensorArray(tf.float32, width, clear_after_read=False,
                             element_shape=[self.layers, None, self.features]).unstack(nothing)
        return image, drawn, row, nothing, nothing[0]

    def begin_row(self, state):
        """Computes what the layers read of the row above, for the whole row: [width, layers, batch, 2 channels]."""
        image, drawn, row, _, _ = state
        width = self.model.shape[1]
        seen = tf.reshape(tf.transpose(row.stack(), [1, 0, 2, 3]), [self.layers, -1, self.features])
        products = tf.reshape(tf.matmul(seen, self.above), [self.layers, width, -1, 2 * self.features])
        corner, over = tf.split(products, 2, -1)
        over += tf.pad(corner[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]])
        over = tf.transpose(over, [1, 0, 2, 3]) + self.biases
        return image, drawn, row, over, tf.zeros([self.layers, self.batch, self.features])

    def step(self, p, state, memory):
        """Draws pixel p of each image; `memory` holds the attention's keys and values."""
        image, drawn, row, over, left = state
        colours, width = self.model.shape[-1], self.model.shape[1]
        place = tf.broadcast_to(self.places[p], [self.batch, 3])
        around = tf.concat(tf.unstack(image.gather(self.table[p]), num=len(self.model.first.offsets)), -1)
        h = _affine(tf.concat([around, tf.zeros([self.batch, colours + 3])], -1), self.first)
        h, seen, hidden = self._features(h, place, over[p % width] + left, memory)
        pixel = self.model.from_noise(_affine(tf.nn.elu(h), self.head), self.noise[p])
        if self.given is not None:
            x, known = self.given
            pixel = tf.where(known[p], x[p], pixel)
        centred = pixels.centre(pixel, self.model.levels)
        for number, (block, h) in enumerate(zip(self.blocks, hidden)):
            k, v = tf.split(_affine(tf.concat([centred, place, h], -1), block[1])[:, None],
                            [self.model.keys, self.model.values], -1)
            memory.write(number, k, v)
        image = image.write(p % self.ring, tf.concat([centred, place], -1))
        return image, drawn.write(p, pixel), row.write(p % width, seen), over, tf.matmul(seen, self.left)

    def _features(self, h, place, others, memory):
        """Runs the blocks at one pixel, given what each layer reads of the pixels around it, [layers, batch, 2
        channels].

        Returns:
            The last features [batch, channels]; what each layer read here, [layers, batch, 2 channels]; and the
            features with which each block's attention began.
        """
        layers, seen, hidden = iter(zip(self.here, tf.unstack(others, num=self.layers))), [], []

        def convolved(read):
            kernel, of_others = next(layers)
            seen.append(read)
            return tf.matmul(read, kernel) + of_others

        for number, (query, _, enter, join, leave) in enumerate(self.blocks):
            for _ in range(self.model.residuals):
                h = _gate(h, convolved(tf.nn.elu(convolved(concat_elu(h)))))
            hidden.append(h)
            found = memory.read(number, _affine(tf.concat([place, h], -1), query)[:, None])[:, 0]
            u = _affine(concat_elu(h), enter) + _affine(concat_elu(found), join)
            h = _gate(h, _affine(tf.nn.elu(u), leave))
        return h, tf.stack(seen), hidden


def _table(height, width, offsets, ring):
    """Returns the ring's entry for each pixel's neighbours, int32 [pixels, len(offsets)]; those outside have the last
    one."""
    row, column = np.mgrid[:height, :width].reshape(2, -1, 1) + np.array(offsets).T[:, None]
    inside = (row >= 0) & (column >= 0) & (column < width)
    return np.where(inside, (row * width + column) % ring, ring).astype(np.int32)


def _matrix(layer, scale=1.0):
    """Returns a convolution at one pixel, times `scale`: the kernel [pixels seen * inputs, outputs], in raster order,
    and the bias."""
    kernel = layer.kernel()
    matrix = tf.reshape(kernel, [math.prod(kernel.shape[:-1]), kernel.shape[-1]])
    return scale * matrix, scale * tf.convert_to_tensor(layer.bias)


def _mirrored(layer):
    """Returns the same with outputs u and -u side by side, of which `concat_elu` takes the elu."""
    kernel, bias = _matrix(layer)
    return tf.concat([kernel, -kernel], -1), tf.concat([bias, -bias], -1)


def _affine(x, layer):
    return tf.nn.bias_add(tf.matmul(x, layer[0]), layer[1])


def _gate(h, u):
    a, b = tf.split(u, 2, axis=-1)
    return h + a * tf.sigmoid(b)
