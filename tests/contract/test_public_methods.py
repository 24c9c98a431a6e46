"""What public methods take, cast and refuse: once for all models, on one of each kind of domain."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases
from zoo import random
from zoo.capabilities import capabilities
from zoo.model import split_batch


def image(levels=256, **arguments):
    return zoo.create("pixel_cnn", shape=(4, 4, 1), levels=levels, channels=4, blocks=1, **arguments)


GREY = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 1))


@pytest.mark.parametrize("x", [GREY.astype(np.uint8), GREY.astype(np.float64), GREY[..., 0].astype(np.uint8),
                               GREY.tolist(), tf.constant(GREY, tf.float32)])
def test_what_is_right_in_another_type_is_cast(x):
    model = cases_image()
    np.testing.assert_array_equal(model.log_prob(x), model.log_prob(tf.constant(GREY, tf.int32)))


@functools.cache
def cases_image():
    return image()


@pytest.mark.parametrize("x, said", [
    (GREY / 255.0, r"whole numbers, 0 to 255, found 0\.\d+: of values on \[0, 1\] take round\(255 x\)"),
    (GREY + 0.5, "x must be whole numbers, 0 to 255"),
    (GREY - 1, "x must be 0 to 255, found -1 to 2"),
    (GREY * 16, r"x must be 0 to 255, found \d+ to \d+: make a model with levels="),
    (np.where(GREY > 100, np.nan, GREY), "x must be finite numbers, found nan"),
    (GREY[0], r"x must be \[batch, 4, 4, 1\], found \(4, 4, 1\); one example is a batch of one, x\[None\]"),
    (GREY[:, :3], r"found \(3, 3, 4, 1\)"),
    (["a", "b"], "x must be an array of numbers, found text"),
    ([[1], [1, 2]], "found rows of different lengths"),
    (None, "x must be an array of numbers"),
])
def test_what_is_no_example_is_refused_by_one_sentence(x, said):
    with pytest.raises(ValueError, match=said) as refused:
        cases_image().log_prob(x)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("x, said", [
    (GREY, r"x must be 0 or 1, found \d+ to \d+: binarize them \(x >= 128\)"),
    (np.full(GREY.shape, 0.25), r"x must be whole numbers, 0 to 1, found 0.25: binarize them \(x >= 0.5\)"),
    (np.full(GREY.shape, -1.0), "x must be 0 or 1, found -1"),
])
def test_grey_values_are_not_binary(x, said):
    with pytest.raises(ValueError, match=said):
        image(levels=2).log_prob(x)


def test_values_on_a_range_are_floats_within_it():
    model = cases.shared("kernel_density")  # of images on [0, 1]
    good = np.random.default_rng(1).uniform(size=(3, 2, 2, 1))
    assert model.log_prob(good).shape == (3,)
    wrongs = ((good * 255, "x must be 0 to 1, found"), (good * 2 - 1, "x must be 0 to 1"),
              ((good * 255).astype(np.uint8), "x must be floats on"), (np.full_like(good, np.inf), "finite"))
    for bad, said in wrongs:
        with pytest.raises(ValueError, match=said):
            model.log_prob(bad)


def test_the_condition_is_checked():
    model = image(levels=4, classes=10)
    np.testing.assert_array_equal(model.sample(3, condition=7), model.sample(3, condition=[7, 7, 7]))
    wrongs = ((10, "condition must be 0 to 9, found 10"), (-1, "condition must be 0 to 9"), (1.5, "whole numbers"),
              ([1, 2], "for each of 3 rows is needed, found 2"), ([[1], [2], [3]], r"condition must be \[batch\]"),
              (None, "condition: a class label, 0 to 9, per row is needed"))
    for bad, said in wrongs:
        with pytest.raises(ValueError, match=said):
            model.sample(3, condition=bad)
    with pytest.raises(ValueError, match="condition: this model takes none"):
        cases_image().sample(3, condition=1)


def test_a_number_of_examples_and_a_seed_are_a_seed_for_each_row():
    model = cases.shared("gan")
    np.testing.assert_array_equal(model.sample(5, seed=3), model.sample(random.rows(random.seed(3), 5)))
    np.testing.assert_array_equal(model.sample(5), model.sample(5, seed=0))
    assert np.any(model.sample(5) != model.sample(5, seed=1)) and model.sample(np.int64(2)).shape[0] == 2
    wrongs = (((-1,), "0 to 2147483647, found -1"), ((random.rows(random.seed(3), 5), None, 3), "not both"),
              ((np.zeros([3, 2]),), "seeds must be int32"),
              ((np.zeros([3], int),), r"seeds must be int32 \[batch, 2\]"),
              ((2, None, 1.5), "seed must be an integer, found 1.5"))
    for arguments, said in wrongs:
        with pytest.raises(ValueError, match=said):
            model.sample(*arguments)


def test_controls_have_names_and_ranges():
    model = cases.shared("gpt")
    np.testing.assert_array_equal(model.sample(4, top_k=1), model.sample(4, top_k=[1, 1, 1, 1]))
    wrongs = ((dict(temprature=1.0), "no control 'temprature' here; did you mean 'temperature'"),
              (dict(top_k=1.5), "top_k must be a whole number"),
              (dict(top_p=[0.5, 0.5]), "for each of 4 rows, found 2"),
              (dict(temperature=1e9), "temperature must be 0.0001 to 100"))
    for arguments, said in wrongs:
        with pytest.raises(ValueError, match=said):
            model.sample(4, **arguments)
    with pytest.raises(ValueError, match="no control 'label' here"):  # which is said before that a condition is missing
        image(levels=4, classes=10).sample(4, label=3)
    with pytest.raises(ValueError, match="no control 'temperature' here; it has no controls"):
        cases.shared("gan").sample(4, temperature=1.0)


@pytest.mark.parametrize("name", ["vae", "real_nvp", "autoencoder"])
def test_codes_are_checked(name):
    model = cases.shared(name)
    z = model.encode(split_batch(cases.batch(model, 3))[0])
    assert model.code_shape == tuple(z.shape[1:])
    for bad, said in ((z[:, :-1], "z must be"), (np.full(z.shape, np.nan), "z must be finite")):
        with pytest.raises(ValueError, match=said):
            model.decode(bad)


def test_what_is_missing_is_not_read():
    model = cases.shared("made")
    x = tf.random.stateless_normal([3, 4], [1, 2])
    mask = np.array([[True, True, False, False]] * 3)
    np.testing.assert_array_equal(model.complete(x, mask), model.complete(tf.where(mask, x, np.nan), mask))
    wrongs = ((mask.astype(float), "mask must be bool"), (mask[:2], "as many rows as x"),
              (mask[:, :3], r"mask must be \[batch, 4\]"))
    for bad, said in wrongs:
        with pytest.raises(ValueError, match=said):
            model.complete(x, bad)
    with pytest.raises(ValueError, match="finite"):
        model.missing_log_prob(tf.where(mask, x, np.nan), mask)


@pytest.mark.parametrize("name", sorted(zoo.MODELS))
def test_every_public_method_says_what_it_takes(name):
    cls = zoo.MODELS[name]
    for ability in set(capabilities(cls)) & set(dir(cls)):
        assert "[batch" in getattr(cls, ability).__doc__, ability


def test_bounds_take_an_integer_for_their_seeds():
    model = cases.shared("vae")
    x = cases.batch(model, 3)
    np.testing.assert_array_equal(model.elbo(x, 5), model.elbo(x, random.rows(random.seed(5), 3)))
    rows = random.rows(random.seed(5), 3)
    np.testing.assert_array_equal(model.log_prob(x, 5, num_samples=3), model.log_prob(x, rows, 3))
    wrongs = (dict(num_samples=0), "num_samples must be at least 1, found 0"), (dict(seeds=rows[:2]), r"int32 \[3, 2\]")
    for arguments, said in wrongs:
        with pytest.raises(ValueError, match=said):
            model.log_prob(x, **arguments)


def test_inside_of_a_graph_types_and_shapes_are_checked():
    model = cases_image()
    with pytest.raises(ValueError, match="in a graph"):
        tf.function(model.log_prob)(tf.constant(GREY / 255.0, tf.float32))
    np.testing.assert_allclose(tf.function(model.log_prob)(GREY.astype(np.uint8)), model.log_prob(GREY), rtol=1e-5)
