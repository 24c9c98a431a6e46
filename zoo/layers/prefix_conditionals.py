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
    """y_d = V_d^T act(rho_d (c + sum_{e<d} x_e W_e)) for all dimensions d in one pass, [batch, D, outputs].

    Args:
        x: float32 [batch, D].
        W: [D, H]. c: [H]. V: [D, H, outputs]. rho: [D], or None for ones.
        activation: a name in `ACTIVATIONS`.
        block: dimensions a step; None: as many as fit the cache.
    """
    size, hidden, outputs = V.shape
    block = min(size, block or max(8, _FLOATS // (hidden * (x.shape[0] or 64))))
    number = -(-size // block)
    block = -(-size // number)  # the same number of blocks with the least padding
    padding = number * block - size
    mask, act = tf.constant(np.tri(block, k=-1, dtype=np.float32)[:, None]), ACTIVATIONS[activation]  # [to, 1, from]

    def blocks(t):
        """[D, ...] -> [number, block, ...], padded with zeros."""
        return tf.reshape(tf.pad(t, [[0, padding]] + [[0, 0]] * (t.shape.rank - 1)),
                          [number, block, -1, *t.shape[2:]][:t.shape.rank + 1])

    def dimensions(array, *shape):
        """A `TensorArray` of blocks -> [D, ...]."""
        return tf.reshape(array.stack(), [number * block, *shape])[:size]

    def array(*shape):
        return tf.TensorArray(tf.float32, number, element_shape=[block, *shape])

    def inputs(x, W):
        return tf.matmul(x, W, transpose_a=True)  # [block, batch], [block, H] -> [batch, H]

    def one(a, x, W, V, rho=None):
        """A block's outputs [block, batch, outputs], and the next block's activations [batch, H], from this one's."""
        seen = tf.reshape(mask * tf.transpose(x), [-1, block])  # [block * batch, block]
        h = tf.reshape(tf.matmul(seen, W), [block, -1, hidden]) + a
        h = act(h if rho is None else h * rho[:, None, None])
        return tf.matmul(h, V), a + inputs(x, W)

    @tf.custom_gradient
    def run(x, c, *weights):  # weights: W, V and, if there is one, rho
        x_blocks, *weight_blocks = [blocks(t) for t in (tf.transpose(x), *weights)]

        def forward(k, a, y):
            y_k, a = one(a, x_blocks[k], *(t[k] for t in weight_blocks))
            return k + 1, a, y.write(k, y_k)

        start = tf.zeros([tf.shape(x)[0], 1]) + c
        _, last, y = tf.while_loop(lambda k, *_: k < number, forward, (0, start, array(None, outputs)),
                                   parallel_iterations=1)

        def gradient(dy):
            dy_blocks = blocks(tf.transpose(dy, [1, 0, 2]))

            def pull_back(of_x):
                """d/dc's rows, with d/dx or d/dweights: two loops, so that a step that has no use for d/dx is not made
                to compute it."""
                def backward(k, a, da, arrays):
                    block_of = [x_blocks[k], *(t[k] for t in weight_blocks)]
                    # NOTE: rounds differently from the way forward, by about 1e-6 of the largest activation
                    a -= inputs(*block_of[:2])
                    with tf.GradientTape() as tape:
                        tape.watch([a, *block_of])
                        ahead = one(a, *block_of)
                    da, *found = tape.gradient(ahead, [a, *(block_of[:1] if of_x else block_of[1:])],
                                               [dy_blocks[k], da])
                    return k - 1, a, da, [t.write(k, g) for t, g in zip(arrays, found)]

                arrays = [array(None)] if of_x else [array(*t.shape[1:]) for t in weights]
                state = number - 1, last, tf.zeros_like(last), arrays
                _, _, da, arrays = tf.while_loop(lambda k, *_: k >= 0, backward, state, parallel_iterations=1)
                return da, arrays

            da, arrays = pull_back(of_x=False)
            dx = dimensions(pull_back(of_x=True)[1][0], -1)
            return tf.transpose(dx), tf.reduce_sum(da, 0), *(dimensions(g, *w.shape[1:]) for g,
                                                             w in zip(arrays, weights))

        return tf.transpose(dimensions(y, -1, outputs), [1, 0, 2]), gradient

    return run(x, c, W, V, *(() if rho is None else (rho,)))


def naive(x, W, c, V, rho=None, activation="sigmoid"):
    """`conditionals` by a sum over [batch, D, H], for tests and benchmarks."""
    a = c + tf.cumsum(x[..., None] * W, axis=1, exclusive=True)
    return tf.einsum("bdh,dho->bdo", ACTIVATIONS[activation](a if rho is None else a * rho[:, None]), V)
