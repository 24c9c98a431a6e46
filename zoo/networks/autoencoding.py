"""Encoder trunks and decoders, dense and convolutional.

A trunk maps images [batch, height, width, channels] to features [batch, n]; a decoder maps codes [batch, n] to one
vector of parameters per pixel, [batch, height, width, channels, parameters].
"""

import math

import keras
import tensorflow as tf


def trunk(network, hidden, activation):
    """Returns the encoder `dense` or `conv`, up to its features. Raises ValueError for another name."""
    _require(network)
    return (dense_trunk if network == "dense" else conv_trunk)(hidden, activation)


def decoder(network, shape, parameters, hidden, activation):
    """Returns the decoder that mirrors `trunk`. Raises ValueError for another name."""
    _require(network)
    return (dense_decoder if network == "dense" else conv_decoder)(shape, parameters, hidden, activation)


def _require(network):
    if network not in ("dense", "conv"):
        raise ValueError(f"network must be 'dense' or 'conv', found {network!r}.")


def dense_trunk(hidden, activation):
    """Flattens, then a dense layer for each width in `hidden`."""
    return keras.Sequential([keras.layers.Flatten()] + [keras.layers.Dense(n, activation) for n in hidden],
                            name="trunk")


def conv_trunk(channels, activation):
    """Makes a 3x3 convolution of stride 2 for each entry of `channels`, then flattened."""
    layers = [keras.layers.Conv2D(n, 3, 2, "same", activation=activation) for n in channels]
    return keras.Sequential([*layers, keras.layers.Flatten()], name="trunk")


def dense_decoder(shape, parameters, hidden, activation):
    """Makes a dense layer for each width in `hidden`, in reverse, then one for the image."""
    layers = [keras.layers.Dense(n, activation) for n in reversed(hidden)]
    return keras.Sequential([*layers, keras.layers.Dense(math.prod(shape) * parameters),
                             keras.layers.Reshape((*shape, parameters))], name="decoder")


def conv_decoder(shape, parameters, channels, activation):
    """Returns the mirror of `conv_trunk`: a dense layer to the coarsest grid, then transposed convolutions, cropped to
    the image."""
    height, width, depth = shape
    rows, columns = (math.ceil(n / 2 ** len(channels)) for n in (height, width))
    up = [keras.layers.Conv2DTranspose(n, 3, 2, "same", activation=activation) for n in reversed(channels[:-1])]
    return keras.Sequential([
        keras.layers.Dense(rows * columns * channels[-1], activation),
        keras.layers.Reshape((rows, columns, channels[-1])),
        *up,
        keras.layers.Conv2DTranspose(depth * parameters, 3, 2, "same"),
        keras.layers.Cropping2D(((0, rows * 2 ** len(channels) - height), (0, columns * 2 ** len(channels) - width))),
        keras.layers.Reshape((height, width, depth, parameters)),
    ], name="decoder")


def float32(x):
    """Casts a network's output, which mixed precision leaves in 16 bits, to what a likelihood needs."""
    return tf.cast(x, tf.float32)
