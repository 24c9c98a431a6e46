"""Masked dense layers: a full product with a masked kernel, and orders."""

import numpy as np
import pytest
import tensorflow as tf

from zoo import random
from zoo.autoregressive.parts import orders
from zoo.layers.masked_dense import MaskedDense, StaircaseDense


def full(layer, x, sources, targets):
    """The definition: every closed entry of W set to zero."""
    kernel = layer.matrix().numpy() * (np.asarray(sources)[:, None] <= np.asarray(targets))
    return x @ kernel + (layer.bias.numpy() if layer.use_bias else 0.0)


@pytest.mark.parametrize("use_bias", [True, False])
def test_masked_dense_is_a_full_one_with_a_masked_kernel(use_bias):
    rng = np.random.default_rng(0)
    sources, targets = rng.integers(0, 5, 7), rng.integers(0, 5, 9)
    layer, x = MaskedDense(9, use_bias), rng.normal(size=(4, 7)).astype(np.float32)
    layer(x, tf.constant(sources), tf.constant(targets))
    if use_bias:
        layer.bias.assign(rng.normal(size=9))
    np.testing.assert_allclose(layer(x, tf.constant(sources), tf.constant(targets)), full(layer, x, sources, targets),
                               atol=1e-5)


@pytest.mark.parametrize("inputs, outputs", [(30, 12), (12, 30), (13, 13), (2, 40), (40, 2)])
@pytest.mark.parametrize("blocks", [1, 3, 7])
@pytest.mark.parametrize("use_bias", [True, False])
def test_staircase_is_a_full_one_with_a_masked_kernel(inputs, outputs, blocks, use_bias):
    rng = np.random.default_rng(0)
    sources, targets = np.sort(rng.integers(1, 11, inputs)), np.sort(rng.integers(0, 10, outputs))
    sources[0] = min(sources[0], targets[-1])
    layer, x = StaircaseDense(sources, targets, use_bias, blocks), tf.constant(rng.normal(size=(4, inputs)), tf.float32)
    layer(x)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    allowed = sources[:, None] <= targets
    np.testing.assert_array_equal(layer.matrix().numpy() != 0, allowed)  # every open entry has a weight, and no other
    np.testing.assert_allclose(layer(x), full(layer, x.numpy(), sources, targets), atol=1e-4)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    depends = np.abs(tape.batch_jacobian(y, x)).max(0).T > 0
    np.testing.assert_array_equal(depends, allowed)


def test_a_staircase_stores_little_more_than_what_is_open():
    sources, targets = np.arange(1, 785), 1 + np.arange(8000) * 783 // 8000
    layer = StaircaseDense(sources, targets)
    layer.build((None, 784))
    assert sum(int(np.prod(w.shape)) for w in layer.weights) < 0.57 * 784 * 8000


def test_kernels_start_with_glorots_spread():
    sources, targets = np.arange(1, 301), np.arange(500) * 299 // 500
    layer, other = StaircaseDense(sources, targets), MaskedDense(500)
    layer.build((None, 300))
    other.build((None, 300))
    ours = layer.matrix().numpy()
    np.testing.assert_allclose(ours[ours != 0].std(), other.kernel.numpy().std(), rtol=0.02)


@pytest.mark.parametrize("sources, targets", [([2, 1], [3]), ([1, 2], [3, 2]), ([4, 5], [1, 3])])
def test_staircases_that_are_none_are_refused(sources, targets):
    with pytest.raises(ValueError, match="ascending"):
        StaircaseDense(sources, targets)


PERMUTATION = [0, 5, 6, 1, 3, 2, 4, 7]


def test_permutations_are_functions_of_their_key():
    """Saved models rely on these numbers: they must never change."""
    assert orders.permutation(8, 0, 1).tolist() == orders.permutation(8, 0, 1).tolist() == PERMUTATION
    assert orders.permutation(8, 0, 2).tolist() != PERMUTATION
    np.testing.assert_array_equal(np.sort(orders.permutation(100, 3)), np.arange(100))


def test_positions_invert_an_order_and_entries_keep_channels_together():
    order = np.array([[2, 0, 1], [1, 2, 0]])
    np.testing.assert_array_equal(np.take_along_axis(order, orders.positions(order), 1), [[0, 1, 2]] * 2)
    np.testing.assert_array_equal(orders.entries(order, 2)[0], [4, 5, 0, 1, 2, 3])
    np.testing.assert_array_equal(orders.entries(order, 1), order)


def test_known_places_come_first_and_the_rest_stays_in_order():
    order = tf.constant([[3, 1, 4, 0, 2], [0, 1, 2, 3, 4]])
    known = tf.constant([[True, False, True, False, True], [False] * 5])
    np.testing.assert_array_equal(orders.known_first(order, known), [[4, 0, 2, 3, 1], [0, 1, 2, 3, 4]])


def test_random_subsets_have_their_sizes_and_are_uniform():
    num = 6000
    subsets = orders.random_subsets(random.seed(3), tf.repeat([0, 2, 4], num // 3), 4).numpy()
    np.testing.assert_array_equal(subsets.sum(1), np.repeat([0, 2, 4], num // 3))
    pairs = np.bincount(subsets[num // 3:2 * num // 3] @ [1, 2, 4, 8], minlength=16)
    expected = np.array([bin(i).count("1") == 2 for i in range(16)]) / 6
    assert np.abs(pairs / (num // 3) - expected).max() < 4.5 * np.sqrt(5 / 36 / (num // 3))
    np.testing.assert_array_equal(subsets, orders.random_subsets(random.seed(3), tf.repeat([0, 2, 4], num // 3), 4))


@pytest.mark.parametrize("order", ["spiral", [0, 1], [0, 1, 1], [1, 2, 3], [[0, 1, 2]], [0.0, 1.0, 2.0]])
def test_what_is_no_permutation_is_refused(order):
    with pytest.raises(ValueError, match="no permutation|order must be"):
        orders.check(order, 3)


def test_orders_that_are_permutations_pass():
    np.testing.assert_array_equal(orders.check("raster", 3), [0, 1, 2])
    np.testing.assert_array_equal(orders.check("reversed", 3), [2, 1, 0])
    np.testing.assert_array_equal(orders.check((2, 0, 1), 3), [2, 0, 1])
