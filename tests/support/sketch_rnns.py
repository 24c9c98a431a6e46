"""What the tests of the two Sketch-RNNs share: tiny models in which the steps depend on one another, and sketches."""

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.autoregressive.sketch_rnn_unconditional import UnconditionalSketchRNN
from zoo.latent.sketch_rnn import SketchRNN
from zoo.serving.fields import random_strokes

T = 6
MODELS = {"with codes": SketchRNN, "alone": UnconditionalSketchRNN}


def make(cls=SketchRNN, **arguments):
    """A tiny model in which the steps depend on one another, and scales are near 1."""
    keras.utils.set_random_seed(7)
    tiny = (
        dict(latent_size=2, encoder_units=4, decoder_units=6, components=2)
        if cls is SketchRNN
        else dict(units=6, components=2)
    )
    model = cls(**dict(shape=(T, 5), dropout=0.0) | tiny | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(size=weight.shape, scale=0.5))
    model.decoder.outputs.bias.assign(rng.normal(size=model.decoder.outputs.bias.shape, scale=0.3))
    return model


def sketches(num, seed=0):
    return tf.constant(random_strokes(np.random.default_rng(seed), (num, T, 5)))


def seeds(num):
    return random.rows(random.seed(3), num)
