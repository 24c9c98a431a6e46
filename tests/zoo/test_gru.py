"""The layers of gated recurrent units against Keras's own, step by step and in one loop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.layers import gru
from zoo.layers.gru import RepeatedGRU


@pytest.mark.parametrize("length, layers", [(1, 1), (4, 3), (33, 2)])
def test_it_is_keras_layers_above_a_repeated_vector(length, layers):
    ours, z = RepeatedGRU(3, 5, layers, length), tf.random.stateless_normal([2, 3], [1, 2])
    rng = np.random.default_rng(0)
    for weight in ours.weights:
        weight.assign(rng.normal(size=weight.shape))
    h = tf.repeat(z[:, None], length, 1)
    for k in range(layers):
        theirs = keras.layers.GRU(5, return_sequences=True, reset_after=True)
        theirs.build(h.shape)
        theirs.set_weights([ours.kernels[k], ours.recurrent[k], ours.biases[k]])
        h = theirs(h)
    np.testing.assert_allclose(ours(z), h, atol=2e-5)


def test_written_out_or_not_it_is_the_same(monkeypatch):
    layer, z = RepeatedGRU(3, 4, 2, 6), tf.random.stateless_normal([5, 3], [1, 2])

    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(z)
            y = layer(z)
            loss = tf.reduce_sum(y**2)
        return y, tape.gradient(loss, [z, *layer.trainable_weights])

    one, by_hand = tf.function(gradients)()
    monkeypatch.setattr(gru, "_UNROLLED", 0)
    two, in_a_loop = tf.function(gradients)()
    np.testing.assert_allclose(one, two, atol=1e-6)
    for a, b in zip(by_hand, in_a_loop, strict=True):
        assert np.any(a != 0)
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_it_computes_in_32_bits_whatever_the_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = RepeatedGRU(3, 4, 1, 2)
        assert layer(tf.ones([2, 3])).dtype == tf.float32 == layer.kernels[0].dtype
    finally:
        keras.config.set_dtype_policy("float32")
