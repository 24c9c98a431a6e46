"""Recurrent networks over sketches: what reads one in both directions, and what draws one step by step.

D. Ha, D. Eck, A Neural Representation of Sketch Drawings, 2017, arXiv:1704.03477, section 3.2. Both are LSTMs in
float32 (`zoo.layers.lstm`). Loops run as long as the longest sketch of a batch does.
"""

import keras
import tensorflow as tf

from zoo import random
from zoo.layers.lstm import LSTM

STROKE = 5  # numbers of a step


class SketchEncoder(keras.layers.Layer):
    """h = [h_forwards; h_backwards], the states of two LSTMs after all steps of a sketch, its end included, from either
    end: [batch, 2 units].

    Args:
        units: of each LSTM. dropout: rate of the recurrent dropout.
    """

    def __init__(self, units, dropout=0.0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.dropout = dropout
        self.directions = [LSTM(STROKE, units), LSTM(STROKE, units)]

    def call(self, x, lengths=None, seed=None):
        """Encodes x, [batch, T, 5]. lengths: steps up to and with the end, int32 [batch], at least 1. seed: the noise
        of
        dropout, None: none."""
        last = tf.stack([lengths - 1, tf.range(tf.shape(x)[0])], -1)
        seeds = (None, None) if seed is None else random.split(seed)
        found = []
        for layer, sequence, its_seed in zip(self.directions,
                                             (x, tf.reverse_sequence(x, lengths, seq_axis=1, batch_axis=0)), seeds):
            h = layer(tf.transpose(sequence, [1, 0, 2]), steps=tf.reduce_max(lengths),
                      keep=_keep(sequence, layer.units, self.dropout, its_seed))
            found.append(tf.gather_nd(h, last))
        return tf.concat(found, -1)


class SketchDecoder(keras.layers.Layer):
    """The parameters of p(S_i | S_<i, y): W_o h_i + b_o, h_i an LSTM's state after [S_{i-1}; y], which starts from
    [h_0; c_0] = tanh(W_y y + b_y).

    Args:
        units: of the LSTM. outputs: number of parameters. context: size of y, what the sketch is given; 0: nothing, and
            h_0 = c_0 = 0.
        dropout: rate of the recurrent dropout. first: S_0.
    """

    def __init__(self, units, outputs, context=0, dropout=0.0, first=(0.0, 0.0, 1.0, 0.0, 0.0), **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.dropout, self.first = dropout, tuple(first)
        self.lstm = LSTM(STROKE, units)
        self.initial = keras.layers.Dense(2 * units, "tanh", dtype="float32") if context else None
        # y's part of the gates, the same in every step.
        self.given = keras.layers.Dense(4 * units, use_bias=False, dtype="float32") if context else None
        self.outputs = keras.layers.Dense(outputs, dtype="float32")

    def call(self, x, context=None, lengths=None, seed=None):
        """Computes [batch, T, outputs] of x [batch, T, 5] and y [batch, context]; beyond the longest of `lengths`,
        b_o."""
        first = tf.broadcast_to(tf.constant(self.first), [tf.shape(x)[0], 1, STROKE])
        before = tf.concat([first, x[:, :-1]], 1)
        state, added = self._start(context)
        h = self.lstm(tf.transpose(before, [1, 0, 2]), context=added, state=state, steps=tf.reduce_max(lengths),
                      keep=_keep(x, self.lstm.units, self.dropout, seed))
        return tf.transpose(self.outputs(h), [1, 0, 2])

    def generate(self, draw, length, batch, context=None):
        """Draws steps, [batch, length, 5]: draw(i, parameters [batch, outputs], whether it has ended [batch]) -> S_i;
        after all ends, zeros."""
        (h, c), added = self._start(context) if context is not None else (self.lstm.zeros(batch), None)
        matrices = self.lstm.matrices()
        kernel, bias = tf.convert_to_tensor(self.outputs.kernel), tf.convert_to_tensor(self.outputs.bias)

        def step(i, x, over, h, c, drawn):
            h, c = self.lstm.step(matrices, x, (h, c), added)
            x = draw(i, tf.nn.bias_add(tf.matmul(h, kernel), bias), over)
            return i + 1, x, over | (x[:, -1] > 0.5), h, c, drawn.write(i, x)

        first = tf.broadcast_to(tf.constant(self.first), [batch, STROKE])
        drawn = tf.TensorArray(tf.float32, length, element_shape=[None, STROKE])
        start = 0, first, tf.zeros([batch], tf.bool), h, c, drawn
        drawn = tf.while_loop(lambda i, x, over, *_: (i < length) & ~tf.reduce_all(over), step, start,
                              parallel_iterations=1)[-1]
        return tf.ensure_shape(tf.transpose(drawn.stack(), [1, 0, 2]), [None, length, STROKE])

    def _start(self, context):
        """Returns ((h_0, c_0) or None, what y adds to the gates or None)."""
        if context is None:
            return None, None
        return tf.split(self.initial(context), 2, -1), self.given(context)


def _keep(x, units, rate, seed):
    """Returns the mask of the recurrent dropout, [T, batch, units]: 1 / (1 - rate) with that probability, else 0; None
    without a seed or a rate."""
    if seed is None or not rate:
        return None
    shape = tf.stack([x.shape[1], tf.shape(x)[0], units])
    return tf.cast(tf.random.stateless_uniform(shape, seed) >= rate, tf.float32) / (1.0 - rate)
