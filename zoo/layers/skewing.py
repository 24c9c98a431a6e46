"""Skewing: a map whose rows are each one place further to the right than the row above, so that a diagonal of the image
is a column.

A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759, section 3.2.
Written one after the other, rows of width + height that are read as rows of width + height - 1 are shifted by one place
each: no gather is needed.
"""

import tensorflow as tf


def skew(x):
    """y[:, i, i + j] = x[:, i, j], zero elsewhere: [batch, height, width, n] -> [batch, height, height + width - 1,
    n]."""
    _, height, width, n = x.shape
    flat = tf.reshape(tf.pad(x, [[0, 0], [0, 0], [0, height], [0, 0]]), [-1, height * (width + height), n])
    return tf.reshape(flat[:, :height * (width + height - 1)], [-1, height, width + height - 1, n])


def unskew(y, width):
    """x[:, i, j] = y[:, i, i + j], what `skew` undoes: [batch, height, height + width - 1, n] -> [batch, height, width,
    n]."""
    _, height, _, n = y.shape
    flat = tf.pad(tf.reshape(y, [-1, height * (width + height - 1), n]), [[0, 0], [0, height], [0, 0]])
    return tf.reshape(flat, [-1, height, width + height, n])[:, :, :width]
