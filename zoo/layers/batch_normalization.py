"""Batch normalisation whose running moments are weights that a player of their own moves.

S. Ioffe, C. Szegedy, Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift, 2015, arXiv:1502.03167. The moving averages
are gradient descent, M <- M - (1 - decay) (M - m) on half the squared distance to a batch's moments, as those of a codebook are: Keras's own layer assigns them
while a loss is computed, which whoever computes a loss for another reason, skips an update or has replicas would have to know.
"""

import keras
import tensorflow as tf

_DECAY = 0.99  # of the moving averages
_EPSILON = 1e-3


class NormalizedDense(keras.layers.Layer):
    """activation(scale (y - mean) / sqrt(variance + 0.001) + shift), y = W x: by the running moments of y, or by a batch's. [rows, n] to [rows, units].

    NOTE: while training the moments are of a replica's own part of the batch.

    Args:
        units: width. activation: a name of Keras's.
    """

    def __init__(self, units, activation, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(units, use_bias=False)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.dense.build(input_shape)
        weight = lambda initializer, name: self.add_weight((self.units,), initializer, dtype="float32", autocast=False, name=name)
        self.scale, self.shift = weight("ones", "scale"), weight("zeros", "shift")
        self.mean, self.variance = weight("zeros", "mean"), weight("ones", "variance")

    def call(self, x):
        """By the running moments: a row says nothing of another."""
        return self._normalized(tf.cast(self.dense(x), tf.float32), tf.convert_to_tensor(self.mean), tf.convert_to_tensor(self.variance))

    def of_batch(self, x, gaps):
        """By the moments of the batch that x is, which the gradient knows of; the distance of the running ones to them, a scalar, is appended to the list `gaps`."""
        y = tf.cast(self.dense(x), tf.float32)
        mean, variance = tf.nn.moments(y, [0])
        gaps.append(sum(0.5 * tf.reduce_sum((running - tf.stop_gradient(own)) ** 2) for running, own in zip(self.moments(), (mean, variance))))
        return self._normalized(y, mean, variance)

    def moments(self):
        """The weights that are moved by `optimizer` on the sum of the gaps, and by nothing else."""
        return [self.mean, self.variance]

    def _normalized(self, y, mean, variance):
        factor = tf.convert_to_tensor(self.scale) * tf.math.rsqrt(variance + _EPSILON)
        return self.activation((y - mean) * factor + tf.convert_to_tensor(self.shift))


def optimizer():
    """The one by whose steps running moments are moving averages."""
    return keras.optimizers.SGD(1.0 - _DECAY)
