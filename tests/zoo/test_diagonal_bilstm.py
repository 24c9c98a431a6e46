"""Diagonal BiLSTM: the paper's formula by loops, a view of all earlier pixels, skewing and its inverse, and a sampler
that equals the naive one."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import cases, pixel_rnns
from tests.support.pixel_rnns import EVERY, KINDS, WRONG, at, cell, seen, weight
from zoo.autoregressive.diagonal_bilstm import DiagonalBiLSTM
from zoo.layers.skewing import skew, unskew


def make(**arguments):
    return pixel_rnns.make(DiagonalBiLSTM, **arguments)


def lstm_by_loops(u, kernel, bias, state_to_state, colours):
    """The map of the LSTM that begins at the left."""
    units = kernel.shape[-1] // 4
    kernel = kernel * np.tile(seen(u.shape[-1], units, colours), 4)
    h, c = np.zeros([2, *u.shape[:2], units])
    for i, j in np.ndindex(u.shape[:2]):
        gates = bias + u[i, j] @ kernel + np.concatenate([at(h, i, j - 1), at(h, i - 1, j)]) @ state_to_state
        h[i, j], c[i, j] = cell(gates, at(c, i, j - 1))
    return h


def layer_by_loops(layer, u, colours):
    kernels, biases = np.split(weight(layer.input_to_state.kernel)[0, 0], 2,
                               -1), np.split(weight(layer.input_to_state.bias), 2)
    left = lstm_by_loops(u, kernels[0], biases[0], weight(layer.left_to_state), colours)
    right = lstm_by_loops(u[:, ::-1], kernels[1], biases[1], weight(layer.right_to_state), colours)[:, ::-1]
    left[1:] += right[:-1]
    return left


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_formula(kind):
    model = make(**KINDS[kind])
    x = pixel_rnns.images(model, 2)
    for image, logits in zip(x.numpy(), model.parameters(x).numpy()):
        np.testing.assert_allclose(logits.ravel(), pixel_rnns.by_loops(model, image, layer_by_loops).ravel(), atol=2e-4)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 4), (4, 1), (3, 5), (5, 3)])
def test_skewing_shifts_each_row_by_one_place_more(height, width):
    x = tf.random.stateless_normal([2, height, width, 3], [1, 2])
    expected = np.zeros([2, height, height + width - 1, 3], np.float32)
    for i in range(height):
        expected[:, i, i:i + width] = x[:, i]
    np.testing.assert_array_equal(skew(x), expected)
    np.testing.assert_array_equal(unskew(skew(x), width), x)
    # What lies outside of the image does not come back.
    np.testing.assert_array_equal(unskew(tf.where(expected == 0.0, 7.0, expected), width), x)


@pytest.mark.parametrize("arguments", EVERY)
def test_probabilities_of_all_images_sum_to_one(arguments):
    np.testing.assert_allclose(pixel_rnns.total_probability(make(**arguments)), 1.0, atol=1e-4)


@pytest.mark.parametrize("shape", [(4, 6, 1), (3, 3, 3)])
def test_a_pixel_sees_all_earlier_ones_but_the_end_of_the_row_above(shape):
    up, right, column = pixel_rnns.displacement(*shape[:2])
    # Mask A hides a pixel from its own place in the map, and the last pixel of a row has no place to its right that
    # could tell.
    hidden = (up == 1) & (column == shape[1] - 1) & (right > 1)
    hidden = np.kron(hidden, np.arange(shape[-1]) == [[shape[-1] - 1]] * shape[-1])  # of its colours, the last one
    found = pixel_rnns.dependence(make(shape=shape, channels=48, head_channels=36))
    np.testing.assert_array_equal(found, (np.tri(len(hidden), k=-1) > 0) & ~hidden)


@pytest.mark.parametrize("kind", cases.slow_but(KINDS, "binary", "rgb_categorical"))
def test_cached_sampler_and_completion_equal_the_naive_sampler(kind):
    pixel_rnns.sampler_equals_naive(make(**KINDS[kind]))


def test_samples_occur_as_often_as_log_prob_says():
    observed, p = pixel_rnns.frequencies(make(shape=(2, 2, 1)))
    assert np.all(np.abs(observed - p) < 4.5 * np.sqrt(p * (1 - p) / 4096)) and p.max() < 0.8


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError):
        make(**dict(shape=(3, 3, 1)) | wrong)
