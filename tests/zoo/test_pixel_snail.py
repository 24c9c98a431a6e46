"""PixelSNAIL: probabilities that sum to one, no look-ahead and no blind spot, and a cached sampler that equals the
naive one."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from tests.support import cases
from zoo import random
from zoo.autoregressive.pixel_snail import PixelSNAIL
from zoo.layers import attention

KINDS = {
    "binary": dict(shape=(4, 5, 1)),
    "levels": dict(shape=(3, 4, 1), levels=5),
    "rgb": dict(shape=(3, 3, 3), levels=7, residuals=1, blocks=3),
    "one_row": dict(shape=(1, 6, 1)),
    "one_column": dict(shape=(5, 1, 1)),
}


def make(**arguments):
    """A tiny model in which the pixels depend on one another."""
    keras.utils.set_random_seed(7)
    model = PixelSNAIL(**dict(channels=6, blocks=2, residuals=2, keys=3, values=5, components=2) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(size=weight.shape, scale=0.3))
    return model


def some(model, num, seed=0):
    return tf.constant(np.random.default_rng(seed).integers(0, model.levels, (num, *model.shape)), model.domain.dtype)


@pytest.mark.parametrize("shape, levels", [((3, 3, 1), 2), ((2, 2, 1), 3), ((1, 2, 3), 3)])
def test_probabilities_of_all_images_sum_to_one(shape, levels):
    model = make(shape=shape, levels=levels)
    images = tf.constant(list(itertools.product(range(levels), repeat=int(np.prod(shape)))), model.domain.dtype)
    log_prob = model.log_prob(tf.reshape(images, [-1, *shape]))
    assert np.std(log_prob) > 0.1
    np.testing.assert_allclose(np.sum(np.exp(log_prob, dtype=np.float64)), 1.0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_pixel_reaches_exactly_the_later_ones(kind):
    model = make(**KINDS[kind])
    height, width, colours = model.shape
    size = height * width
    x = some(model, 1).numpy().reshape(size, colours)
    changed = np.where(np.eye(size, dtype=bool)[..., None], (x + 1) % model.levels, x)  # image k differs in pixel k
    both = tf.reshape(tf.cast(np.concatenate([x[None], changed]), model.domain.dtype), [-1, *model.shape])
    parameters = tf.reshape(model.parameters(both), [size + 1, size, -1]).numpy()
    difference = np.abs(parameters[1:] - parameters[:1]).max(-1)  # [changed pixel, parameters' pixel]
    assert difference[np.tri(size) > 0].max() < 1e-5
    assert difference[np.tri(size) == 0].min() > 1e-5  # attention reaches all of them


def test_the_gradient_of_the_logits_is_strictly_triangular():
    model = make(shape=(3, 4, 1))
    for weight in model.weights:  # gates that are not shut
        weight.assign(0.3 * weight)
    jacobian = 0.0
    for seed in range(3):
        x = some(model, 1, seed)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            logits = tf.unstack(tf.reshape(model.parameters(x), [12]))
        jacobian += np.abs([tf.reshape(tape.gradient(logit, x), [12]) for logit in logits])
    np.testing.assert_array_equal(jacobian > 0, np.tri(12, k=-1) > 0)


@pytest.mark.parametrize("kind", cases.slow_but(KINDS, "rgb", "binary"))
def test_cached_sampler_equals_naive(kind, monkeypatch):
    monkeypatch.setattr(attention, "NEAR", 4)
    model = make(**KINDS[kind])
    noise, x = model.noise(random.rows(random.seed(3), 20)), some(model, 20)
    drawn = model.generate(noise)
    np.testing.assert_array_equal(drawn, naive_sample(model, noise))
    assert len(np.unique(drawn)) > 1
    height, width, _ = model.shape
    known = tf.reshape(tf.sequence_mask(tf.range(20) % (height * width + 1), height * width), [20, height, width])
    completed = model.generate(noise, None, x, known)
    np.testing.assert_array_equal(completed, naive_sample(model, noise, None, x, known))
    np.testing.assert_array_equal(completed[known], x[known])


def test_samples_occur_as_often_as_log_prob_says():
    model, num = make(shape=(2, 2, 1)), 4096
    samples = model.sample(random.rows(random.seed(0), num)).numpy().reshape(num, 4).astype(int)
    images = np.array(list(itertools.product(range(2), repeat=4)), np.float32)
    p = np.exp(model.log_prob(images.reshape(-1, 2, 2, 1)))
    share = np.bincount(samples @ [8, 4, 2, 1], minlength=16) / num
    assert np.all(np.abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / num))


def test_dropout_draws_from_the_seed_and_only_in_training():
    model = make(shape=(3, 3, 1), dropout=0.4)
    x = some(model, 2)
    plain = model.parameters(x)
    one, same, other = (model.parameters(x, None, random.seed(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-2 and np.abs(one - plain).max() > 1e-2
    np.testing.assert_array_equal(make(shape=(3, 3, 1)).parameters(x, None, random.seed(1)), plain)


def test_mixed_precision_samples_as_float32_does():
    model, seeds = make(**KINDS["levels"]), random.rows(random.seed(2), 6)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = make(**KINDS["levels"])
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(model.get_weights())
    x = mixed.sample(seeds)
    np.testing.assert_array_equal(x, model.sample(seeds))
    assert mixed.log_prob(x).dtype == tf.float32
    np.testing.assert_allclose(mixed.log_prob(x), model.log_prob(x), rtol=0.1)


@pytest.mark.parametrize("wrong",
                         [dict(shape=(3, 3)), dict(levels=1), dict(channels=0), dict(blocks=0), dict(residuals=0),
                          dict(keys=0), dict(values=0),
                          dict(components=0), dict(dropout=1.0), dict(shape=(2, 2, 3)),
                          dict(shape=(2, 2, 4), levels=4)])
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError):
        make(**dict(shape=(2, 2, 1)) | wrong)


def test_a_condition_is_refused():
    with pytest.raises(ValueError, match="condition"):
        make(shape=(2, 2, 1)).sample(random.rows(random.seed(0), 2), tf.zeros([2], tf.int32))
