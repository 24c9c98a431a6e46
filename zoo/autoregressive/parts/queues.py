"""Queues: what a dilated layer must remember of its input while a sequence is drawn, in a loop that advances a block of
steps at a time.

A layer of dilation d reads its input d steps back. In a block of U steps, if d >= U, all that it reads is known when
the block begins: one entry of U steps, read once. If d < U the first d reads are of the block before, the others of the
block itself. So the graph of a block, U steps written out, touches the queues once a layer, and what a far layer makes
of the past is one matrix product for the block. T. Le Paine et al., Fast Wavenet Generation Algorithm, 2016,
arXiv:1611.09482.
"""

import tensorflow as tf


class Queue:
    """The queue of one layer. Its state is a loop variable: a ring of d / U blocks for a far layer, else the last d
    features, [d, B, C].

    Args:
        dilation, block: both in steps, powers of two.
        features: of the layer's input, C.
    """

    def __init__(self, dilation, block, features):
        self.dilation, self.block, self.features = dilation, block, features
        self.far = dilation >= block

    def empty(self, batch):
        """Returns the state before the first block: zeros, as the convolution's padding."""
        if not self.far:
            return tf.zeros([self.dilation, batch, self.features])
        size = self.dilation // self.block
        ring = tf.TensorArray(tf.float32, size, clear_after_read=False, element_shape=[self.block, None, self.features])
        return ring.unstack(tf.zeros([size, self.block, batch, self.features]))

    def recall(self, state, number):
        """Returns what block `number` reads of the blocks before it: [min(d, U), B, C], of its first steps."""
        return state.read(number % (self.dilation // self.block)) if self.far else state

    def remember(self, state, number, seen, features):
        """Returns the state after block `number`, whose steps had the inputs `features`, U of [B, C]; `seen`: the
        min(d, U) that `recall` gave it."""
        if self.far:
            return state.write(number % (self.dilation // self.block), tf.stack(features))
        return tf.stack((seen + features)[-self.dilation:])
