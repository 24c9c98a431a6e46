"""NADE: the blocked likelihood and its gradient against the naive form and a per-entry loop; enumeration; the naive
sampler; memory."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from tests.zoo.test_fvsbn import KINDS, assert_samples_as_often, assert_sums_to_one, dependence, make
from zoo import random
from zoo.autoregressive.nade import NADE
from zoo.layers import prefix_conditionals

# D, H, outputs, rho
SIZES = {"one output": (7, 5, 1, False), "rescaled": (10, 4, 3, True), "one entry": (1, 3, 2, True)}


def naive(x, W, c, V, rho=None, activation="sigmoid"):
    """`prefix_conditionals.conditionals` by a sum over [batch, D, H]."""
    a = c + tf.cumsum(x[..., None] * W, axis=1, exclusive=True)
    return tf.einsum("bdh,dho->bdo",
                     prefix_conditionals.ACTIVATIONS[activation](a if rho is None else a * rho[:, None]), V)


def arguments(size, hidden, outputs, rescaled, batch=3):
    rng = np.random.default_rng(0)
    shapes = [(batch, size), (size, hidden), (hidden,), (size, hidden, outputs), (size,)]
    return [tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes[:4 + rescaled]]


def values_and_gradients(function, tensors, **options):
    """The outputs, and the gradients of a function of them that weighs every one differently, with regard to all
    tensors."""
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors, **options)
        weights = tf.reshape(tf.cast(tf.range(tf.size(y)), y.dtype), tf.shape(y)) / 50.0
        total = tf.reduce_sum(tf.sin(y) + weights * y ** 2)
    return [y, *tape.gradient(total, tensors)]


@pytest.mark.parametrize("activation", sorted(prefix_conditionals.ACTIVATIONS))
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("block", [1, 3, 4, None])
def test_blocks_give_the_values_and_gradients_of_the_naive_form(activation, sizes, block):
    tensors = arguments(*SIZES[sizes])
    expected = values_and_gradients(naive, tensors, activation=activation)
    traced = tf.function(lambda *t: values_and_gradients(prefix_conditionals.conditionals, list(t),
                                                         activation=activation, block=block))
    for ours, theirs in zip(traced(*tensors), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-4)


def test_eager_gradients_are_those_of_a_graph():
    tensors = arguments(*SIZES["rescaled"])
    eager = values_and_gradients(prefix_conditionals.conditionals, tensors, block=3)
    graph = tf.function(lambda *t: values_and_gradients(prefix_conditionals.conditionals, list(t), block=3))(*tensors)
    for ours, theirs in zip(eager, graph, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_gradients_of_a_long_recurrence_are_exact_to_single_precision():
    """The way back takes blocks off the running activations: after 196 of them the error is still rounding."""
    tensors = arguments(784, 8, 1, False)
    tensors[0] = tf.cast(tensors[0] > 0, tf.float32)
    expected = values_and_gradients(naive, [tf.cast(t, tf.float64) for t in tensors])
    traced = tf.function(lambda *t: values_and_gradients(prefix_conditionals.conditionals, list(t), block=4))
    for ours, theirs in zip(traced(*tensors), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5 * np.abs(theirs).max())


def largest(graph, seen):
    """The largest number of elements in any tensor of a graph, with the graphs of its loops, whose sizes are all
    known."""
    sizes = [output.shape.num_elements() or 0 for op in graph.get_operations() for output in op.outputs
             if output.dtype == tf.float32]
    for name in graph._functions:
        if name not in seen:
            seen.add(name)
            sizes.append(largest(graph._functions[name].graph, seen))
    return max(sizes, default=0)


def test_no_tensor_holds_all_hidden_layers():
    """Training NADE on [batch, D, H] = [8, 96, 16] in blocks of 8 makes no tensor as large as half of that."""
    def graph(function, **options):
        tensors = arguments(96, 16, 1, False, batch=8)
        step = tf.function(lambda *t: values_and_gradients(function, list(t), **options)[2:])
        return step.get_concrete_function(*tensors).graph

    whole = 8 * 96 * 16
    assert largest(graph(prefix_conditionals.conditionals, block=8), set()) < whole // 2
    assert largest(graph(naive), set()) >= whole  # and the measure sees such tensors


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_of_all_examples_sum_to_one(kind, activation):
    assert_sums_to_one(make(NADE, hidden=6, activation=activation, **KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_paper_entry_by_entry(kind):
    model = make(NADE, hidden=6, **KINDS[kind])
    W, c, V, b = (np.asarray(w) for w in (model.W, model.c, model.V, model.b))
    x = np.random.default_rng(1).integers(0, 2, (5, model.size)).astype(np.float32)
    expected = np.zeros_like(x)
    for d, entry in enumerate(model.entries):
        h = 1.0 / (1.0 + np.exp(-(c + x[:, model.entries[:d]] @ W[:d])))
        expected[:, entry] = b[d] + h @ V[d]
    np.testing.assert_allclose(np.reshape(model.parameters(x.reshape(-1, *model.shape)), x.shape), expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_depend_on_exactly_the_earlier_entries(kind):
    model = make(NADE, hidden=6, **KINDS[kind])
    np.testing.assert_array_equal(dependence(model) > 0, np.tri(model.size, k=-1) > 0)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("kind", KINDS)
def test_cached_sampler_equals_naive(kind, activation):
    model = make(NADE, hidden=6, activation=activation, **KINDS[kind])
    seeds = random.rows(random.seed(3), 8)
    samples = model.sample(seeds)
    np.testing.assert_array_equal(samples, naive_sample(model, model.noise(seeds)))
    assert len(np.unique(samples)) == 2


@pytest.mark.parametrize("kind", ["image_in_order", "channels_in_order"])
def test_samples_occur_as_often_as_log_prob_says(kind):
    assert_samples_as_often(make(NADE, hidden=6, **KINDS[kind]))


@pytest.mark.parametrize("wrong, message",
                         [(dict(hidden=0), "hidden"), (dict(activation="sine"), "activation"),
                          (dict(shape=(0,)), "shape"),
                          (dict(order=(0, 0, 1)), "no permutation")])
def test_wrong_arguments_raise(wrong, message):
    with pytest.raises(ValueError, match=message):
        NADE(**dict(shape=(3,), hidden=4) | wrong)
