"""One tiny instance of every model, and input for it: what the contract and capability tests run over."""

import keras
import numpy as np
import tensorflow as tf

import zoo

CASES = {  # model -> arguments, all different from the defaults
    "vae": dict(shape=(4, 4, 1), levels=3, latent_size=2, network="conv", hidden=(4, 6), activation="relu"),
    "pixel_cnn": dict(shape=(3, 4, 3), levels=4, channels=8, blocks=2, kernel_size=5, block_kernel_size=5, head_channels=9, classes=2),
    "real_nvp": dict(shape=(2, 3, 1), levels=4, couplings=3, hidden=(5,), activation="tanh", alpha=0.1),
    "gan": dict(shape=(2, 2, 1), bounded=True, latent_size=3, generator_hidden=(4,), discriminator_hidden=(5, 3), activation="tanh", objective="minimax"),
    "ddpm": dict(shape=(4, 4, 1), levels=3, timesteps=8, schedule="cosine", variance="beta_tilde", channels=4, multipliers=(2,), blocks=1, attention=(4,)),
}


def make(name, **arguments):
    """Makes the tiny instance of a model, with reproducible weights."""
    keras.utils.set_random_seed(1)
    return zoo.create(name, **(CASES[name] | arguments))


def batch(model, num, seed=0):
    """Random examples (with a condition where the model has one) from a model's domain, [num, *shape]."""
    domain, rng = model.domain, np.random.default_rng(seed)
    if domain.dtype == tf.int32 or domain.kind == "binary":
        x = rng.integers(0, domain.levels, (num, *domain.shape))
    elif domain.range:
        x = rng.uniform(*domain.range, (num, *domain.shape))
    else:
        x = rng.normal(size=(num, *domain.shape))
    x = tf.constant(x, domain.dtype)
    if domain.features:
        return x, tf.constant(rng.normal(size=(num, *domain.features)), tf.float32)
    return (x, tf.constant(rng.integers(0, domain.classes, num), tf.int32)) if domain.classes else x
