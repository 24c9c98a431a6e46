"""Shifted convolutions against loops, and the layers around them: no look-ahead, weight normalisation, stateless
dropout."""

import numpy as np
import pytest
import tensorflow as tf

from zoo import random
from zoo.layers import shifted_convolution as shifted
from zoo.layers.dropout import dropout
from zoo.layers.shifted_convolution import GatedResidual, ShiftedConv2D, ShiftedConv2DTranspose

KINDS = [("down", (2, 3)), ("down", (1, 3)), ("down", (3, 5)), ("down_right", (2, 2)), ("down_right", (2, 1)),
         ("down_right", (1, 3)),
         ("down", (1, 1))]


def image(shape=(2, 4, 6, 3)):
    return tf.random.stateless_normal(shape, [1, 2])


def built(layer, x):
    layer(x)
    layer.bias.assign(tf.range(float(layer.bias.shape[0])))
    layer.length.assign(1.0 + tf.range(float(layer.bias.shape[0])))
    return layer


@pytest.mark.parametrize("direction, size", KINDS)
@pytest.mark.parametrize("strides", [1, 2])
def test_a_shifted_convolution_is_its_formula(direction, size, strides):
    x = image()
    layer = built(ShiftedConv2D(4, size, direction, strides), x)
    kernel, (rows, columns), n = layer.kernel().numpy(), size, x.numpy()
    left = (columns - 1) // 2 if direction == "down" else columns - 1
    expected = np.zeros([2, 4 // strides, 6 // strides, 4]) + layer.bias.numpy()
    for i, j, u, v in np.ndindex(*expected.shape[1:3], rows, columns):
        row, column = strides * i + u - (rows - 1), strides * j + v - left
        if row >= 0 and 0 <= column < 6:
            expected[:, i, j] += n[:, row, column] @ kernel[u, v]
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize("direction, columns", [("down", 3), ("down_right", 2)])
def test_a_transposed_one_is_its_formula(direction, columns):
    x = image()
    layer = built(ShiftedConv2DTranspose(4, columns, direction), x)
    kernel, left = layer.kernel().numpy(), 1 if direction == "down" else 0
    expected = np.zeros([2, 8, 12, 4]) + layer.bias.numpy()
    for i, j, u, v in np.ndindex(4, 6, 2, columns):
        if 0 <= 2 * j + v - left < 12:
            expected[:, 2 * i + u, 2 * j + v - left] += x.numpy()[:, i, j] @ kernel[u, v]
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    traced = tf.function(layer, input_signature=[tf.TensorSpec([None, 4, 6, 3])]).get_concrete_function()
    assert traced.output_shapes.as_list() == [None, 8, 12, 4]


def depends(function, shape):
    """bool [outputs' H, W, inputs' H, W]: whether an output sees an input."""
    x = image((1, *shape, 2))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return np.any(tape.jacobian(y, x).numpy()[0, :, :, :, 0] != 0, axis=(2, 5))


@pytest.mark.parametrize("direction", shifted.DIRECTIONS)
def test_down_and_up_again_sees_nothing_later(direction):
    columns = 3 if direction == "down" else 2
    block = GatedResidual(4, (2, columns), direction, joined=True)
    reduce, expand = ShiftedConv2D(4, (2, columns), direction, strides=2), ShiftedConv2DTranspose(4, columns, direction)
    seen = depends(lambda x: block(expand(reduce(x)), [ShiftedConv2D(4, (2, columns), direction)(x)]), (4, 6))
    for i, j, row, column in zip(*np.nonzero(seen)):
        assert row <= i and (direction == "down" or column <= j)
    assert seen[3, 5, 1:, 3:].all()  # the last pixel sees its neighbourhood and itself


@pytest.mark.parametrize("shift, offset", [(shifted.down_shift, (1, 0)), (shifted.right_shift, (0, 1))])
def test_shifts_move_by_one(shift, offset):
    x, y = image().numpy(), shift(image()).numpy()
    for i, j in np.ndindex(4, 6):
        row, column = i - offset[0], j - offset[1]
        np.testing.assert_array_equal(y[:, i, j], x[:, row, column] if min(row, column) >= 0 else np.zeros([2, 3]))


def test_kernels_have_the_length_that_is_learned():
    layer = ShiftedConv2D(5, (2, 3), gain=0.3)
    layer(image())
    np.testing.assert_allclose(np.linalg.norm(np.reshape(layer.kernel(), [-1, 5]), axis=0), np.full([5], 0.3),
                               rtol=1e-5)
    layer.length.assign([1.0, 2.0, 3.0, 4.0, 5.0])
    layer.direction_weight.assign(7.0 * layer.direction_weight)
    np.testing.assert_allclose(np.linalg.norm(np.reshape(layer.kernel(), [-1, 5]), axis=0), [1.0, 2.0, 3.0, 4.0, 5.0],
                               rtol=1e-5)


def test_a_gated_block_is_its_formula():
    x, s, bias = image((2, 3, 4, 5)), image((2, 3, 4, 6)), tf.random.stateless_normal([2, 1, 1, 10], [3, 4])
    block = GatedResidual(5, (2, 2), "down_right", joined=True)
    block(x, [s, x])
    e = lambda t: np.concatenate([np.where(t > 0, t, np.expm1(t)), np.where(t < 0, -t, np.expm1(-t))], -1)  # noqa: E731
    h = block.first(e(x.numpy())) + block.join(np.concatenate([e(s.numpy()), e(x.numpy())], -1))
    a, b = np.split((block.second(e(h.numpy())) + bias).numpy(), 2, -1)
    np.testing.assert_allclose(block(x, [s, x], bias), x + a / (1 + np.exp(-b)), atol=1e-5)


def test_dropout_is_a_function_of_its_seed():
    x, seed = tf.ones([200, 50]), random.seed(1)
    y = dropout(x, 0.2, seed).numpy()
    np.testing.assert_array_equal(y, dropout(x, 0.2, seed))
    assert np.any(y != dropout(x, 0.2, random.seed(2)))
    np.testing.assert_allclose(np.unique(y), [0.0, 1.25])
    assert abs((y == 0).mean() - 0.2) < 4.5 * np.sqrt(0.16 / 10_000)
    assert dropout(x, 0.2) is x and dropout(x, 0.0, seed) is x
    assert dropout(tf.cast(x, tf.bfloat16), 0.5, seed).dtype == tf.bfloat16


def test_dropout_in_a_block_needs_a_seed():
    x, block = image((2, 3, 4, 5)), GatedResidual(5, (2, 3), "down", rate=0.5)
    assert np.any(block(x, seed=random.seed(1)) != block(x))
    np.testing.assert_array_equal(block(x), block(x))


@pytest.mark.parametrize("wrong",
                         [lambda: ShiftedConv2D(4, (2, 2), "down"), lambda: ShiftedConv2D(4, (2, 3), "up"),
                          lambda: ShiftedConv2D(4, (0, 1)),
                          lambda: ShiftedConv2DTranspose(4, 2, "down"),
                          lambda: ShiftedConv2DTranspose(4, 3, "down_right"),
                          lambda: dropout(tf.ones([1]), 1.0, random.seed(0)), lambda: dropout(tf.ones([1]), -0.1)])
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError):
        wrong()
