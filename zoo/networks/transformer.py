"""A transformer's decoder: blocks of causal attention and a two-layer network, each normalised on its way in and added
to what it read.

A. Radford, J. Wu, R. Child, D. Luan, D. Amodei, I. Sutskever, Language Models are Unsupervised Multitask Learners,
2019, section 2.3; its initialisation. Everything but the attention concerns one place alone, so that the same functions
serve the parallel pass (rows are places of a batch of sequences) and the sampler (rows are sequences at one place,
`zoo.layers.attention.Memory` holding the earlier ones).
"""

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.layers import attention
from zoo.layers.dropout import dropout

STDDEV = 0.02
EPSILON = 1e-5  # of a norm's variance


class Affine(keras.layers.Layer):
    """x W + b of rows [N, inputs], in the precision of x."""

    def __init__(self, inputs, outputs, stddev=STDDEV, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.kernel = self.add_weight((inputs, outputs), keras.initializers.RandomNormal(stddev=stddev), name="kernel")
        self.bias = self.add_weight((outputs,), "zeros", name="bias")

    def call(self, x):
        return tf.nn.bias_add(tf.matmul(x, tf.cast(self.kernel, x.dtype)), tf.cast(self.bias, x.dtype))


class LayerNorm(keras.layers.Layer):
    """(x - mean) / sqrt(variance + 1e-5) * g + b over the features of rows [N, width], computed in float32 and returned
    in the precision of x."""

    def __init__(self, width, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.scale = self.add_weight((width,), "ones", name="scale")
        self.offset = self.add_weight((width,), "zeros", name="offset")

    def call(self, x):
        return tf.cast(_normalise(tf.cast(x, tf.float32), tf.cast(self.scale, tf.float32),
                                  tf.cast(self.offset, tf.float32)), x.dtype)


@tf.custom_gradient
def _normalise(x, scale, offset):
    """Normalises the layer [N, width]; its gradient by hand is several times fewer passes over the data than
    autodiff's."""
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + EPSILON)
    n = centred * inverse

    def backward(d):
        dn = d * scale
        dx = inverse * (dn - tf.reduce_mean(dn, -1, keepdims=True) - n * tf.reduce_mean(dn * n, -1, keepdims=True))
        return dx, tf.reduce_sum(d * n, 0), tf.reduce_sum(d, 0)

    return n * scale + offset, backward


def gelu(x):
    """Computes x Phi(x) (D. Hendrycks and K. Gimpel, 2016, arXiv:1606.08415) in its approximation x / 2 (1 +
    tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    # (1 + tanh u) / 2 = sigmoid(2 u), which is fewer passes
    return x * tf.sigmoid(x * (1.5957691216 + 0.0713548163 * tf.square(x)))


class Block(keras.layers.Layer):
    """h += W_o attention(norm(h)), then h += W_2 gelu(W_1 norm(h)); `depth` is the number of blocks that add to h."""

    def __init__(self, width, heads, depth, rate=0.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.heads, self.rate = heads, rate
        residual = STDDEV * (2 * depth) ** -0.5
        self.norms = [LayerNorm(width), LayerNorm(width)]
        self.qkv = Affine(width, 3 * width)
        self.merge = Affine(width, width, residual)
        self.widen = Affine(width, 4 * width)
        self.narrow = Affine(4 * width, width, residual)

    def call(self, h, length=None, seed=None):
        """Maps [batch * length, width] -> the same, in parallel."""
        width = h.shape[-1]
        q, k, v = attention.split_heads(tf.reshape(self.qkv(self.norms[0](h)), [-1, length, 3 * width]), 3, self.heads)
        seen = attention.merge_heads(attention.causal_attention(q, k, v))
        return self._mix(h, tf.reshape(seen, [-1, width]), seed)

    def stepper(self, layer):
        """Returns the function (h, memory) -> h: the block at one place, for centred rows [batch, width]; this place's
        keys and values are added to the memory of the earlier ones.

        At one place the matrices are small, and it is the number of operations that takes the time. So what does not
        depend on h is done to the matrices here,
        once: a norm's gain and offset and the attention's scale belong to the matrix that reads them, and matrices that
        write into h write rows of mean zero, so that a norm is a division by the root of a mean square.
        """
        width = self.norms[0].scale.shape[0]
        size = width // self.heads
        scaled = np.ones([self.heads, 3, size], np.float32)
        scaled[:, 0] = size**-0.5
        read, widen = _after(self.norms[0], self.qkv, scaled.reshape(-1)), _after(self.norms[1], self.widen)
        merge, narrow = _centred(self.merge), _centred(self.narrow)

        def step(h, memory):
            q, k, v = tf.split(tf.reshape(_affine(_shrunk(h), read), [-1, 3, size]), 3, 1)  # [batch * heads, 1, d]
            memory.write(layer, k, v)
            h += _affine(tf.reshape(memory.read(layer, q), [-1, width]), merge)
            return h + _affine(gelu(_affine(_shrunk(h), widen)), narrow)

        return step

    def _mix(self, h, seen, seed):
        # NOTE: the weights of the attention are not dropped, only what enters the sum.
        first, second = (None, None) if seed is None else random.split(seed)
        h += dropout(self.merge(seen), self.rate, first)
        return h + dropout(self.narrow(gelu(self.widen(self.norms[1](h)))), self.rate, second)


def _affine(x, layer):
    return tf.nn.bias_add(tf.matmul(x, layer[0]), layer[1])


def _after(norm, affine, scale=1.0):
    """Returns the matrix and bias that do to the normalised rows, before gain and offset, what `affine` does after
    them, times `scale`."""
    kernel, bias = tf.convert_to_tensor(affine.kernel), tf.convert_to_tensor(affine.bias)
    gain, offset = tf.convert_to_tensor(norm.scale), tf.convert_to_tensor(norm.offset)
    return gain[:, None] * kernel * scale, (tf.linalg.matvec(kernel, offset, transpose_a=True) + bias) * scale


def _centred(affine):
    """Returns the matrix and bias whose outputs are those of `affine` less their mean over the features."""
    kernel, bias = tf.convert_to_tensor(affine.kernel), tf.convert_to_tensor(affine.bias)
    return kernel - tf.reduce_mean(kernel, -1, keepdims=True), bias - tf.reduce_mean(bias)


def _shrunk(h):
    """Returns centred rows over their standard deviation."""
    return h * tf.math.rsqrt(tf.reduce_mean(tf.square(h), -1, keepdims=True) + EPSILON)


class Decoder(keras.layers.Layer):
    """norm(block_n(... block_1(h))): sequences of features of which each sees itself and the earlier ones.

    Args:
        width: features of a place. heads: of the attention, a divisor of `width`. depth: number of blocks. rate: of the
            dropout, in [0, 1).

    Raises:
        ValueError: if `width` is no multiple of `heads`, a number is below 1, or the rate is none.
    """

    def __init__(self, width, heads, depth, rate=0.0, **kwargs):
        super().__init__(**kwargs)
        if min(width, heads, depth) < 1 or width % heads:
            raise ValueError(f"width must be a multiple of heads, and both and layers at least 1, found {width}, "
                             f"{heads} and {depth}.")
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"dropout's rate must be in [0, 1), found {rate}.")
        self.width, self.heads, self.rate = width, heads, rate
        self.blocks = [Block(width, heads, depth, rate) for _ in range(depth)]
        self.norm = LayerNorm(width)

    def call(self, h, seed=None):
        """Maps [batch, T, width] -> the same; `seed` is the noise of dropout, None: none."""
        length = h.shape[1]
        seeds = [None] * (1 + len(self.blocks)) if seed is None else random.split(seed, 1 + len(self.blocks))
        h = dropout(tf.reshape(h, [-1, self.width]), self.rate, seeds[0])
        for block, its_seed in zip(self.blocks, seeds[1:]):
            h = block(h, length=length, seed=its_seed)
        return tf.reshape(self.norm(h), [-1, length, self.width])

    def generate(self, step, state, length, batch):
        """Runs `state = step(place, state, decode)` for each place in turn, where decode(h) is what `call` gives there:
        [batch, width] -> the same."""
        steppers = [block.stepper(layer) for layer, block in enumerate(self.blocks)]

        def with_memory(place, state, memory):
            def decode(h):
                h -= tf.reduce_mean(h, -1, keepdims=True)
                for step_of in steppers:
                    h = step_of(h, memory)
                return self.norm(h)

            return step(place, state, decode)

        size = self.width // self.heads
        return attention.remembering(with_memory, state, length, batch * self.heads, [(size, size)] * len(self.blocks))
