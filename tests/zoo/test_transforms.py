"""Every transform: inverse, log-determinants against autodiff both ways, contexts, leading dimensions, and chains."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from zoo.transforms.coupling import AffineCoupling, checkerboard
from zoo.transforms.inverse_autoregressive import InverseAutoregressive
from zoo.transforms.planar import Planar
from zoo.transforms.transform import Bijector, Chain, Given, Transform

SIZE, BATCH, HIDDEN = 4, 5, 6


def normal(shape, number, stddev=1.0):
    return tf.random.stateless_normal(shape, [number, 7], stddev=stddev)


def coupling(parity=0):
    return AffineCoupling(checkerboard((SIZE,), parity), (HIDDEN,), "tanh")


def tanh():
    return Bijector(tfp.bijectors.Chain([tfp.bijectors.Scale(3.0), tfp.bijectors.Tanh()]))


# What makes the transform, and its context or None.
CASES = {
    "coupling": (coupling, None),
    "coupling with a context": (coupling, normal([BATCH, 3], 1)),
    "planar": (Planar, normal([BATCH, Planar.parameters(SIZE)], 2, 1.5)),
    "inverse autoregressive": (lambda: InverseAutoregressive(SIZE, (HIDDEN, 5)), normal([BATCH, HIDDEN], 3)),
    "inverse autoregressive, reversed": (lambda: InverseAutoregressive(SIZE, (HIDDEN,), reverse=True),
                                         normal([BATCH, HIDDEN], 3)),
    "bijector": (tanh, None),
    "chain": (lambda: Chain([coupling(), tanh(), coupling(1), Given(Planar(), normal([BATCH, 9], 4)), coupling()]),
              normal([BATCH, 2], 5)),
}


@pytest.fixture(params=CASES)
def case(request):
    make, context = CASES[request.param]
    keras.utils.set_random_seed(1)
    transform = make()
    transform.forward(tf.zeros([BATCH, SIZE]), context)
    parts = transform.transforms if isinstance(transform, Chain) else [transform]
    weights = [w for part in parts for w in getattr(part, "weights", [])]
    for number, weight in enumerate(weights):
        weight.assign_add(normal(weight.shape, 10 + number, 0.5))
    assert isinstance(transform, Transform)
    return transform, context, weights


def jacobian(function, x):
    """Each row's, [BATCH, SIZE, SIZE]; of functions whose rows do not know one another."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.batch_jacobian(y, x)


def test_inverse_and_log_det(case):
    transform, context, _ = case
    z = normal([BATCH, SIZE], 20, 0.7)
    x, log_det = transform.forward(z, context)
    back, inverse_log_det = transform.inverse(x, context)
    np.testing.assert_allclose(back, z, atol=2e-5)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=2e-5)
    assert log_det.shape == (BATCH,) and np.abs(x - z).max() > 0.1 and np.abs(log_det).min() > 1e-3
    for function, at, found in ((transform.forward, z, log_det), (transform.inverse, x, inverse_log_det)):
        expected = np.linalg.slogdet(jacobian(lambda t, function=function: function(t, context)[0], at))[1]
        np.testing.assert_allclose(found, expected, atol=5e-5)


def test_rows_do_not_know_one_another_and_contexts_broadcast(case):
    transform, context, _ = case
    z = normal([3, BATCH, SIZE], 21, 0.7)
    for function in (transform.forward, transform.inverse):
        together, log_dets = function(0.3 * z, context)
        assert log_dets.shape == (3, BATCH)
        for number in range(3):
            alone, log_det = function(0.3 * z[number], context)
            np.testing.assert_allclose(together[number], alone, atol=1e-5)
            np.testing.assert_allclose(log_dets[number], log_det, atol=1e-5)


@pytest.mark.parametrize("jit", [False, True])
def test_in_a_graph(case, jit):
    transform, context, _ = case
    z = normal([BATCH, SIZE], 22, 0.7)

    def both(z):
        return transform.forward(z, context), transform.inverse(0.3 * z, context)

    for found, expected in zip(*map(tf.nest.flatten, (tf.function(both, jit_compile=jit)(z), both(z)))):
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_every_weight_and_context_gets_a_gradient_both_ways(case):
    """And a context's is what finite differences say, through the inverse's loops as well."""
    transform, context, weights = case
    z = normal([BATCH, SIZE], 23, 0.7)
    x = transform.forward(z, context)[0]
    variables = weights + ([] if context is None else [tf.Variable(context)])
    for function, at in ((transform.forward, z), (transform.inverse, x)):
        def total(context, function=function, at=at):
            y, log_det = function(at, context)
            return tf.reduce_sum(y**2) + tf.reduce_sum(log_det)

        if not variables:
            continue
        with tf.GradientTape() as tape:
            value = total(context if context is None else variables[-1])
        gradients = tape.gradient(value, [v if isinstance(v, tf.Variable) else v.value for v in variables])
        for gradient in gradients:
            assert np.all(np.isfinite(gradient)) and np.any(gradient.numpy() != 0)
        if context is not None:
            direction = normal(context.shape, 24)
            slope = (total(context + 1e-2 * direction) - total(context - 1e-2 * direction)) / 2e-2
            np.testing.assert_allclose(tf.reduce_sum(gradients[-1] * direction), slope, rtol=2e-2, atol=2e-2)


def test_a_chain_is_its_parts_in_the_order_of_noise_to_data():
    first, second = Bijector(tfp.bijectors.Shift(1.0)), Bijector(tfp.bijectors.Scale(2.0))
    x, log_det = Chain([first, second]).forward(tf.constant([[0.0, 3.0]]))
    np.testing.assert_allclose(x, [[2.0, 8.0]])
    np.testing.assert_allclose(log_det, [2 * np.log(2.0)], rtol=1e-6)
    np.testing.assert_allclose(Chain([first, second]).inverse(x)[0], [[0.0, 3.0]])
    z = normal([2, 3], 1)
    np.testing.assert_array_equal(Chain([]).forward(z)[0], z)


def test_an_autoregressive_step_looks_back_in_its_own_order():
    keras.utils.set_random_seed(1)
    for reverse in (False, True):
        step = InverseAutoregressive(SIZE, (40,), reverse=reverse)
        found = jacobian(lambda z, step=step: step.forward(z, tf.zeros([BATCH, 40]))[0], normal([BATCH, SIZE], 3))
        found = np.abs(found).max(0) > 0
        np.testing.assert_array_equal(found, np.tri(SIZE, dtype=bool).T if reverse else np.tri(SIZE, dtype=bool))


def test_a_planar_step_is_invertible_whatever_its_parameters():
    parameters = normal([2000, Planar.parameters(2)], 1, 5.0)
    z = normal([2000, 2], 2)
    x, log_det = Planar().forward(z, parameters)
    assert np.all(np.isfinite(log_det))
    np.testing.assert_allclose(Planar().forward(Planar().inverse(x, parameters)[0], parameters)[0], x, atol=2e-3)
