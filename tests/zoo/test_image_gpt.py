"""ImageGPT: probabilities that sum to one, no look-ahead, and a cached sampler that equals the naive one, for one
channel and for three."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from zoo import random
from zoo.autoregressive.image_gpt import ImageGPT
from zoo.layers import attention

KINDS = {
    "binary": dict(shape=(3, 5, 1)),
    "levels": dict(shape=(3, 2, 1), levels=5),
    "rgb": dict(shape=(2, 2, 3), levels=4),
    "rgb_binary": dict(shape=(1, 3, 3)),
}


def make(**arguments):
    """A tiny model in which the pixels depend on one another."""
    keras.utils.set_random_seed(7)
    model = ImageGPT(**dict(width=12, heads=3, layers=2) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(size=weight.shape,
                                          scale=1.2 / np.sqrt(weight.shape[0]) if len(weight.shape) == 2 else 0.5))
    return model


def some(model, num, seed=0):
    return tf.constant(np.random.default_rng(seed).integers(0, model.levels, (num, *model.shape)), model.domain.dtype)


@pytest.mark.parametrize("shape, levels", [((3, 3, 1), 2), ((2, 2, 1), 3), ((1, 1, 3), 4), ((2, 1, 3), 2)])
def test_probabilities_of_all_images_sum_to_one(shape, levels):
    model = make(shape=shape, levels=levels)
    images = tf.constant(list(itertools.product(range(levels), repeat=int(np.prod(shape)))), model.domain.dtype)
    log_prob = model.log_prob(tf.reshape(images, [-1, *shape]))
    assert np.std(log_prob) > 0.1
    np.testing.assert_allclose(np.sum(np.exp(log_prob, dtype=np.float64)), 1.0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_entry_leaves_all_logits_up_to_its_own(kind):
    model = make(**KINDS[kind])
    size = int(np.prod(model.shape))
    x = some(model, 1).numpy().reshape(size)
    changed = np.where(np.eye(size, dtype=bool), (x + 1) % model.levels, x)  # row k differs in entry k
    both = tf.reshape(tf.cast(np.concatenate([x[None], changed]), model.domain.dtype), [-1, *model.shape])
    logits = tf.reshape(model.parameters(both), [size + 1, size, -1]).numpy()
    difference = np.abs(logits[1:] - logits[:1]).max(-1)  # [changed entry, logits' entry]
    assert difference[np.tri(size) > 0].max() < 1e-5
    assert difference[np.tri(size) == 0].min() > 1e-5  # every later entry depends on every earlier one


def test_the_gradient_of_the_logits_is_strictly_triangular():
    model = make(shape=(3, 4, 1))
    x = some(model, 1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = tf.reshape(model.parameters(x), [12])
    jacobian = np.abs(tf.reshape(tape.jacobian(logits, x), [12, 12]))
    np.testing.assert_array_equal(jacobian > 0, np.tri(12, k=-1) > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_cached_sampler_equals_naive(kind, monkeypatch):
    monkeypatch.setattr(attention, "NEAR", 4)
    model = make(**KINDS[kind])
    noise, x = model.noise(random.rows(random.seed(4), 20)), some(model, 20)
    drawn = model.generate(noise)
    np.testing.assert_array_equal(drawn, naive_sample(model, noise))
    assert len(np.unique(drawn)) == model.levels
    height, width, _ = model.shape
    known = tf.reshape(tf.sequence_mask(tf.range(20) % (height * width + 1), height * width), [20, height, width])
    completed = model.generate(noise, None, x, known)
    np.testing.assert_array_equal(completed, naive_sample(model, noise, None, x, known))
    np.testing.assert_array_equal(completed[known], x[known])


@pytest.mark.parametrize("shape, levels", [((2, 2, 1), 2), ((1, 1, 3), 3)])
def test_samples_occur_as_often_as_log_prob_says(shape, levels):
    model, num, size = make(shape=shape, levels=levels), 4096, int(np.prod(shape))
    samples = model.sample(random.rows(random.seed(0), num)).numpy().reshape(num, size).astype(int)
    images = np.array(list(itertools.product(range(levels), repeat=size)))
    counts = np.bincount(samples @ levels ** np.arange(size)[::-1], minlength=len(images))
    p = np.exp(model.log_prob(tf.cast(images.reshape(-1, *shape), model.domain.dtype)))
    assert np.all(np.abs(counts / num - p) < 4.5 * np.sqrt(p * (1 - p) / num))


def test_a_long_sequence_is_the_same_in_blocks(monkeypatch):
    model = make(shape=(6, 7, 1))
    x = some(model, 3)
    whole = model.log_prob(x)
    monkeypatch.setattr(attention, "BLOCK", 10)
    np.testing.assert_allclose(model.log_prob(x), whole, rtol=1e-5)


def test_mixed_precision_samples_as_float32_does():
    model, seeds = make(**KINDS["rgb"]), random.rows(random.seed(2), 6)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = make(**KINDS["rgb"])
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(model.get_weights())
    x = mixed.sample(seeds)
    np.testing.assert_array_equal(x, model.sample(seeds))
    np.testing.assert_allclose(mixed.log_prob(x), model.log_prob(x), rtol=0.1)


@pytest.mark.parametrize("wrong",
                         [dict(shape=(3, 3)), dict(levels=1), dict(width=10), dict(heads=0), dict(layers=0),
                          dict(dropout=1.0)])
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError):
        make(**dict(shape=(2, 2, 1)) | wrong)


def test_a_condition_is_refused():
    with pytest.raises(ValueError, match="condition"):
        make(shape=(2, 2, 1)).sample(random.rows(random.seed(0), 2), tf.zeros([2], tf.int32))
