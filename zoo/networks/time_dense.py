"""A time-conditioned dense network, for points and tables: residual blocks that read the time in their middle."""

import keras
import tensorflow as tf

from zoo.layers.timestep import TimeEmbedding


class TimeDense(keras.layers.Layer):
    """f(x, time): [batch, ...], [batch] -> the shape of x. Per width, `h = dense(h)`, then h +
    dense(silu(dense(silu(h)) + dense(embedding))).

    Args:
        widths: of the stages.
        blocks: residual blocks per stage.
    """

    def __init__(self, widths, blocks=1, **kwargs):
        super().__init__(autocast=False, **kwargs)  # the layers cast for themselves; `time` must not lose its bits
        self.widths, self.blocks = tuple(widths), blocks

    def build(self, x_shape, time_shape):
        self.time = TimeEmbedding(self.widths[0])
        self.flatten, self.reshape = keras.layers.Flatten(), keras.layers.Reshape(x_shape[1:])
        self.stages = [(keras.layers.Dense(n), [[keras.layers.Dense(n) for _ in range(3)] for _ in range(self.blocks)])
                       for n in self.widths]
        size = 1
        for n in x_shape[1:]:
            size *= n
        self.out = keras.layers.Dense(size)

    def call(self, x, time):
        embedding, h = self.time(time), self.flatten(x)
        for project, blocks in self.stages:
            h = project(h)
            for first, read_time, second in blocks:
                h = h + second(tf.nn.silu(first(tf.nn.silu(h)) + read_time(embedding)))
        return self.reshape(self.out(tf.nn.silu(h)))
