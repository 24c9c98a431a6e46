"""Row LSTM: an LSTM that goes down the image a row at a time, all columns at once; a pixel sees a triangle above it.

A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759, section 3.1.
What the layer's own map contributes to the gates is one masked convolution along the rows, for all rows before the
recurrence begins.
"""

import keras
import tensorflow as tf

from zoo.autoregressive.parts.pixel_rnn import PixelRNN, lstm
from zoo.layers.gated_convolution import HorizontalConv, dense, windows
from zoo.layers.masked_convolution import MaskedConv2D
from zoo.paper import Paper

SIZE = 3  # of both convolutions along the row


class RowLSTMLayer(keras.layers.Layer):
    """[o, f, i, g] = K_ss * h_{r-1} + K_is * u_r; c_r = f c_{r-1} + i g; h_r = o tanh(c_r), of rows r; u' = u + W h
    (equation 3, section 3.3)."""

    def __init__(self, channels, groups, **kwargs):
        super().__init__(**kwargs)
        self.units = channels // 2
        self.input_to_state = HorizontalConv(self.units, SIZE, "B", groups, gates=4)
        self.expand = MaskedConv2D(channels, 1, "B", groups)

    def build(self, input_shape):
        # No mask: all of the row above is known. A window's columns side by side, so that the convolution is one
        # product.
        self.state_to_state = self.add_weight(shape=(SIZE * self.units, 4 * self.units), initializer="glorot_uniform",
                                              name="state_to_state")

    def from_above(self, h):
        """Computes K_ss * h: [batch, width, units] -> [batch, width, 4 units]."""
        gates = tf.matmul(tf.reshape(windows(h, SIZE), [-1, SIZE * self.units]),
                          tf.convert_to_tensor(self.state_to_state))
        return tf.reshape(gates, [-1, h.shape[1], 4 * self.units])

    def call(self, u):
        gates = tf.transpose(self.input_to_state(u), [1, 0, 2, 3])  # [height, batch, width, 4 units]
        zeros = tf.zeros_like(gates[0, ..., :self.units])
        h, _ = tf.scan(lambda state, row: lstm(row + self.from_above(state[0]), state[1]), gates,
                       (zeros, tf.cast(zeros, tf.float32)))
        return u + self.expand(tf.transpose(h, [1, 0, 2, 3]))

    def zeros(self, batch, width):
        """Returns (memory, state, kept): nothing; the map's features to the left; h and c."""
        return (), tf.zeros([batch, SIZE // 2 * 2 * self.units]), tf.zeros([batch, width, 2 * self.units])

    def pixel(self):
        """Maps (u, [K_ss * h, c] of the row above, the features to the left) -> (u', features to the left of the next,
        [h, c])."""
        input_to_state, expand = self.input_to_state.matrices(), self.expand.matrices()

        def column(u, here, left):
            from_above, c = tf.split(here, [4 * self.units, self.units], -1)
            h, c = lstm(dense(tf.concat([left, u], -1), input_to_state) + from_above, c)
            return u + dense(h, expand), u, tf.concat([h, c], -1)

        return column


class RowLSTM(PixelRNN):
    """log p(x) = sum over pixels and channels of log p(x_{i,c} | x_{<i}, x_{i,<c}) by Row LSTM layers. Arguments and
    what bad ones raise: `PixelRNN`'s."""

    paper = Paper(("van den Oord", "Kalchbrenner", "Kavukcuoglu"),
                  "Pixel Recurrent Neural Networks", 2016, "arXiv:1601.06759")

    recurrent = staticmethod(RowLSTMLayer)

    def above(self, kept, memory):
        """Returns [K_ss * h, c] of the row above."""
        states = [tf.split(states, 2, -1) for states in kept]
        return [tf.concat([layer.from_above(h), c], -1) for layer, (h, c) in zip(self.stack, states)], memory
