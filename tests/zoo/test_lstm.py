"""The LSTM against Keras's, its gradient by hand against autodiff's, and its single steps against the loop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.layers.lstm import LSTM

STEPS, BATCH, INPUTS, UNITS = 6, 4, 3, 5


def normal(*shape, seed=0):
    return tf.constant(np.random.default_rng([seed, *shape]).normal(size=shape), tf.float32)


@pytest.fixture
def layer():
    keras.utils.set_random_seed(1)
    return LSTM(INPUTS, UNITS)


def test_it_is_kerass(layer):
    theirs = keras.layers.LSTM(UNITS, return_sequences=True)
    x = normal(STEPS, BATCH, INPUTS)
    theirs(tf.transpose(x, [1, 0, 2]))
    order = [0, 2, 1, 3]  # i, f, g, o
    theirs.set_weights([np.concatenate([np.split(w, 4, -1)[gate] for gate in order], -1) for w in layer.get_weights()])
    np.testing.assert_allclose(layer(x), tf.transpose(theirs(tf.transpose(x, [1, 0, 2])), [1, 0, 2]), atol=1e-6)
    np.testing.assert_array_equal(layer.bias, np.repeat([0, 0, 1, 0], UNITS))


def test_single_steps_are_the_loop(layer):
    x, context, state = normal(STEPS, BATCH, INPUTS), normal(BATCH, 4 * UNITS), (normal(BATCH, UNITS),
                                                                                 normal(BATCH, UNITS, seed=1))
    states = layer(x, context=context, state=state)
    for t in range(STEPS):
        state = layer.step(layer.matrices(), x[t], state, context)
        np.testing.assert_allclose(states[t], state[0], atol=1e-6)


def plain(x, added, kernel, recurrent, h, c, steps, keep):
    """The formula, for autodiff."""
    found = []
    for t in range(STEPS):
        if t < steps:
            i, g, f, o = tf.split(x[t] @ kernel + h @ recurrent + added, 4, -1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * keep[t] * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
        found.append(h if t < steps else tf.zeros_like(h))
    return tf.stack(found)


@pytest.mark.parametrize("steps, dropped, compiled",
                         [(6, False, False), (6, True, True), (4, True, False), (1, True, True)])
def test_the_gradient_by_hand_is_autodiffs(layer, steps, dropped, compiled):
    x, context, h, c = normal(STEPS, BATCH, INPUTS), normal(BATCH,
                                                            4 * UNITS), normal(BATCH,
                                                                               UNITS), normal(BATCH, UNITS, seed=1)
    keep = tf.cast(normal(STEPS, BATCH, UNITS) > -0.3, tf.float32) * 1.5 if dropped else None
    weights, sources = normal(STEPS, BATCH, UNITS, seed=2), [x, context, h, c]

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(sources)
            variables = [w.value for w in layer.weights]
            value = function()
            total = tf.reduce_sum(value * weights)
        return [value, *tape.gradient(total, sources + variables)]

    def ours():
        return gradients(lambda: layer(x, context=context, state=(h, c), steps=tf.constant(steps), keep=keep))

    found = (tf.function(ours, autograph=False) if compiled else ours)()
    kernel, recurrent, bias = (w.value for w in layer.weights)
    ones = tf.ones([STEPS, 1, 1])
    expected = gradients(lambda: plain(x, tf.convert_to_tensor(bias) + context, kernel, recurrent, h, c, steps,
                                       ones if keep is None else keep))
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-6)
    assert not np.any(found[0][steps:])


def test_it_runs_in_float32_whatever_the_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = LSTM(INPUTS, UNITS)
        assert layer(tf.cast(normal(STEPS, BATCH, INPUTS), tf.bfloat16)).dtype == tf.float32
    finally:
        keras.config.set_dtype_policy("float32")
