"""What the tests of models with latents share: every binary image of 2x2, and tiny models with weights that are not
those of the start."""

import itertools

import keras
import tensorflow as tf

from zoo import random
from zoo.training.game import losses_and_gradients

IMAGES = tf.reshape(tf.constant(list(itertools.product(range(2), repeat=4)), tf.float32), [-1, 2, 2, 1])


def perturbed(cls, arguments, stddev=0.3):
    """A model whose weights are reproducible and all different from zero."""
    keras.utils.set_random_seed(2)
    model = cls(**arguments)
    for number, weight in enumerate(model.weights):
        weight.assign_add(tf.random.stateless_normal(weight.shape, [3, number], stddev=stddev))
    return model


def trained(model, x, steps):
    """Takes steps of Adam on one batch; returns the losses."""
    optimizer = keras.optimizers.Adam(1e-2)

    @tf.function
    def step(number):
        terms, gradients = losses_and_gradients(model.players()[0], x, random.fold_in(random.seed(0), number), number)
        optimizer.apply(gradients, model.trainable_weights)
        return tf.reduce_mean(tf.add_n(list(terms.values())))

    return [float(step(tf.constant(number))) for number in range(steps)]
