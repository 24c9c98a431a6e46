"""FVSBN: against enumeration, logistic regressions one by one, autodiff and the naive sampler; and the orders that the
running sums share."""

import itertools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from benchmarks.naive import naive_sample
from zoo import random
from zoo.autoregressive.fvsbn import FVSBN

KINDS = {
    "image": dict(shape=(2, 3, 1)),
    "image_in_order": dict(shape=(2, 3, 1), order=(4, 1, 5, 0, 3, 2)),
    "channels_in_order": dict(shape=(2, 2, 2), order=(2, 0, 3, 1)),
    "image_reversed": dict(shape=(2, 3, 1), order="reversed"),
    "vector_in_order": dict(shape=(6,), order=(5, 3, 1, 0, 2, 4)),
}


def make(model=FVSBN, scale=1.0, **arguments):
    """A tiny model in which entries depend on one another."""
    keras.utils.set_random_seed(3)
    model = model(**arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(size=weight.shape, scale=scale))
    return model


def every_example(shape):
    return tf.reshape(tf.constant(list(itertools.product((0.0, 1.0), repeat=int(np.prod(shape))))), [-1, *shape])


def assert_sums_to_one(model):
    log_prob = model.log_prob(every_example(model.shape))
    assert np.std(log_prob) > 0.1
    np.testing.assert_allclose(np.sum(np.exp(log_prob, dtype=np.float64)), 1.0, atol=1e-4)


def assert_samples_as_often(model, num=8192):
    """How often each example is drawn agrees with its probability, by a chi-square test; those that are hardly ever
    drawn are one."""
    examples = every_example(model.shape)
    samples = tf.function(model.sample)(random.rows(random.seed(0), num))
    powers = 2 ** np.arange(model.size)[::-1]
    counts = np.bincount(np.reshape(samples, [num, -1]).astype(int) @ powers, minlength=len(examples))
    p = np.exp(np.float64(model.log_prob(examples)))
    often = p * num >= 5
    found, expected = (np.append(values[often], values[~often].sum()) for values in (counts, p * num))
    keep = expected > 0
    assert scipy.stats.chisquare(found[keep], expected[keep] * found[keep].sum() / expected[keep].sum()).pvalue > 1e-4
    assert abs(expected.sum() / num - 1) < 1e-4 and found[~keep].sum() == 0


