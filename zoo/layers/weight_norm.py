"""Weight normalisation: a kernel's length and direction are learned apart.

T. Salimans, D. P. Kingma, Weight Normalization: A Simple Reparameterization to Accelerate Training of Deep Neural
Networks, 2016, arXiv:1602.07868.
"""

import keras
import tensorflow as tf


class WeightNormalized(keras.layers.Layer):
    """A layer whose kernel is K = g V / |V|, with one length g for each of its outputs (the last axis), and a bias b.

    NOTE: g starts at `gain` and b at zero in place of the paper's data-dependent start, which needs a first batch.

    Args:
        gain: the kernel's length for each output at the start.
    """

    def __init__(self, gain=1.0, **kwargs):
        super().__init__(**kwargs)
        self.gain = gain

    def add_kernel(self, shape):
        # Kept out of automatic casting: lengths are taken in float32.
        self.direction_weight = self.add_weight(shape=shape, initializer=keras.initializers.RandomNormal(0.0, 0.05),
                                                autocast=False, name="v")
        self.length = self.add_weight(shape=shape[-1:], initializer=keras.initializers.Constant(self.gain),
                                      autocast=False, name="g")
        self.bias = self.add_weight(shape=shape[-1:], initializer="zeros", autocast=False, name="bias")

    def kernel(self):
        """Computes g V / |V|, float32."""
        v = tf.convert_to_tensor(self.direction_weight)
        return tf.math.l2_normalize(v, axis=list(range(v.shape.rank - 1)),
                                    epsilon=1e-12) * tf.convert_to_tensor(self.length)
