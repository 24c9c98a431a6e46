"""A long short-term memory over a sequence: one loop forwards, and one backwards that is written by hand.

S. Hochreiter, J. Schmidhuber, Long Short-Term Memory, 1997; the forget gate: F. A. Gers, J. Schmidhuber, F. Cummins,
2000. Recurrent dropout without memory loss, of what enters a cell and never of what it holds: S. Semeniuta, A. Severyn,
E. Barth, 2016, arXiv:1603.05118. Backwards, the loop keeps only the gates' derivatives, and all weights' gradients are
products after it; autodiff adds to the matrices in every step and takes 1.15 to 1.7 times as long on a CPU.
"""

import keras
import tensorflow as tf


class LSTM(keras.layers.Layer):
    """[i, g, f, o] = W x_t + V h_{t-1} + b + y;  c_t = sigmoid(f) c_{t-1} + sigmoid(i) d_t tanh(g);  h_t = sigmoid(o)
    tanh(c_t).

    y is what the whole sequence is given (`context`), d the dropout's mask. In float32 whatever the dtype policy.

    Args:
        inputs: size of x_t. units: size of h_t and c_t, U.
    """

    def __init__(self, inputs, units, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.units = units
        self.kernel = self.add_weight((inputs, 4 * units), "glorot_uniform", name="kernel")
        self.recurrent = self.add_weight((units, 4 * units), keras.initializers.Orthogonal(), name="recurrent")
        self.bias = self.add_weight((4 * units,), _remember, name="bias")

    def zeros(self, batch):
        """Returns (h, c) before the first step of a sequence that starts from nothing."""
        return tf.zeros([batch, self.units]), tf.zeros([batch, self.units])

    def call(self, x, context=None, state=None, steps=None, keep=None):
        """Computes h_1, ..., h_T of x [T, batch, inputs]: [T, batch, U].

        context: [batch, 4U], added to the gates. state: (h_0, c_0), zeros if None. steps: how many of the T to take
        (int32; the rest of h is zero),
        None: all. keep: d, [T, batch, U], None: ones.
        """
        h, c = self.zeros(tf.shape(x)[1]) if state is None else state
        added = tf.broadcast_to(tf.convert_to_tensor(self.bias), [tf.shape(x)[1], 4 * self.units])
        added = added if context is None else added + context
        steps = tf.constant(x.shape[0]) if steps is None else steps
        weights = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.recurrent)
        return _loop(x, added, *weights, h, c, steps) if keep is None else _loop(x, added, *weights, h, c, steps, keep)

    def matrices(self):
        """Returns what `step` multiplies by, read once before a loop: ([W; V], b)."""
        return tf.concat([tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.recurrent)],
                         0), tf.convert_to_tensor(self.bias)

    def step(self, matrices, x, state, context=None):
        """Returns (h_t, c_t) of x_t [batch, inputs] and (h_{t-1}, c_{t-1})."""
        gates = tf.nn.bias_add(tf.matmul(tf.concat([x, state[0]], -1), matrices[0]), matrices[1])
        *_, c, h = _cell(gates if context is None else gates + context, state[1], None)
        return h, c


def _remember(shape, dtype=None):
    """Returns zeros, but one for the forget gates: a new network remembers."""
    units = shape[0] // 4
    return tf.cast(tf.concat([tf.zeros([2 * units]), tf.ones([units]), tf.zeros([units])], 0), dtype or tf.float32)


def _cell(gates, c, keep):
    i, g, f, o = tf.split(gates, 4, -1)
    i, g, f, o = tf.sigmoid(i), tf.tanh(g), tf.sigmoid(f), tf.sigmoid(o)
    c = f * c + i * (g if keep is None else g * keep)
    s = tf.tanh(c)
    return i, g, f, o, s, c, o * s


@tf.custom_gradient
def _loop(x, added, kernel, recurrent, h, c, steps, keep=None):
    length, units, both = x.shape[0], recurrent.shape[0], tf.concat([kernel, recurrent], 0)
    first_h, first_c = h, c

    def array(size):
        return tf.TensorArray(tf.float32, length, element_shape=[None, size])

    def forward(t, h, c, states, kept):
        gates = tf.matmul(tf.concat([x[t], h], -1), both) + added
        i, g, f, o, s, after, h = _cell(gates, c, None if keep is None else keep[t])
        return t + 1, h, after, states.write(t, h), kept.write(t, tf.concat([i, g, f, o, s, c], -1))

    # The arrays have all places, so that shapes are known; what a shorter loop leaves out reads as zeros.
    start = 0, h, c, array(units), array(6 * units)
    *_, states, kept = tf.while_loop(lambda t, *_: t < steps, forward, start, parallel_iterations=1)
    states, kept = states.stack(), kept.stack()

    def backward(d):
        into_h = tf.transpose(recurrent)

        def step(t, dh, dc, gates):
            i, g, f, o, s, c = tf.split(kept[t], 6, -1)
            dh += d[t]
            dc += dh * o * (1.0 - s * s)
            entered = dc if keep is None else dc * keep[t]
            dgates = tf.concat([entered * g * i * (1.0 - i), entered * i * (1.0 - g * g), dc * c * f * (1.0 - f),
                                dh * s * o * (1.0 - o)], -1)
            return t - 1, tf.matmul(dgates, into_h), dc * f, gates.write(t, dgates)

        start = steps - 1, tf.zeros_like(first_h), tf.zeros_like(first_c), array(4 * units)
        _, dh, dc, gates = tf.while_loop(lambda t, *_: t >= 0, step, start, parallel_iterations=1)
        gates = gates.stack()  # [T, batch, 4U]
        flat = tf.reshape(gates, [-1, 4 * units])
        before = tf.concat([first_h[None], states[:-1]], 0)
        gradients = (tf.reshape(tf.matmul(flat, kernel, transpose_b=True), tf.shape(x)), tf.reduce_sum(gates, 0),
                     tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), flat, transpose_a=True),
                     tf.matmul(tf.reshape(before, [-1, units]), flat, transpose_a=True), dh, dc, None)
        return gradients if keep is None else (*gradients, None)

    return states, backward
