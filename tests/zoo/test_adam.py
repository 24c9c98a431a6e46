"""Adam in one operation moves weights and slots as Keras's does, on one replica and on two."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainers.test_engine import strategy
from zoo.training import adam

PAIRS = [(adam.Adam, keras.optimizers.Adam, {}), (adam.AdamW, keras.optimizers.AdamW, dict(weight_decay=0.1)),
         (adam.AdamW, keras.optimizers.AdamW, dict(weight_decay=0.02, use_ema=True, ema_momentum=0.9))]
SHAPES = [(3, 4), (5,), ()]


def moved(cls, replicas, arguments, steps=5):
    """Weights and the optimizer's variables after some steps, by gradients of very different sizes that depend on the
    weights."""
    used = strategy(replicas)
    with used.scope():
        weights = [keras.Variable(tf.random.stateless_normal(shape, [1, n])) for n, shape in enumerate(SHAPES)]
        rate = keras.optimizers.schedules.PolynomialDecay(0.05, 10)
        optimizer = cls(learning_rate=rate, beta_1=0.8, beta_2=0.95, epsilon=1e-4, **arguments)
        optimizer.build(weights)

    @tf.function
    def step(number):
        def update(number):
            gradients = [(10.0 ** (n - 1)) * (weight + tf.random.stateless_normal(weight.shape, [number, n])) for n,
                         weight in enumerate(weights)]
            optimizer.apply([gradient / replicas for gradient in gradients], weights)

        used.run(update, (number,))

    for number in range(steps):
        step(tf.constant(number))
    return [np.asarray(v.value) for v in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("ours, theirs, arguments", PAIRS)
def test_weights_slots_and_averages_are_keras_s(ours, theirs, arguments, replicas):
    found, expected = moved(ours, replicas, arguments), moved(theirs, 1, arguments)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
    assert not np.allclose(found[0], tf.random.stateless_normal(SHAPES[0], [1, 0]), atol=0.05)
