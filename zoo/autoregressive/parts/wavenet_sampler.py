"""Drawing from WaveNet a block of samples in each step of the loop, one after another, with the layers' inputs
remembered in queues.

T. Le Paine et al., Fast Wavenet Generation Algorithm, 2016, arXiv:1611.09482. What a far layer makes of the past is one
product for the block; the rest is a column of small products for each sample.
"""

import tensorflow as tf

from zoo.autoregressive.parts.queues import Queue
from zoo.distributions import mu_law
from zoo.layers.gated_convolution import gated

BLOCK = 8  # steps of the loop that are written out in the graph, at most; a power of two


def generate(model, noise, condition=None, x=None, known=None):
    """Draws waveforms [B, T] from `model.noise`'s draws; where `known` (bool [B, T]), x's samples stand."""
    length, batch = model.shape[0], tf.shape(noise)[0]
    sampler = _Sampler(model, noise, condition, x, known)
    start = (0, tf.fill([batch], model.start), [queue.empty(batch) for queue in sampler.queues],
             tf.TensorArray(tf.int32, sampler.blocks, element_shape=[sampler.block, None]))
    drawn = tf.while_loop(lambda number, *_: number < sampler.blocks, sampler.step, start)[-1]
    codes = tf.reshape(drawn.stack(), [sampler.blocks * sampler.block, -1])[:length]
    drawn = mu_law.decode(tf.transpose(codes), model.levels)
    return tf.ensure_shape(drawn if known is None else tf.where(known, x, drawn), [None, length])


class _Sampler:
    """The network at one sample of each waveform, and what is given of all of them, [blocks, block, B]."""

    def __init__(self, model, noise, condition, x, known):
        self.model, self.length = model, model.shape[0]
        self.block = min(BLOCK, 2 ** (self.length - 1).bit_length())
        self.blocks = -(-self.length // self.block)
        self.queues = [Queue(dilation, self.block, model.channels) for dilation in model.dilations]
        self.taps = [layer.convolution.matrices() for layer in model.stack]
        self.residuals = [None if layer.residual is None else tf.convert_to_tensor(layer.residual.kernel)
                          for layer in model.stack]
        self.head = [(tf.convert_to_tensor(layer.kernel), tf.convert_to_tensor(layer.bias)) for layer in model.head]
        self.embedding, self.context = tf.convert_to_tensor(model.embedding), model.context(condition)
        self.noise, self.given = self._in_blocks(noise), None
        if known is not None:
            self.given = self._in_blocks(mu_law.encode(x, model.levels)), self._in_blocks(known)

    def step(self, number, code, states, drawn):
        """Draws block `number`, after the sample of which `code` is the code."""
        seen, added = self._past(number, states)
        remembered = [[] for _ in self.queues]
        uniforms, codes = tf.unstack(self.noise[number], self.block), []
        for step in range(self.block):
            code = mu_law.from_noise(self._logits(step, code, seen, added, remembered), uniforms[step])
            if self.given is not None:
                given, known = self.given
                code = tf.where(known[number, step], given[number, step], code)
            codes.append(code)
        states = [queue.remember(state, number, past, h)
                  for queue, state, past, h in zip(self.queues, states, seen, remembered)]
        return number + 1, code, states, drawn.write(number, tf.stack(codes))

    def _past(self, number, states):
        """Returns, for each layer, what the block reads of the blocks before, [B, C] of each of its first steps, and
        what is known of its pre-activations when the block begins, [B or 1, 2C] of each step."""
        seen, added = [queue.recall(state, number) for queue, state in zip(self.queues, states)], self._biases(number)
        channels = self.model.channels
        for i, (queue, (past, _, _)) in enumerate(zip(self.queues, self.taps)):
            if queue.far:  # all that the block reads of the past, in one product
                product = tf.matmul(tf.reshape(seen[i], [-1, channels]), past)
                added[i] += tf.reshape(product, [self.block, -1, 2 * channels])
            added[i] = tf.unstack(added[i]) if added[i].shape[0] == self.block else [added[i][0]] * self.block
            seen[i] = tf.unstack(seen[i], min(queue.dilation, self.block))
        return seen, added

    def _biases(self, number):
        """Returns, for each layer, its bias and what is conditioned on, [block or 1, B or 1, 2C]."""
        if self.context is None:
            return [bias[None, None] for _, _, bias in self.taps]
        frames = self.context.shape[0]
        frame = tf.minimum((number * self.block + tf.range(self.block)) * frames // self.length, frames - 1)
        contexts = self.model.per_layer(tf.gather(self.context, frame))
        return [context + bias for context, (_, _, bias) in zip(contexts, self.taps)]

    def _logits(self, step, code, seen, added, remembered):
        """Computes the logits of a step of the block; appends each layer's input to `remembered`."""
        h, outputs = tf.gather(self.embedding, code), []
        for i, (queue, (past, now, _), residual) in enumerate(zip(self.queues, self.taps, self.residuals)):
            remembered[i].append(h)
            u = tf.matmul(h, now) + added[i][step]
            if not queue.far:
                u += tf.matmul((seen[i] + remembered[i])[step], past)
            outputs.append(gated(u))
            h = h if residual is None else h + tf.matmul(outputs[-1], residual)
        h = tf.concat(outputs, -1)
        for (kernel, bias), activation in zip(self.head, (tf.nn.relu, tf.nn.relu, tf.identity)):
            h = activation(tf.nn.bias_add(tf.matmul(h, kernel), bias))
        return h

    def _in_blocks(self, t):
        """Cuts [B, T] into [blocks, block, B], filled up with zeros."""
        t = tf.pad(tf.transpose(t), [[0, self.blocks * self.block - self.length], [0, 0]])
        return tf.reshape(t, [self.blocks, self.block, -1])
