"""Diagonal BiLSTM: two LSTMs that cross the image from its upper corners along the diagonals, so that a pixel sees all
that comes before it.

A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759, section 3.2.
In the skewed image (`skewing`) a diagonal is a column: a state depends on those of its left and of its upper neighbour,
both in the column before. The LSTM from the right would see the pixels to the right, so its map is shifted down by one
row. One earlier pixel stays hidden where the first
convolution does not reach it: mask A hides it from its own place in the map, and the last one of the row above has no
place to its right.
"""

import keras
import tensorflow as tf

from zoo.autoregressive.parts.pixel_rnn import PixelRNN, lstm
from zoo.layers.gated_convolution import HorizontalConv, dense
from zoo.layers.masked_convolution import MaskedConv2D
from zoo.layers.skewing import skew, unskew
from zoo.paper import Paper


class DiagonalBiLSTMLayer(keras.layers.Layer):
    """u' = u + W (h_left + shift(h_right)); of each h: [o, f, i, g] = K_ss [h_{r,k-1}, h_{r-1,k}] + K_is u_{r,k}, c = f
    c_{r,k-1} + i g, h = o tanh(c).

    Columns k count from the side where the LSTM begins; `shift` moves a map down by one row.
    """

    def __init__(self, channels, groups, **kwargs):
        super().__init__(**kwargs)
        self.units = channels // 2
        # the left LSTM's four gates, then the right one's
        self.input_to_state = HorizontalConv(self.units, 1, "B", groups, gates=8)
        self.expand = MaskedConv2D(channels, 1, "B", groups)

    def build(self, input_shape):
        # For the neighbour in the same row, then for the one above; no mask, since both are earlier pixels.
        shape = (2 * self.units, 4 * self.units)
        self.left_to_state, self.right_to_state = (
            self.add_weight(shape=shape, initializer="glorot_uniform", name=f"{side}_to_state")
            for side in ("left", "right"))

    def call(self, u):
        left, right = tf.split(self.input_to_state(u), 2, axis=-1)  # [batch, height, width, 4 units]
        # Outside of the image the gates are zero, bias and all, and with them g: the states stay zero until the image
        # begins.
        # gates: [diagonals, batch, height, 4 units]
        gates = [tf.transpose(skew(t), [2, 0, 1, 3]) for t in (left, tf.reverse(right, [2]))]
        kernels = [tf.convert_to_tensor(k) for k in (self.left_to_state, self.right_to_state)]
        zeros = tf.zeros_like(gates[0][0, ..., :self.units])

        def step(states, gates):
            return tuple(lstm(g + self._from_before(h, k), c) for (h, c), g, k in zip(states, gates, kernels))

        states = tf.scan(step, tuple(gates), ((zeros, tf.cast(zeros, tf.float32)),) * 2)
        # left, right: [batch, height, width, units]
        left, right = (unskew(tf.transpose(h, [1, 2, 0, 3]), u.shape[2]) for h, _ in states)
        right = tf.reverse(right, [2])
        return u + self.expand(left + tf.pad(right[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]]))

    def _from_before(self, h, kernel):
        """Computes K_ss * h in a column of the skewed image: [batch, height, units] -> [batch, height, 4 units]."""
        both = tf.concat([h, tf.pad(h[:, :-1], [[0, 0], [1, 0], [0, 0]])], -1)
        return tf.reshape(tf.matmul(tf.reshape(both, [-1, 2 * self.units]), kernel), [-1, h.shape[1], 4 * self.units])

    def zeros(self, batch, width):
        """Returns (memory, state, kept): h of the right LSTM, a row late; h and c of the left one; its h and the right
        one's gates."""
        state = tf.zeros([batch, self.units])
        return tf.zeros([batch, width, self.units]), (state, state), tf.zeros([batch, width, 5 * self.units])

    def pixel(self):
        """Maps (u, [K_ss * h above of the left LSTM, h above of the right one], (h, c) to the left) -> (u', (h, c), [h,
        the right LSTM's gates])."""
        input_to_state, expand = self.input_to_state.matrices(), self.expand.matrices()
        same_row = tf.convert_to_tensor(self.left_to_state)[:self.units]

        def column(u, here, before):
            from_above, right = tf.split(here, [4 * self.units, self.units], -1)
            left_gates, right_gates = tf.split(dense(u, input_to_state), 2, -1)
            h, c = lstm(left_gates + from_above + tf.matmul(before[0], same_row), before[1])
            return u + dense(h + right, expand), (h, c), tf.concat([h, right_gates], -1)

        return column

    def split(self, kept):
        return tf.split(kept, [self.units, 4 * self.units], -1)

    def rows_above(self, h, right):
        """Computes K_ss * h of the row above alone, of the left LSTM and of the right one: [batch, width, units] ->
        [batch, width, 4 units] each."""
        kernels = [tf.convert_to_tensor(k)[self.units:] for k in (self.left_to_state, self.right_to_state)]
        products = [tf.matmul(tf.reshape(t, [-1, self.units]), k) for t, k in zip((h, right), kernels)]
        return [tf.reshape(t, [-1, h.shape[1], 4 * self.units]) for t in products]


class DiagonalBiLSTM(PixelRNN):
    """log p(x) = sum over pixels and channels of log p(x_{i,c} | x_{<i}, x_{i,<c}) by Diagonal BiLSTM layers. Arguments
    and what bad ones raise: `PixelRNN`'s."""

    paper = Paper(("van den Oord", "Kalchbrenner", "Kavukcuoglu"),
                  "Pixel Recurrent Neural Networks", 2016, "arXiv:1601.06759")

    recurrent = staticmethod(DiagonalBiLSTMLayer)

    def above(self, kept, memory):
        """Returns [K_ss * h above of the left LSTM, h above of the right one]; the right one now crosses the row just
        drawn, all layers in one loop."""
        gates, from_above = [], []
        for layer, its, before in zip(self.stack, kept, memory):
            h, right_gates = layer.split(its)
            left, right = layer.rows_above(h, before)
            from_above.append(left)
            gates.append(tf.transpose(right_gates + right, [1, 0, 2]))  # [width, batch, 4 units]
        kernels = [tf.convert_to_tensor(layer.right_to_state)[:layer.units] for layer in self.stack]
        zeros = tf.zeros_like(memory[0][:, 0])

        def step(states, gates):
            return tuple(lstm(g + tf.matmul(h, k), c) for (h, c), g, k in zip(states, gates, kernels))

        states = tf.scan(step, tuple(gates), ((zeros, zeros),) * self.blocks, reverse=True)
        right = [tf.transpose(h, [1, 0, 2]) for h, _ in states]
        return [tf.concat([f, h], -1) for f, h in zip(from_above, right)], right
