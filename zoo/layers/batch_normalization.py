"""Batch normalisation whose running moments follow a loss: a pass in training notes their next values, assigning none.

S. Ioffe, C. Szegedy, Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift,
2015, arXiv:1502.03167. Keras's own layer assigns its moments while a loss is computed, which whoever computes a loss
for another reason, skips an update or has replicas would have to know.
"""

import keras
import tensorflow as tf

from zoo.layers.following import follow


@keras.saving.register_keras_serializable("zoo")
class BatchNormalization(keras.layers.Layer):
    """scale (x - mean) / sqrt(variance + epsilon) + shift, of features [B, C] or images [B, H, W, C], by channel.

    Moments are over all but the channel. With `training` the moments are those of the batch, and the gradient knows of
    it; the running ones, from zero and one on M <- momentum M + (1 - momentum) m, follow them (`zoo.layers.following`):
    the player whose loss calls the layer has `followed()` in its `follows`. If a loss calls it twice, m is the mean of
    both batches'. Without `training` the running moments are used, and a row says nothing of another. A bias of the
    layer before is of no use, since the mean takes it off again.

    NOTE: the moments of a batch are of a replica's own part of it, and the running ones follow the mean of the
    replicas' moments; with few examples a replica that variance is below the whole batch's, by the variance of the
    replicas' means.

    Args:
        momentum: of the running moments, in [0, 1).
        epsilon: what is added to a variance, above 0.

    Raises:
        ValueError: if a number is out of its range.
    """

    def __init__(self, momentum=0.99, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= momentum < 1.0 or epsilon <= 0.0:
            raise ValueError(f"momentum must be in [0, 1) and epsilon above 0, found {momentum} and {epsilon}.")
        self.momentum, self.epsilon = momentum, epsilon

    def get_config(self):
        return super().get_config() | dict(momentum=self.momentum, epsilon=self.epsilon)

    def build(self, input_shape):
        def weight(initializer, name, trainable=True):
            own = dict(dtype="float32", autocast=False, trainable=trainable, name=name)
            return self.add_weight(input_shape[-1:], initializer, **own)

        self.scale, self.shift = weight("ones", "scale"), weight("zeros", "shift")
        self.mean, self.variance = weight("zeros", "mean", False), weight("ones", "variance", False)

    def call(self, x, training=False):
        y = tf.cast(x, tf.float32)
        if training:
            y, *found = self._of_batch(y)
            for running, own in zip(self.moments(), found):
                follow(running, self.momentum * tf.convert_to_tensor(running) + (1.0 - self.momentum) * own)
        else:
            y = self._normalized(y, *map(tf.convert_to_tensor, self.moments()))
        return tf.cast(y, self.compute_dtype)

    def followed(self):
        """Returns what a player follows whose loss calls the layer (`zoo.layers.following.of`)."""
        return self.moments()

    def moments(self):
        """Returns the running mean and variance: weights that follow."""
        return [self.mean, self.variance]

    def _of_batch(self, y):
        """Returns (the layer's values by the moments of y, those moments)."""
        if y.shape.rank != 4:
            mean, variance = tf.nn.moments(y, list(range(y.shape.rank - 1)))
            return self._normalized(y, mean, variance), mean, variance
        # One kernel, with one for its gradient: 64 images of 16x16x64 take less than half the time on a core.
        # Its variance is the unbiased one.
        scale, shift = map(tf.convert_to_tensor, (self.scale, self.shift))
        values, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=y, scale=scale, offset=shift, mean=[], variance=[], epsilon=self.epsilon)
        places = tf.cast(tf.reduce_prod(tf.shape(y)[:3]), tf.float32)
        return values, mean, variance * (places - 1.0) / places

    def _normalized(self, y, mean, variance):
        scale, shift = map(tf.convert_to_tensor, (self.scale, self.shift))
        return (y - mean) * (scale * tf.math.rsqrt(variance + self.epsilon)) + shift
