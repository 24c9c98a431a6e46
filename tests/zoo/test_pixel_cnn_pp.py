"""PixelCNN++: probabilities that sum to one, streams that see all earlier pixels and no other, a cached sampler that
equals the naive one."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from tests.support import cases
from zoo import random
from zoo.autoregressive.pixel_cnn_pp import PixelCNNPP

KINDS = {  # beside the RGB, class-conditional case of two resolutions in tests/support/cases.py
    "binary": dict(shape=(8, 12, 1), levels=2, resolutions=3),
    "one_resolution": dict(shape=(3, 5, 2), levels=5, resolutions=1, blocks=2),
    "classes": dict(shape=(4, 6, 1), levels=17, resolutions=2, classes=3),
}


def make(**arguments):
    """A tiny model in which the pixels depend on one another, and all of their values occur."""
    keras.utils.set_random_seed(7)
    model = PixelCNNPP(**dict(channels=6, blocks=1, components=2) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(size=weight.shape, scale=0.3))
    return model


def labels(model, num):
    return tf.range(num) % model.classes if model.classes else None


def every_image(model):
    images = list(itertools.product(range(model.levels), repeat=int(np.prod(model.shape))))
    return tf.reshape(tf.constant(images, model.domain.dtype), [-1, *model.shape])


@pytest.mark.parametrize("arguments",
                         [dict(shape=(2, 4, 1), levels=2, resolutions=2),
                          dict(shape=(2, 2, 1), levels=4, resolutions=2),
                          dict(shape=(1, 2, 3), levels=3, resolutions=1, classes=2)])
def test_probabilities_of_all_images_sum_to_one(arguments):
    model = make(**arguments)
    x = every_image(model)
    for label in range(model.classes or 1):
        log_prob = model.log_prob(x, tf.fill([len(x)], label) if model.classes else None)
        assert np.std(log_prob) > 0.1
        np.testing.assert_allclose(np.sum(np.exp(log_prob, dtype=np.float64)), 1.0, atol=1e-4)


@pytest.mark.parametrize("resolutions", cases.slow_but([1, 2, 3], 2))
def test_a_pixel_depends_on_exactly_the_earlier_ones(resolutions):
    model = make(shape=(4, 8, 1), levels=2, resolutions=resolutions, blocks=2)
    x = tf.cast(random.uniform_rows(random.rows(random.seed(1), 1), model.shape) < 0.5, tf.float32)
    x = tf.repeat(x, 32, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logit = tf.linalg.trace(tf.reshape(model.parameters(x), [32, 32]))  # pixel k's, of row k
    depends = np.reshape(tape.gradient(logit, x), [32, 32]) != 0
    np.testing.assert_array_equal(depends, np.tri(32, k=-1) > 0)


def test_a_changed_pixel_leaves_all_parameters_up_to_its_own():
    model = make(shape=(8, 8, 3), levels=9, resolutions=3)
    rng = np.random.default_rng(1)
    x = rng.integers(0, 9, [1, 64, 3])
    pixel = np.eye(64, dtype=bool)[..., None]
    both = tf.reshape(tf.constant(np.concatenate([x, np.where(pixel, (x + 4) % 9, x)]), tf.int32), [65, 8, 8, 3])
    parameters = model.parameters(both).numpy().reshape(65, 64, -1)
    difference = np.abs(parameters[1:] - parameters[:1]).max(-1)  # [changed pixel, parameters' pixel]
    assert difference[np.tri(64) > 0].max() < 1e-5
    assert (difference.max(0)[1:] > 1e-3).all()  # all but the first depend on something


@pytest.mark.parametrize("kind", cases.slow_but(KINDS, "binary", "classes"))
def test_cached_sampler_draws_what_the_naive_one_does(kind):
    model, num = make(**KINDS[kind]), 4
    noise, condition = model.noise(random.rows(random.seed(3), num)), labels(model, num)
    size = model.shape[0] * model.shape[1]
    # two rows are drawn from nothing
    known = tf.reshape(tf.sequence_mask([0, 0, 1, size // 2], size), [-1, *model.shape[:2]])
    x = tf.cast(np.random.default_rng(1).integers(0, model.levels, [num, *model.shape]), model.domain.dtype)
    completed = model.generate(noise, condition, x, known)
    np.testing.assert_array_equal(completed, naive_sample(model, noise, condition, x, known))
    np.testing.assert_array_equal(completed.numpy()[known], x.numpy()[known])
    assert len(np.unique(completed[:2])) > 1 and np.any(completed[0] != completed[1])


def test_samples_occur_as_often_as_log_prob_says():
    model, num = make(shape=(2, 2, 1), levels=3, resolutions=2), 6000
    samples = tf.function(model.sample)(random.rows(random.seed(0), num))
    counts = np.bincount(np.reshape(samples, [num, 4]) @ [27, 9, 3, 1], minlength=81)
    p = np.exp(model.log_prob(every_image(model)))
    assert p.max() < 0.5 and np.all(np.abs(counts / num - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-5)


def test_dropout_is_in_training_alone():
    model, x = make(shape=(4, 4, 1), levels=5, resolutions=2, dropout=0.5), tf.ones([2, 4, 4, 1], tf.int32)
    loss = model.objective(x, random.seed(1))["nll"]
    np.testing.assert_array_equal(loss, model.objective(x, random.seed(1))["nll"])
    assert np.all(loss != model.objective(x, random.seed(2))["nll"])
    np.testing.assert_array_equal(model.log_prob(x), model.log_prob(x))
    without = make(shape=(4, 4, 1), levels=5, resolutions=2)
    np.testing.assert_array_equal(without.log_prob(x), model.log_prob(x))
    np.testing.assert_array_equal(-without.log_prob(x), without.objective(x, random.seed(1))["nll"])


@pytest.mark.parametrize("wrong, message", [
    (dict(shape=(6, 8, 1)), "divide by 4"), (dict(shape=(8, 8)), "image"), (dict(shape=(8, 8, 4)), "at most 3"),
    (dict(levels=1), "levels"),
    (dict(shape=(8, 8, 3), levels=2), "two levels"), (dict(blocks=0), "blocks"), (dict(resolutions=0), "resolutions"),
    (dict(components=0), "components"),
    (dict(dropout=1.0), "dropout"), (dict(classes=0), "classes")])
def test_wrong_arguments_raise(wrong, message):
    with pytest.raises(ValueError, match=message):
        make(**dict(shape=(8, 8, 1)) | wrong)
