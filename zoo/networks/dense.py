"""Dense networks between flat vectors and examples of any shape."""

import math

import keras


def to_example(shape, hidden, activation, output_activation=None, name=None):
    """Makes a dense layer for each width in `hidden`, then one for the example: [B, n] -> [B, *shape]."""
    layers = [keras.layers.Dense(n, activation) for n in hidden]
    return keras.Sequential([*layers, keras.layers.Dense(math.prod(shape), output_activation),
                             keras.layers.Reshape(shape)], name=name)


def from_example(outputs, hidden, activation, name=None):
    """Flattens, then a dense layer for each width in `hidden`, then one of `outputs` units: [B, *shape] -> [B,
    outputs]."""
    layers = [keras.layers.Dense(n, activation) for n in hidden]
    return keras.Sequential([keras.layers.Flatten(), *layers, keras.layers.Dense(outputs)], name=name)
