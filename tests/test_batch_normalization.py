"""Batch normalisation against Keras's own layer, and its running moments against the averages by hand."""

import keras
import numpy as np
import tensorflow as tf

from zoo.layers import batch_normalization
from zoo.layers.batch_normalization import NormalizedDense

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


def pair():
    """Ours, and Keras's layers of the same weights."""
    ours = NormalizedDense(4, "tanh")
    ours(X)
    theirs = [keras.layers.Dense(4, use_bias=False), keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-3)]
    theirs[1](theirs[0](X))
    for index, weight in enumerate([ours.scale, ours.shift, ours.mean, ours.variance]):
        weight.assign(np.random.default_rng(index + 1).uniform(0.5, 1.5, 4))
    theirs[0].kernel.assign(ours.dense.kernel)
    for mine, other in zip((ours.scale, ours.shift, ours.mean, ours.variance), (theirs[1].gamma, theirs[1].beta, theirs[1].moving_mean, theirs[1].moving_variance)):
        other.assign(mine)
    return ours, lambda x, training: tf.tanh(theirs[1](theirs[0](x), training=training)), theirs


def test_by_running_moments_and_by_the_batch():
    ours, call, _ = pair()
    np.testing.assert_allclose(ours(X), call(X, False), atol=1e-5)
    np.testing.assert_allclose(ours.of_batch(X, []), call(X, True), atol=1e-5)
    assert np.abs(ours(X) - ours.of_batch(X, [])).max() > 0.1


def test_gradients_go_through_the_batch_and_not_to_the_running_moments():
    ours, call, theirs = pair()
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        mine, other = (tf.reduce_sum(y * X[:, :1]) for y in (ours.of_batch(x, []), call(x, True)))
    for own, of_keras in ((x, x), (ours.dense.kernel, theirs[0].kernel), (ours.scale, theirs[1].gamma), (ours.shift, theirs[1].beta)):
        np.testing.assert_allclose(tape.gradient(mine, own), tape.gradient(other, of_keras), atol=1e-5)
    assert all(tape.gradient(mine, weight) is None for weight in ours.moments())


def test_a_step_is_the_moving_average():
    ours, call, theirs = pair()
    gaps = []
    with tf.GradientTape() as tape:
        ours.of_batch(X, gaps)
        loss = tf.add_n(gaps)
    gradients = tape.gradient(loss, ours.moments())
    np.testing.assert_allclose(2.0 * loss, sum(np.sum(np.square(g)) for g in gradients), rtol=1e-5)
    batch_normalization.optimizer().apply(gradients, ours.moments())
    call(X, True)  # Keras's layer moves its own
    np.testing.assert_allclose(ours.mean, theirs[1].moving_mean, atol=1e-6)
    np.testing.assert_allclose(ours.variance, theirs[1].moving_variance, atol=1e-6)


def test_mixed_precision_keeps_moments_in_float32():
    layer = NormalizedDense(4, "tanh", dtype="mixed_bfloat16")
    layer(X)
    assert {w.dtype for w in layer.weights} == {"float32"}
    gaps = []
    layer.of_batch(tf.constant(X), gaps)
    assert gaps[0].dtype == tf.float32
