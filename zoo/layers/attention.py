"""Causal dot-product attention: in parallel over all places, and place by place with what was read of the earlier ones
remembered.

A. Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762. In parallel a block of queries at a time is held
against the keys up to its end, so that half of the products with what is masked are never formed; a long sequence's
weights are formed again in the backward pass rather than kept, so that memory grows with the length and not with its
square (M. N. Rabe and C. Staats, 2021, arXiv:2112.05682).
"""

import tensorflow as tf

BLOCK = 128  # queries at a time
NEAR = 32  # places of a memory's part that grows
_MASKED = -1e9


def causal_attention(q, k, v, strict=False):
    """o_i = sum_j softmax_j(q_i k_j / sqrt(d)) v_j over the places j <= i, or j < i if `strict` (and then o_0 = 0).

    q, k: [..., T, d]; v: [..., T, e]; returns [..., T, e]. Every output has another place, so T is static.
    """
    length = q.shape[-2]
    q *= tf.cast(q.shape[-1] ** -0.5, q.dtype)
    if length <= BLOCK:
        return _attend(q, k, v, 0, strict)[0]
    return _blockwise(q, k, v, strict)


def _attend(q, k, v, start, strict):
    """Returns (o, weights) of the queries that begin at place `start`, given the keys up to the last query's place."""
    logits = tf.matmul(q, k, transpose_b=True)
    place, key = start + tf.range(q.shape[-2])[:, None], tf.range(k.shape[-2])
    logits += tf.where(key < place if strict else key <= place, tf.zeros([], q.dtype), tf.constant(_MASKED, q.dtype))
    weights = tf.nn.softmax(logits)
    if strict and start == 0:  # the first place sees none, and the softmax of nothing is no distribution
        weights *= tf.cast(tf.range(q.shape[-2])[:, None] > 0, q.dtype)
    return tf.matmul(weights, v), weights


def _blocks(length):
    return [(start, min(start + BLOCK, length)) for start in range(0, length, BLOCK)]


def _blockwise(q, k, v, strict):
    spans = _blocks(q.shape[-2])

    @tf.custom_gradient
    def attend(q, k, v):
        outputs = [_attend(q[..., a:b, :], k[..., :b, :], v[..., :b, :], a, strict)[0] for a, b in spans]

        def backward(gradient):
            dq, dk, dv = [], tf.zeros_like(k), tf.zeros_like(v)
            for a, b in spans:
                # one block's weights at a time, and not before they are needed
                with tf.control_dependencies([gradient, *dq[-1:]]):
                    queries, keys, values = tf.identity(q[..., a:b, :]), k[..., :b, :], v[..., :b, :]
                output, p = _attend(queries, keys, values, a, strict)
                do = gradient[..., a:b, :]
                dp = tf.matmul(do, values, transpose_b=True)
                ds = p * (dp - tf.reduce_sum(do * output, -1, keepdims=True))
                dq.append(tf.matmul(ds, keys))
                rest = [[0, 0]] * (len(q.shape) - 2) + [[0, q.shape[-2] - b], [0, 0]]
                dk += tf.pad(tf.matmul(ds, queries, transpose_a=True), rest)
                dv += tf.pad(tf.matmul(p, do, transpose_a=True), rest)
            return tf.concat(dq, -2), dk, dv

        return tf.concat(outputs, -2), backward

    return attend(q, k, v)


def split_heads(t, parts, heads):
    """Maps [batch, T, heads * parts * d] -> a list of `parts` tensors [batch, heads, T, d]."""
    length, width = t.shape[-2:]
    t = tf.reshape(t, [-1, length, heads, parts, width // (parts * heads)])
    return tf.unstack(tf.transpose(t, [3, 0, 2, 1, 4]))


def merge_heads(t):
    """Maps [batch, heads, T, d] -> [batch, T, heads * d]."""
    return tf.reshape(tf.transpose(t, [0, 2, 1, 3]), [-1, t.shape[2], t.shape[1] * t.shape[3]])


class Memory:
    """The keys and values of several layers of attention at the places so far, for N = batch * heads sequences: what a
    step of `remembering` is given.

    Far places are whole blocks, which are read and not written: keys [N, d, n] and values [N, n, e]; the near ones, at
    most a block of them, grow by one at
    a time: keys [N, m, d] and values [N, m, e]. So a step copies the near ones only.
    """

    def __init__(self, far, near, sizes):
        self._far, self.near, self._sizes = far, list(near), sizes

    def write(self, layer, k, v):
        """Remembers k [N, 1, d] and v [N, 1, e] of this place."""
        keys, values = self.near[layer]
        self.near[layer] = tf.concat([keys, k], 1), tf.concat([values, v], 1)

    def read(self, layer, q):
        """Returns what a query [N, 1, d] sees of the places so far (this one included if it was written): [N, 1, e]; 0
        where there are none.

        The query is scaled by 1 / sqrt(d) already: a step is as slow as its many small operations, and this one is done
        once, to the matrix that makes queries.
        """
        (far_k, far_v), (near_k, near_v) = self._far[layer], self.near[layer]
        weights = tf.nn.softmax(tf.concat([tf.matmul(q, far_k), tf.matmul(q, near_k, transpose_b=True)], -1))
        far, near = tf.split(weights, self._sizes, -1)
        return tf.matmul(far, far_v) + tf.matmul(near, near_v)


def remembering(step, state, length, sequences, sizes, near=None, begin=None):
    """Runs `state = step(place, state, memory)` for the places 0 .. length - 1, in one loop in the graph.

    Args:
        step: gets the place (int32), the state and a `Memory` of the places before; must write this place's keys and
            values once in each layer.
        state: a structure of tensors [rows, ...] and TensorArrays.
        length: number of places.
        sequences: N, the number of sequences of keys (batch times heads).
        sizes: (d, e), the sizes of a key and a value, for each layer.
        near: places of a block, in the place of NEAR.
        begin: `state = begin(state)`, called where a block begins; None: nothing is.
    """
    places = near or NEAR
    near = [(tf.zeros([sequences, 0, d]), tf.zeros([sequences, 0, e])) for d, e in sizes]
    far = [(tf.zeros([sequences, d, 0]), tf.zeros([sequences, 0, e])) for d, e in sizes]
    near_shapes = [(tf.TensorShape([None, None, d]), tf.TensorShape([None, None, e])) for d, e in sizes]
    far_shapes = [(tf.TensorShape([None, d, None]), tf.TensorShape([None, None, e])) for d, e in sizes]
    shapes = tf.nest.map_structure(lambda t: tf.TensorShape([None, *t.shape[1:]]) if tf.is_tensor(t)
                                   else tf.TensorShape(None), state)
    scalar = tf.TensorShape([])

    def block(start, state, far):
        sizes = tf.stack([start, -1])  # of the far places and the near ones, whose number grows
        state = begin(state) if begin else state

        def place(i, state, near):
            memory = Memory(far, near, sizes)
            state = step(i, state, memory)
            return i + 1, state, memory.near

        end = tf.minimum(start + places, length)
        _, state, filled = tf.while_loop(lambda i, *_: i < end, place, (start, state, near),
                                         shape_invariants=(scalar, shapes, near_shapes))
        far = [(tf.concat([far_k, tf.transpose(k, [0, 2, 1])], 2), tf.concat([far_v, v], 1)) for (far_k, far_v),
               (k, v) in zip(far, filled)]
        return end, state, far

    return tf.while_loop(lambda start, *_: start < length, block, (0, state, far),
                         shape_invariants=(scalar, shapes, far_shapes))[1]
