"""One tiny instance of every model, and input for it: what the contract and capability tests run over."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.density.parts.fitted import FittedModel
from zoo.serving.fields import random_strokes

TRAINED = sorted(name for name, cls in zoo.MODELS.items() if not issubclass(cls, FittedModel))
# For what an engine or `fit` does alike for all models: a few at once, the others with the slow tests.
GENERIC = [name if name in ("vae", "made", "gan", "vq_vae") else pytest.param(name, marks=pytest.mark.slow)
           for name in TRAINED]

CASES = {  # model -> arguments, all different from the defaults
    "histogram": dict(shape=(2, 1), bins=(3, 4), margin=0.5, smoothing=0.5),
    "kernel_density": dict(shape=(2, 2, 1), levels=3, num_points=5, kernel="epanechnikov", bandwidth=4.0),
    "gaussian_mixture": dict(shape=(2, 2, 1), levels=3, components=3, covariance="full", regularization=0.01),
    "bernoulli_mixture": dict(shape=(2, 3, 1), components=3, smoothing=0.5),
    "fvsbn": dict(shape=(2, 3, 1), order=(4, 1, 5, 0, 3, 2)),
    "nade": dict(shape=(2, 3, 1), hidden=7, activation="relu", order=(4, 1, 5, 0, 3, 2)),
    "eonade": dict(shape=(2, 3, 1), hidden=(7, 5), orders=1),
    "rnade": dict(shape=(4,), hidden=5, components=3, kind="logistic", activation="sigmoid", order=(2, 0, 3, 1)),
    "made": dict(shape=(4,), hidden=(9, 7), direct=True, order=(2, 0, 3, 1), components=2),
    "autoencoder": dict(shape=(4, 4, 1), levels=3, latent_size=3, network="conv", hidden=(4, 6), activation="tanh",
                        code_activation="tanh", distortion="categorical"),
    "denoising_autoencoder": dict(shape=(4, 3, 1), levels=3, latent_size=5, network="conv", hidden=(4,),
                                  activation="tanh", code_activation="tanh", distortion="discretized_logistic",
                                  corruption="salt_and_pepper", level=0.4),
    "vae": dict(shape=(4, 4, 1), levels=3, latent_size=2, network="conv", hidden=(4, 6), activation="relu",
                likelihood="gaussian", prior="vamp", components=3, warmup_steps=4, free_bits=0.01),
    "beta_vae": dict(shape=(4, 3, 1), levels=3, latent_size=2, network="conv", hidden=(4,), activation="tanh",
                     likelihood="discretized_logistic", beta=2.0, warmup_steps=5),
    "beta_tcvae": dict(shape=(4, 3, 1), levels=3, latent_size=3, network="conv", hidden=(4,), activation="tanh",
                       likelihood="categorical", beta=2.0, num_examples=100, warmup_steps=5),
    "conditional_vae": dict(shape=(4, 3, 1), levels=3, latent_size=2, hidden=(5,), activation="tanh", quadrants=2),
    "iwae": dict(shape=(4, 3, 1), levels=3, latent_sizes=(3, 2), hidden=(5, 4), activation="relu",
                 likelihood="categorical", k=3, estimator="dreg", backward_draws=2, early_k=2, early_steps=3),
    "dlgm": dict(shape=(4, 3, 1), levels=3, latent_sizes=(3, 2), hidden=5, activation="tanh", likelihood="categorical",
                 posterior="full", warmup_steps=3),
    "ladder_vae": dict(shape=(4, 3, 1), levels=3, latent_sizes=(3, 2), hidden=(6, 5), activation="tanh",
                       likelihood="categorical", warmup_steps=3),
    "very_deep_vae": dict(shape=(5, 3, 2), levels=4, width=6, bottleneck=3, latent_channels=2, rates=(2, 3),
                          encoder_blocks=(1, 2, 1), decoder_blocks=(2, 1, 1), likelihood="discretized_logistic_mixture",
                          components=2),
    "vq_vae": dict(shape=(4, 6, 1), levels=3, codebook_size=5, embedding_size=3, channels=6, halvings=1, residuals=1,
                   residual_channels=4, beta=0.5, decay=0.9,
                   revival=0.1, likelihood="discretized_logistic", prior="image_gpt", prior_channels=8, prior_blocks=1,
                   autoencoder_steps=2),
    "vq_vae_2": dict(shape=(8, 8, 1), levels=3, codebook_size=5, embedding_size=3, channels=6, halvings=1, residuals=1,
                     residual_channels=4, beta=0.5, decay=0.9,
                     revival=0.1, likelihood="categorical", prior_channels=6, prior_blocks=1, autoencoder_steps=2,
                     classes=2),
    "row_lstm": dict(shape=(3, 4, 2), levels=3, channels=8, blocks=2, kernel_size=5, head_channels=9),
    "diagonal_bilstm": dict(shape=(3, 3, 2), levels=3, channels=8, blocks=2, kernel_size=5, head_channels=9),
    "pixel_cnn": dict(shape=(3, 4, 3), levels=4, channels=8, blocks=2, kernel_size=5, block_kernel_size=5,
                      head_channels=9, classes=2),
    "gated_pixel_cnn": dict(shape=(3, 4, 3), levels=4, channels=6, blocks=2, kernel_size=5, block_kernel_size=5,
                            head_channels=9, features=(3,)),
    "pixel_cnn_pp": dict(shape=(4, 4, 3), levels=4, channels=4, blocks=1, resolutions=2, components=2, dropout=0.5,
                         classes=2),
    "pixel_snail": dict(shape=(2, 3, 3), levels=5, channels=6, blocks=2, residuals=1, keys=3, values=5, components=2,
                        dropout=0.1),
    "image_gpt": dict(shape=(2, 2, 3), levels=4, width=8, heads=1, layers=2, dropout=0.1),
    "wavenet": dict(shape=(18,), levels=6, channels=4, layers=3, cycles=2, skip_channels=6, head_channels=7, classes=2),
    "gpt": dict(shape=(5,), levels=4, width=8, heads=2, layers=2, dropout=0.1),
    "sketch_rnn": dict(shape=(6, 5), latent_size=2, encoder_units=3, decoder_units=5, components=2, kl_weight=0.7,
                       kl_min=0.1, eta_min=0.1, annealing=0.9, dropout=0.2, classes=2),
    "sketch_rnn_unconditional": dict(shape=(6, 5), units=5, components=2, dropout=0.2),
    "grammar_vae": dict(shape=(6,), grammar="S -> 'a' S T | 'b' | ''\nT -> S 'c' | 'd'", latent_size=2, filters=(3, 4),
                        kernels=(3, 2), dense=5, hidden=4, layers=2, finish=False, beta=0.5, warmup_steps=4),
    "character_vae": dict(shape=(5,), levels=4, end=3, latent_size=2, filters=(3, 4), kernels=(3, 2), dense=5, hidden=4,
                          layers=2, beta=0.5, warmup_steps=4),
    "real_nvp": dict(shape=(2, 3, 1), levels=4, couplings=3, hidden=(5,), activation="tanh", alpha=0.1),
    "gan": dict(shape=(2, 2, 1), bounded=True, latent_size=3, generator_hidden=(4,), discriminator_hidden=(5, 3),
                activation="tanh", objective="minimax"),
    "ddpm": dict(shape=(4, 4, 1), levels=3, timesteps=8, schedule="cosine", variance="beta_tilde", channels=4,
                 multipliers=(2,), blocks=1, attention=(4,)),
}


def slow_but(values, *fast):
    """Parameters of a test, of which `make test` takes those named: the others say the same of more cases, and are slow
    together."""
    assert set(fast) <= set(values)
    return [value if value in fast else pytest.param(value, marks=pytest.mark.slow) for value in values]


def make(name, **arguments):
    """Makes the tiny instance of a model, with reproducible weights."""
    keras.utils.set_random_seed(1)
    return zoo.create(name, **(CASES[name] | arguments))


shared = functools.cache(make)  # for tests that leave a model as it is


def batch(model, num, seed=0):
    """A random batch of a model's domain, as `domain.batch_spec(num)` says."""
    domain, rng = model.domain, np.random.default_rng(seed)
    if hasattr(model, "derivations"):  # other tokens are no example of a grammar
        x = model.derivations.draw(tf.zeros([num, *domain.shape, domain.levels]),
                                   tf.constant(rng.uniform(size=(num, *domain.shape)), tf.float32))
        x = tf.constant(x, domain.dtype)
    else:
        x = _values(domain, num, rng)
    if domain.group:
        x = tf.stack([_values(domain, num, rng) for _ in range(domain.group)], 1)
    condition = None
    if domain.conditional:
        condition = tf.nest.map_structure(lambda part: _condition(domain, part, x, rng), domain.condition)
    return domain.join(x, condition, _values(domain.partner, num, rng) if domain.partner else None)


def _condition(domain, part, x, rng):
    if part.kind == "known":
        return tf.where(tf.constant(part.mask)[..., None], tf.cast(x, tf.float32), -1.0)
    if domain.group and part.kind != "class":
        return tf.stack([_values(part, x.shape[0], rng) for _ in range(domain.group)], 1)
    return _values(part, x.shape[0], rng)


def _values(domain, num, rng):
    if domain.dtype == tf.int32 or domain.kind == "binary":
        x = rng.integers(0, domain.levels, (num, *domain.shape))
    elif domain.kind == "strokes":
        x = random_strokes(rng, (num, *domain.shape))
    elif domain.range:
        x = rng.uniform(*domain.range, (num, *domain.shape))
    else:
        x = rng.normal(size=(num, *domain.shape))
    return tf.constant(x, domain.dtype)
