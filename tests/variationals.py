"""What the tests of models with latents share: every binary image of 2x2, and tiny models with weights that are not those of the start."""

import itertools

import keras
import tensorflow as tf

IMAGES = tf.reshape(tf.constant(list(itertools.product(range(2), repeat=4)), tf.float32), [-1, 2, 2, 1])


def perturbed(cls, arguments, stddev=0.3):
    """A model whose weights are reproducible and all different from zero."""
    keras.utils.set_random_seed(2)
    model = cls(**arguments)
    for number, weight in enumerate(model.weights):
        weight.assign_add(tf.random.stateless_normal(weight.shape, [3, number], stddev=stddev))
    return model
