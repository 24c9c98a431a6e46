"""Batch normalisation against Keras's own layer, on features and images; it goes wherever a Keras layer goes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.following import collect

X = {"features": np.random.default_rng(0).normal(1.0, 2.0, (6, 4)).astype(np.float32),
     "images": np.random.default_rng(1).normal(1.0, 2.0, (3, 5, 2, 4)).astype(np.float32)}


def pair(x, momentum=0.9):
    """Ours and Keras's layer of the same weights."""
    ours, theirs = BatchNormalization(momentum), keras.layers.BatchNormalization(momentum=momentum, epsilon=1e-3)
    for layer in (ours, theirs):
        layer.build(x.shape)
        for index, weight in enumerate(layer.weights):
            weight.assign(np.random.default_rng(index + 2).uniform(0.5, 1.5, 4))
    return ours, theirs


def moved(layer, *batches):
    """The values that the running moments shall take after a loss that sees these batches."""
    with collect() as collected:
        for x in batches:
            layer(x, training=True)
    return collected.values(layer.moments())


@pytest.mark.parametrize("kind", X)
def test_by_running_moments_and_by_the_batch(kind):
    ours, theirs = pair(X[kind])
    for training in (False, True):
        np.testing.assert_allclose(ours(X[kind], training=training), theirs(X[kind], training=training), atol=1e-5)
    assert np.abs(ours(X[kind]) - ours(X[kind], training=True)).max() > 0.1
    np.testing.assert_allclose(ours(X[kind][:1]), ours(X[kind])[:1], atol=1e-6)  # a row alone


@pytest.mark.parametrize("kind", X)
def test_gradients_go_through_the_batch_and_not_to_the_running_moments(kind):
    ours, theirs = pair(X[kind])
    x = tf.constant(X[kind])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        mine, other = (tf.reduce_sum(layer(x, training=True) * X[kind][..., ::-1] ** 2) for layer in (ours, theirs))
    for own, of_keras in ((x, x), (ours.scale, theirs.gamma), (ours.shift, theirs.beta)):
        np.testing.assert_allclose(tape.gradient(mine, own), tape.gradient(other, of_keras), atol=1e-4)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with collect() as collected:
            ours(x, training=True)
        total = tf.add_n([tf.reduce_sum(value) for value in collected.values(ours.moments())])
    assert tape.gradient(total, x) is None


@pytest.mark.parametrize("kind", X)
def test_the_running_moments_are_keras_s_averages(kind):
    """From the first values on, over three batches; a loss alone moves nothing."""
    ours, theirs = BatchNormalization(0.9), keras.layers.BatchNormalization(momentum=0.9)
    for number in range(3):
        x = X[kind] * (number + 1.0)
        values = moved(ours, x)
        if number == 0:
            np.testing.assert_array_equal(ours.mean, np.zeros(4))
            np.testing.assert_array_equal(ours.variance, np.ones(4))
        for weight, value in zip(ours.moments(), values, strict=True):
            weight.assign(value)
        theirs(x, training=True)  # moves its own
        np.testing.assert_allclose(ours.mean, theirs.moving_mean, rtol=1e-5)
        np.testing.assert_allclose(ours.variance, theirs.moving_variance, rtol=1e-5)


def test_two_batches_of_one_loss_count_half_each():
    x = X["features"]
    layer, _ = pair(x)
    for value, first, second in zip(moved(layer, x, 3.0 * x), moved(layer, x), moved(layer, 3.0 * x), strict=True):
        np.testing.assert_allclose(value, (first + second) / 2.0, rtol=1e-6)
        assert np.abs(first - second).max() > 0.1


def test_a_forward_pass_without_training_notes_nothing():
    ours, _ = pair(X["features"])
    with collect() as collected:
        ours(X["features"])
    for value, weight in zip(collected.values(ours.moments()), ours.moments(), strict=True):
        np.testing.assert_array_equal(value, weight)


def test_in_a_sequential_model_that_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input([5, 2, 3]), keras.layers.Conv2D(4, 1, use_bias=False),
                              BatchNormalization(0.7, 1e-2), keras.layers.Activation("relu")])
    layer = model.layers[1]
    for index, weight in enumerate(layer.weights):
        weight.assign(np.random.default_rng(index).uniform(0.5, 1.5, 4))
    assert len(model.trainable_weights) == 3 and len(model.non_trainable_weights) == 2
    with collect() as collected:
        y = model(X["images"][..., :3], training=True)
    assert np.abs(y - model(X["images"][..., :3])).max() > 0.1
    assert all(np.any(value != weight) for value, weight in zip(collected.values(layer.moments()), layer.moments()))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.layers[1].momentum, loaded.layers[1].epsilon) == (0.7, 1e-2)
    np.testing.assert_array_equal(loaded(X["images"][..., :3]), model(X["images"][..., :3]))


@pytest.mark.parametrize("kind", X)
def test_xla_and_second_derivatives(kind):
    """As penalties of gradients and `--jit` need them; of the fused kernel too."""
    ours, theirs = pair(X[kind])
    x = tf.constant(X[kind])

    def penalty(layer):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(tf.tanh(layer(x, training=True)))
            loss = tf.reduce_sum(tape.gradient(y, x) ** 2)
        return outer.gradient(loss, x)

    expected = penalty(theirs)
    np.testing.assert_allclose(penalty(ours), expected, atol=1e-4 * np.abs(expected).max())
    jitted = tf.function(lambda: ours(x, training=True), jit_compile=True)
    np.testing.assert_allclose(jitted(), ours(x, training=True), atol=1e-5)


def test_one_row_of_one_place_has_no_variance():
    layer, _ = pair(X["images"])
    x = X["images"][:1, :1, :1]
    for value, weight, own in zip(moved(layer, x), layer.moments(), (x[0, 0, 0], 0.0), strict=True):
        np.testing.assert_allclose(value, 0.9 * weight + 0.1 * own, rtol=1e-5)


def test_mixed_precision_keeps_moments_in_float32():
    layer = BatchNormalization(dtype="mixed_bfloat16")
    assert layer(X["features"], training=True).dtype == tf.bfloat16
    assert {w.dtype for w in layer.weights} == {"float32"}
    assert {value.dtype for value in moved(layer, X["features"])} == {tf.float32}


@pytest.mark.parametrize("arguments", [dict(momentum=1.0), dict(momentum=-0.1), dict(epsilon=0.0)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="momentum must be in"):
        BatchNormalization(**arguments)
