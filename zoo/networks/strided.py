"""Convolutional encoders and decoders of maps: stride-2 convolutions and residual blocks, between an image and a grid
that is 2^n times smaller.

A. van den Oord, O. Vinyals, K. Kavukcuoglu, Neural Discrete Representation Learning, 2017, arXiv:1711.00937, section
4.1.
"""

import keras


class Residual(keras.layers.Layer):
    """h + W_1 relu(W_3 relu(h)): a 3x3 convolution to `hidden` channels and a 1x1 one back to `channels`."""

    def __init__(self, channels, hidden, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Conv2D(hidden, 3, padding="same")
        self.second = keras.layers.Conv2D(channels, 1)

    def call(self, h):
        return h + self.second(keras.activations.relu(self.first(keras.activations.relu(h))))


def encoder(channels, halvings, residuals, residual_channels, name="encoder"):
    """Maps [B, H, W, n] -> [B, H / 2^halvings, W / 2^halvings, channels]."""
    down = [keras.layers.Conv2D(channels, 4, 2, "same", activation="relu") for _ in range(halvings)]
    blocks = [Residual(channels, residual_channels) for _ in range(residuals)]
    return keras.Sequential([*down, keras.layers.Conv2D(channels, 3, padding="same"), *blocks,
                             keras.layers.Activation("relu")], name=name)


def decoder(outputs, channels, halvings, residuals, residual_channels, name="decoder"):
    """Returns the mirror of `encoder`: [B, H, W, n] -> [B, H 2^halvings, W 2^halvings, outputs]."""
    blocks = [Residual(channels, residual_channels) for _ in range(residuals)]
    up = [keras.layers.Conv2DTranspose(channels, 4, 2, "same", activation="relu") for _ in range(halvings - 1)]
    return keras.Sequential([keras.layers.Conv2D(channels, 3, padding="same"), *blocks, keras.layers.Activation("relu"),
                             *up,
                             keras.layers.Conv2DTranspose(outputs, 4, 2, "same")], name=name)


def grid(shape, halvings):
    """Returns the sides of the grid of an image (height, width, channels). Raises ValueError where they are no whole
    numbers."""
    if halvings < 1:
        raise ValueError(f"halvings must be at least 1, found {halvings}.")
    by = 2**halvings
    if shape[0] % by or shape[1] % by:
        raise ValueError(f"an image's sides must be multiples of {by}, since they are halved {halvings} times; found "
                         f"{shape[0]} x {shape[1]}.")
    return shape[0] // by, shape[1] // by
