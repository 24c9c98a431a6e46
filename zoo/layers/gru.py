"""Gated recurrent units in layers, above a vector that is read at every step: what unrolls a code to a sequence.

K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, arXiv:1406.1078; the reset gate acts
after the product with the state, as in cuDNN. One step goes through all layers, in one loop (written out, if it is
short): on a CPU up to twice as fast as Keras's layers one after another.
"""

import keras
import tensorflow as tf

_UNROLLED = 32  # steps up to which the loop is written out


class RepeatedGRU(keras.layers.Layer):
    """[u, r] = sigmoid(W x_t + V h_{t-1} + b);  c = tanh(W' x_t + r (V' h_{t-1} + b'') + b');  h_t = u h_{t-1} + (1 -
    u) c, from h_0 = 0.

    The first layer's x_t is the same vector for all t, the next one's is h_t of the layer before. In float32 whatever
    the dtype policy.

    Args:
        inputs: size of the vector. units: of a layer's state, U. layers: how many. length: T, steps.
    """

    def __init__(self, inputs, units, layers, length, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.units, self.depth, self.length = units, layers, length
        self.kernels = [self.add_weight((units if k else inputs, 3 * units), "glorot_uniform", name=f"kernel_{k}")
                        for k in range(layers)]
        self.recurrent = [self.add_weight((units, 3 * units), keras.initializers.Orthogonal(), name=f"recurrent_{k}")
                          for k in range(layers)]
        self.biases = [self.add_weight((2, 3 * units), "zeros", name=f"bias_{k}") for k in range(layers)]

    def call(self, z):
        """Computes h_1, ..., h_T of the last layer, [batch, T, U], of z [batch, inputs]."""
        kernels, recurrent, biases = ([tf.convert_to_tensor(w) for w in some]
                                      for some in (self.kernels, self.recurrent, self.biases))
        first = tf.matmul(z, kernels[0]) + biases[0][0]

        def step(states):
            new = []
            for k, h in enumerate(states):
                x = tf.matmul(new[-1], kernels[k]) + biases[k][0] if k else first
                new.append(self._cell(x, tf.matmul(h, recurrent[k]) + biases[k][1], h))
            return new

        states = [tf.zeros([tf.shape(z)[0], self.units])] * self.depth
        if self.length <= _UNROLLED:
            outputs = []
            for _ in range(self.length):
                states = step(states)
                outputs.append(states[-1])
            return tf.stack(outputs, 1)

        def body(t, states, outputs):
            states = step(states)
            return t + 1, states, outputs.write(t, states[-1])

        outputs = tf.TensorArray(tf.float32, self.length, element_shape=[None, self.units])
        outputs = tf.while_loop(lambda t, *_: t < self.length, body, (0, states, outputs),
                                maximum_iterations=self.length)[-1]
        return tf.transpose(outputs.stack(), [1, 0, 2])

    def _cell(self, x, y, h):
        u, r, c = tf.split(x, 3, -1)
        from_u, from_r, from_c = tf.split(y, 3, -1)
        u, r = tf.sigmoid(u + from_u), tf.sigmoid(r + from_r)
        c = tf.tanh(c + r * from_c)
        return c + u * (h - c)
