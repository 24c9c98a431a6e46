"""Dense layers that obey degrees: a unit of degree t may read the units of degree s <= t, and no other.

With degrees that change from step to step a full kernel is masked. With fixed ones, units are sorted by degree, so that
what is open is a
staircase, and only its rectangles are stored and multiplied: half of the weights, of the products and of the
optimizer's work. M. Germain, K. Gregor, I. Murray, H. Larochelle, MADE: Masked autoencoder for distribution estimation,
2015, arXiv:1502.03509.
"""

import math

import keras
import numpy as np
import tensorflow as tf


class MaskedDense(keras.layers.Layer):
    """y_t = b_t + sum over s of [sources_s <= targets_t] W_st x_s, for degrees that come with each call.

    Args:
        units: number of outputs.
        use_bias: whether there is a b.
    """

    def __init__(self, units, use_bias=True, **kwargs):
        super().__init__(**kwargs)
        self.units, self.use_bias = units, use_bias

    def build(self, input_shape, *_):
        self.kernel = self.add_weight((input_shape[-1], self.units), "glorot_uniform", name="kernel")
        self.bias = self.add_weight((self.units,), "zeros", name="bias") if self.use_bias else None

    def call(self, x, sources, targets):
        kernel = tf.convert_to_tensor(self.kernel)
        y = tf.matmul(x, tf.where(sources[:, None] <= targets, kernel, tf.zeros([], kernel.dtype)))
        return tf.nn.bias_add(y, tf.convert_to_tensor(self.bias)) if self.use_bias else y

    def matrix(self):
        """Returns W, float32 [sources, targets], with what a mask may close."""
        return tf.convert_to_tensor(self.kernel)


class StaircaseDense(keras.layers.Layer):
    """y_t = b_t + sum over s of [sources_s <= targets_t] W_st x_s, for degrees that never change.

    The longer side is cut into blocks. What a block's first and last unit both may reach (or be reached by) is one
    product without a mask, the steps between are a small masked one.

    Args:
        sources, targets: degrees of inputs and outputs, ascending.
        use_bias: whether there is a b.
        blocks: number of blocks, 0: one for each 64 units of the shorter side, at most 8.

    Raises:
        ValueError: if degrees are not sorted, or no source reaches any target.
    """

    def __init__(self, sources, targets, use_bias=True, blocks=0, **kwargs):
        super().__init__(**kwargs)
        sources, targets = np.asarray(sources), np.asarray(targets)
        if np.any(np.diff(sources) < 0) or np.any(np.diff(targets) < 0) or sources[0] > targets[-1]:
            raise ValueError("sources and targets must be ascending, and the first source reach the last target.")
        self.units, self.use_bias = len(targets), use_bias
        self.open = sources[:, None] <= targets
        self.by_target = len(targets) > len(sources)
        blocks = blocks or min(8, max(1, min(self.open.shape) // 64))
        # Edges along the longer side; along the other, from where on (or up to where) the block's units reach all, and
        # any.
        self.edges = np.linspace(0, max(self.open.shape), blocks + 1).astype(int)
        reach = self.open.sum(0) if self.by_target else self.units - self.open.sum(1)
        self.first = [int(reach[a]) for a in self.edges[:-1]]
        self.last = [int(reach[b - 1]) for b in self.edges[1:]]

    def build(self, input_shape):
        limit = math.sqrt(6.0 / sum(self.open.shape))  # Glorot's, as if all were open
        self.kernels = []  # of every block: (masked, full), either None where it is empty
        for a, b, first, last in zip(self.edges, self.edges[1:], self.first, self.last):
            full = (first, b - a) if self.by_target else (b - a, self.units - last)
            partial = (last - first, b - a) if self.by_target else (b - a, last - first)
            self.kernels.append([self.add_weight(shape, keras.initializers.RandomUniform(-limit, limit), name=name)
                                 if min(shape) else None
                                 for name, shape in (("masked", partial), ("full", full))])
        self.bias = self.add_weight((self.units,), "zeros", name="bias") if self.use_bias else None

    def _masks(self):
        for a, b, first, last in zip(self.edges, self.edges[1:], self.first, self.last):
            yield self.open[first:last, a:b] if self.by_target else self.open[a:b, first:last]

    def _tensors(self):
        """Returns (masked, full) of every block, the closed entries zero."""
        for (masked, full), mask in zip(self.kernels, self._masks()):
            masked = None if masked is None else tf.convert_to_tensor(masked)
            yield (
                (None if masked is None else masked * tf.constant(mask, masked.dtype)),
                (None if full is None else tf.convert_to_tensor(full)),
            )

    def call(self, x):
        y = self._from_blocks(x) if self.by_target else self._to_blocks(x)
        return tf.nn.bias_add(y, tf.convert_to_tensor(self.bias)) if self.use_bias else y

    def _from_blocks(self, x):
        """Blocks of outputs, each of which reads the first inputs."""
        columns = []
        for (masked, full), a, b, first, last in zip(self._tensors(), self.edges, self.edges[1:], self.first,
                                                     self.last):
            parts = [tf.matmul(x[:, :first], full)] if full is not None else []
            parts += [tf.matmul(x[:, first:last], masked)] if masked is not None else []
            columns.append(tf.add_n(parts) if parts else tf.zeros([tf.shape(x)[0], b - a], x.dtype))
        return tf.concat(columns, -1)

    def _to_blocks(self, x):
        """Blocks of inputs, each of which is read by the last outputs: the gradient of the inputs, the longer side, is
        a mere concatenation."""
        rows = []
        for (masked, full), x, first in zip(self._tensors(), tf.split(x, np.diff(self.edges), axis=-1), self.first):
            parts = [tf.matmul(x, kernel) for kernel in (masked, full) if kernel is not None]
            if parts:
                rows.append(tf.pad(tf.concat(parts, -1), [[0, 0], [first, 0]]))
        return tf.add_n(rows)

    def matrix(self):
        """Returns W, float32 [sources, targets], zero where it is closed."""
        blocks = []
        for (masked, full), a, b, first, last in zip(self._tensors(), self.edges, self.edges[1:], self.first,
                                                     self.last):
            present = [kernel for kernel in ((full, masked) if self.by_target else (masked, full))
                       if kernel is not None]
            shape, before = ([len(self.open), b - a], 0) if self.by_target else ([b - a, self.units], first)
            if not present:
                blocks.append(tf.zeros(shape))
                continue
            kernel = tf.concat(present, 0 if self.by_target else 1)
            after = shape[0] - kernel.shape[0] if self.by_target else 0
            blocks.append(tf.pad(kernel, [[0, after], [before, 0]]))
        return tf.concat(blocks, 1 if self.by_target else 0)
