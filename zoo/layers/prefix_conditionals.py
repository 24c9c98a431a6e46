"""NADE's conditionals of all dimensions: activations that run on, a_{d+1} = a_d + x_d W_d, each read by weights of its
dimension's own.

H. Larochelle, I. Murray, The Neural Autoregressive Distribution Estimator, 2011. With rescaled activations: B. Uria, I.
Murray, H. Larochelle, RNADE, 2013, arXiv:1306.0186.
One loop takes a block of dimensions a step: within it a product with a strictly triangular mask gives every dimension's
activations, and one more leads to the next block. What is done is O(D H) for each example; what is held is one block's
activations, forward and backward: the gradient walks back, takes the blocks' inputs off the running activations again,
and computes each block anew.
"""

import numpy as np
import tensorflow as tf

ACTIVATIONS = {"sigmoid": tf.sigmoid, "relu": tf.nn.relu}
# in a block's activations, [block, batch, H]: 4 MiB, about a core's cache; larger and smaller ones are slower
_FLOATS = 2 ** 20


def require(hidden, activation):
    """Raises ValueError for an activation that there isn't, or fewer than one unit."""
    if activation not in ACTIVATIONS or hidden < 1:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)} and hidden at least 1, found {activation!r} "
                         f"and {hidden}.")


def conditionals(x, W, c, V, rho=None, activation="sigmoid", block=None):
    """Computes y_d = V_d^T act(rho_d (c + sum_{e<d} x_e W_e)) for all dimensions d in one pass, [batch, D, outputs].

    Args:
        x: float32 [batch, D].
        W: [D, H]. c: [H]. V: [D, H, outputs]. rho: [D], or None for ones.
        activation: a name in `ACTIVATIONS`.
        block: dimensions a step; None: as many as fit the cache.
    """
    size, hidden, outputs = V.shape
    blocks = _Blocks(size, min(size, block or max(8, _FLOATS // (hidden * (x.shape[0] or 64)))), activation)

    @tf.custom_gradient
    def run(x, c, *weights):  # weights: W, V and, if there is one, rho
        parts = [blocks.split(t) for t in (tf.transpose(x), *weights)]
        last, y = blocks.forward(tf.zeros([tf.shape(x)[0], 1]) + c, parts, outputs)

        def gradient(dy):
            dy_blocks = blocks.split(tf.transpose(dy, [1, 0, 2]))
            # Two walks back, so that a step that has no use for d/dx is not made to compute it.
            da, by_weights = blocks.backward(last, parts, dy_blocks, slice(1, None))
            dx = blocks.backward(last, parts, dy_blocks, slice(0, 1))[1][0]
            by_weights = [blocks.join(g, *w.shape[1:]) for g, w in zip(by_weights, weights)]
            return tf.transpose(blocks.join(dx, -1)), tf.reduce_sum(da, 0), *by_weights

        return tf.transpose(blocks.join(y, -1, outputs), [1, 0, 2]), gradient

    return run(x, c, W, V, *(() if rho is None else (rho,)))


class _Blocks:
    """D dimensions in blocks of at most so many, all of one size, and the two walks over them.

    `parts`, of each walk: x [block, batch], W [block, H], V [block, H, outputs] and rho [block] (or no rho) of every
    block, as `split` gives them.
    """

    def __init__(self, size, most, activation):
        number = -(-size // most)
        block = -(-size // number)  # the same number of blocks with the least padding
        self.size, self.number, self.block, self.act = size, number, block, ACTIVATIONS[activation]
        self.mask = tf.constant(np.tri(block, k=-1, dtype=np.float32)[:, None])  # [to, 1, from]

    def split(self, t):
        """Splits [D, ...] into [number, block, ...], padded with zeros."""
        padded = tf.pad(t, [[0, self.number * self.block - self.size]] + [[0, 0]] * (t.shape.rank - 1))
        return tf.reshape(padded, [self.number, self.block, -1, *t.shape[2:]][:t.shape.rank + 1])

    def join(self, array, *shape):
        """Joins the blocks of a `TensorArray`: [D, *shape]."""
        return tf.reshape(array.stack(), [self.number * self.block, *shape])[:self.size]

    def forward(self, start, parts, outputs):
        """Returns the activations [batch, H] after the last block, and a `TensorArray` of the blocks' outputs."""
        def body(k, a, y):
            y_k, a = self._step(a, *(t[k] for t in parts))
            return k + 1, a, y.write(k, y_k)

        _, last, y = tf.while_loop(lambda k, *_: k < self.number, body, (0, start, self._array(None, outputs)),
                                   parallel_iterations=1)
        return last, y

    def backward(self, last, parts, dy_blocks, chosen):
        """Returns d/dc of each row, [batch, H], and `TensorArray`s of the gradients by the blocks of those `parts` that
        are chosen, a slice."""
        def body(k, a, da, arrays):
            block_of = [t[k] for t in parts]
            # NOTE: rounds differently from the way forward, by about 1e-6 of the largest activation
            a -= _inputs(*block_of[:2])
            with tf.GradientTape() as tape:
                tape.watch([a, *block_of])
                ahead = self._step(a, *block_of)
            da, *found = tape.gradient(ahead, [a, *block_of[chosen]], [dy_blocks[k], da])
            return k - 1, a, da, [t.write(k, g) for t, g in zip(arrays, found)]

        arrays = [self._array(*t.shape[2:]) for t in parts[chosen]]
        state = self.number - 1, last, tf.zeros_like(last), arrays
        _, _, da, arrays = tf.while_loop(lambda k, *_: k >= 0, body, state, parallel_iterations=1)
        return da, arrays

    def _step(self, a, x, W, V, rho=None):
        """Returns a block's outputs [block, batch, outputs], and the next block's activations [batch, H], from this
        one's."""
        seen = tf.reshape(self.mask * tf.transpose(x), [-1, self.block])  # [block * batch, block]
        h = tf.reshape(tf.matmul(seen, W), [self.block, -1, W.shape[-1]]) + a
        h = self.act(h if rho is None else h * rho[:, None, None])
        return tf.matmul(h, V), a + _inputs(x, W)

    def _array(self, *shape):
        return tf.TensorArray(tf.float32, self.number, element_shape=[self.block, *shape])


def _inputs(x, W):
    """Computes what a block adds to the activations: [block, batch], [block, H] -> [batch, H]."""
    return tf.matmul(x, W, transpose_a=True)