def dependence(model, seed=0):
    """|d parameters / d x| at a random x, with entries in the model's order, [D, D], its sign kept from zero."""
    x = tf.constant(np.random.default_rng(seed).integers(0, 2, (1, *model.shape)), tf.float32)
    x = tf.repeat(x, model.size, axis=0)  # row d is for the gradient of parameter d
    with tf.GradientTape() as tape:
        tape.watch(x)
        parameters = tf.reduce_sum(tf.reshape(tf.sin(model.parameters(x)), [model.size, model.size, -1]), -1)
        total = tf.reduce_sum(tf.linalg.diag_part(parameters))
    jacobian = np.reshape(tape.gradient(total, x), [model.size, model.size])
    return np.abs(jacobian[model.entries][:, model.entries])


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_of_all_examples_sum_to_one(kind):
    assert_sums_to_one(make(**KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_the_regressions_on_what_comes_before(kind):
    model = make(**KINDS[kind])
    W, b = (np.asarray(w) for w in (model.W, model.b))
    x = every_example(model.shape).numpy().reshape(-1, model.size)[::7]
    expected = np.zeros_like(x)
    for d, entry in enumerate(model.entries):
        expected[:, entry] = b[d] + sum(x[:, model.entries[e]] * W[e, d] for e in range(d))
    np.testing.assert_allclose(np.reshape(model.parameters(x.reshape(-1, *model.shape)), x.shape), expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_depend_on_exactly_the_earlier_entries(kind):
    model = make(**KINDS[kind])
    np.testing.assert_array_equal(dependence(model) > 0, np.tri(model.size, k=-1) > 0)


def test_an_order_keeps_a_pixels_channels_together():
    model = make(**KINDS["channels_in_order"])
    assert list(model.order) == [2, 0, 3, 1] and list(model.entries) == [4, 5, 0, 1, 6, 7, 2, 3] and model.passes == 2
    np.testing.assert_array_equal(make(**KINDS["image"]).order, np.arange(6))


def test_reversed_is_the_order_of_the_mirrored_image():
    model, plain = make(shape=(2, 2, 2), order="reversed"), make(shape=(2, 2, 2))
    assert list(model.order) == [3, 2, 1, 0] and model.get_config()["order"] == "reversed"
    x = every_example((2, 2, 2))
    np.testing.assert_allclose(model.log_prob(x), plain.log_prob(x[:, ::-1, ::-1]), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_cached_sampler_equals_naive(kind):
    model = make(**KINDS[kind])
    seeds = random.rows(random.seed(3), 8)
    samples = model.sample(seeds)
    np.testing.assert_array_equal(samples, naive_sample(model, model.noise(seeds)))
    assert len(np.unique(samples)) == 2
    mask = np.random.default_rng(1).random((8, *model.domain.places)) < 0.5
    x = 1.0 - samples
    drawn = model.generate(model.noise(seeds), None, x, tf.constant(mask))
    np.testing.assert_array_equal(drawn, naive_sample(model, model.noise(seeds), None, x, tf.constant(mask)))
    np.testing.assert_array_equal(drawn.numpy()[mask], x.numpy()[mask])


@pytest.mark.parametrize("kind", ["image", "channels_in_order"])
def test_samples_occur_as_often_as_log_prob_says(kind):
    assert_samples_as_often(make(**KINDS[kind]))


def test_completion_from_what_comes_first_is_the_conditional_distribution():
    """p(rest | first two of the order), by enumeration."""
    model = make(shape=(4,), order=(3, 1, 0, 2))
    first = every_example((4,)).numpy()[:, [3, 1]]
    joint = np.exp(model.log_prob(every_example((4,)), None), dtype=np.float64)
    given = np.where((first == [1, 0]).all(1), joint, 0.0)
    given /= given.sum()
    num = 4096
    x, mask = tf.tile([[0.0, 0.0, 0.0, 1.0]], [num, 1]), tf.tile([[False, True, False, True]], [num, 1])
    seeds = random.rows(random.seed(1), num)
    drawn = np.asarray(model.complete(x, mask, seeds)).astype(int) @ [8, 4, 2, 1]
    assert np.all(np.abs(np.bincount(drawn, minlength=16) / num - given) <= 4.5 * np.sqrt(given * (1 - given) / num))
    missing = model.missing_log_prob(every_example((4,)), tf.tile(mask[:1], [16, 1]), seeds[:16])
    np.testing.assert_allclose(np.exp(missing)[given > 0], given[given > 0], rtol=1e-4)


def test_training_reaches_the_entropy_of_independent_entries_and_of_a_copy():
    """Entries 0 and 1 are fair coins, entry 2 copies entry 0: the best code has 2 log 2 nats."""
    x = np.random.default_rng(0).integers(0, 2, (256, 3)).astype(np.float32)
    x[:, 2] = x[:, 0]
    model = FVSBN((3,))
    model.compile(keras.optimizers.Adam(0.3))
    model.fit(tf.data.Dataset.from_tensor_slices(x).batch(256).repeat(100), verbose=0)
    assert 2 * np.log(2) - 0.05 < -np.mean(model.log_prob(x)) < 2 * np.log(2) + 0.02


@pytest.mark.parametrize("wrong, message",
                         [(dict(order=(0, 1, 1, 3, 4, 5)), "no permutation"), (dict(order=(0, 1, 2)), "no permutation"),
                          (dict(order=(1, 2, 3, 4, 5, 6)), "no permutation"), (dict(order="snake"), "raster"),
                          (dict(shape=(2, 0, 1)), "shape"), (dict(shape=()), "shape")])
def test_wrong_arguments_raise(wrong, message):
    with pytest.raises(ValueError, match=message):
        FVSBN(**dict(shape=(2, 3, 1)) | wrong)


def test_a_condition_is_refused():
    model = make(shape=(3,))
    with pytest.raises(ValueError, match="condition"):
        model.log_prob(tf.zeros([2, 3]), tf.zeros([2], tf.int32))
    with pytest.raises(ValueError, match="condition"):
        model.sample(random.rows(random.seed(0), 2), tf.zeros([2], tf.int32))
