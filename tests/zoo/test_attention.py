"""Causal attention, in parallel and with a memory, against the formula written out."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.layers import attention


def by_hand(q, k, v, strict):
    """The formula, one query at a time, in double precision."""
    out = np.zeros([*q.shape[:-1], v.shape[-1]])
    for index in np.ndindex(*q.shape[:-1]):
        *row, i = index
        last = i if strict else i + 1
        if last:
            logits = k[(*row, slice(last))] @ q[index] / np.sqrt(q.shape[-1])
            p = np.exp(logits - logits.max())
            out[index] = p / p.sum() @ v[(*row, slice(last))]
    return out


def inputs(length, key=3, value=5, rows=(2, 2)):
    rng = np.random.default_rng(length)
    return [rng.normal(size=(*rows, length, n)) * 2.0 for n in (key, key, value)]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 21])
def test_parallel_attention_is_the_formula(strict, length, monkeypatch):
    monkeypatch.setattr(attention, "BLOCK", 8)
    q, k, v = inputs(length)
    out = attention.causal_attention(*(tf.constant(t, tf.float32) for t in (q, k, v)), strict)
    np.testing.assert_allclose(out, by_hand(q, k, v, strict), atol=1e-5)


@pytest.mark.parametrize("strict", [False, True])
def test_the_blockwise_gradient_is_that_of_the_whole(strict, monkeypatch):
    tensors = [tf.constant(t) for t in inputs(21)]
    direction = tf.constant(np.random.default_rng(0).normal(size=(2, 2, 21, 5)))

    def gradients(block):
        monkeypatch.setattr(attention, "BLOCK", block)

        @tf.function
        def compute(q, k, v):
            with tf.GradientTape() as tape:
                tape.watch([q, k, v])
                loss = tf.reduce_sum(tf.sin(attention.causal_attention(q, k, v, strict)) * direction)
            return tape.gradient(loss, [q, k, v])

        return compute(*tensors)

    for ours, whole in zip(gradients(4), gradients(100), strict=True):
        np.testing.assert_allclose(ours, whole, atol=1e-12)
    assert all(np.abs(g).max() > 1e-3 for g in gradients(4))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("length", [1, 3, 4, 5, 11])
def test_a_memory_gives_what_the_parallel_pass_does(strict, length, monkeypatch):
    monkeypatch.setattr(attention, "NEAR", 4)
    # layers: [N, T, size] each
    layers = [[tf.constant(t[0], tf.float32) for t in inputs(length, *sizes)] for sizes in ((3, 5), (2, 2))]

    @tf.function(autograph=False)
    def run():
        def step(i, outputs, memory):
            seen = []
            for layer, (q, k, v) in enumerate(layers):
                if not strict:
                    memory.write(layer, k[:, i, None], v[:, i, None])
                seen.append(memory.read(layer, q[:, i, None] * q.shape[-1] ** -0.5)[:, 0])
                if strict:
                    memory.write(layer, k[:, i, None], v[:, i, None])
            return [o.write(i, s) for o, s in zip(outputs, seen)]

        outputs = [tf.TensorArray(tf.float32, length, element_shape=[None, e]) for e in (5, 2)]
        return [o.stack() for o in attention.remembering(step, outputs, length, 2, [(3, 5), (2, 2)])]

    for out, (q, k, v) in zip(run(), layers, strict=True):
        np.testing.assert_allclose(tf.transpose(out, [1, 0, 2]), attention.causal_attention(q, k, v, strict), atol=1e-5)


def test_heads_are_split_and_merged():
    t = tf.reshape(tf.range(2 * 3 * 24), [2, 3, 24])
    parts = attention.split_heads(t, 3, 2)
    assert [p.shape for p in parts] == [(2, 2, 3, 4)] * 3
    for number, part in enumerate(parts):
        np.testing.assert_array_equal(part[:, 1], t[..., 12 + 4 * number:16 + 4 * number])
        np.testing.assert_array_equal(attention.merge_heads(part),
                                      tf.gather(t, [*range(4 * number, 4 * number + 4),
                                                    *range(4 * number + 12, 4 * number + 16)], axis=-1))


def test_long_sequences_do_not_keep_their_weights():
    """What the backward pass needs of the forward one is of the size of its inputs: no tensor of queries times keys."""
    length = 3 * attention.BLOCK
    x = tf.TensorSpec([1, 1, length, 4])

    @tf.function
    def forward(x):
        return attention.causal_attention(x, x, x)

    _, backward = forward.get_concrete_function(x)._delayed_rewrite_functions.forward_backward()
    for captured in backward.graph.inputs:
        assert captured.shape.num_elements() <= 4 * length or captured.shape.rank == 0, captured
