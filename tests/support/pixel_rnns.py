"""What the tests of the two PixelRNNs share: tiny models, and the parts of the paper's formula, by loops in float64."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from benchmarks.naive import naive_sample
from zoo import random

KINDS = {
    "binary": dict(shape=(4, 6, 1)),
    "categorical": dict(shape=(5, 3, 1), levels=5, kernel_size=5),
    "rgb_categorical": dict(shape=(3, 4, 3), levels=3),
    "one_row": dict(shape=(1, 6, 1)),
    "one_column": dict(shape=(4, 1, 2), levels=3),
}
EVERY = [dict(shape=(3, 3, 1)), dict(shape=(2, 2, 1), levels=3), dict(shape=(2, 1, 3)), dict(shape=(1, 2, 3), levels=3)]
WRONG = [dict(levels=1), dict(blocks=0), dict(channels=7), dict(channels=4, shape=(3, 3, 3)), dict(kernel_size=4),
         dict(kernel_size=1),
         dict(shape=(3, 3, 3), head_channels=2), dict(shape=(3, 3))]


def make(cls, **arguments):
    """A tiny model in which the pixels depend on one another, and all of their values occur: the logits' spread is
    about 1.5."""
    keras.utils.set_random_seed(7)
    model = cls(**dict(channels=12, blocks=2, kernel_size=3, head_channels=18) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape,
                                 scale=1.5 / np.sqrt(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.3))
    logits = model.parameters(images(model, 64)).numpy()
    kernel, bias = model.head[-1].weights
    bias.assign((bias - logits.reshape(-1, bias.shape[0]).mean(0)) * 1.5 / logits.std())
    kernel.assign(kernel * 1.5 / logits.std())
    return model


def images(model, num, seed=1):
    return tf.constant(np.random.default_rng(seed).integers(0, model.levels, (num, *model.shape)), model.domain.dtype)


def total_probability(model):
    every = np.array(list(itertools.product(range(model.levels),
                                            repeat=int(np.prod(model.shape))))).reshape(-1, *model.shape)
    log_prob = model.log_prob(tf.constant(every, model.domain.dtype))
    assert np.std(log_prob) > 0.1
    return np.sum(np.exp(log_prob, dtype=np.float64))


def dependence(model, inputs=8):
    """bool [logits, entries]: which entry a logit's gradient reaches, at any of a few inputs."""
    size, depends = int(np.prod(model.shape)), 0.0
    gradient = tf.function(lambda x: tf.gradients(tf.linalg.diag_part(tf.reshape(model.parameters(x), [size, size])),
                                                  x)[0])
    for seed in range(inputs):  # some ReLUs are shut at one input
        # row k is for logit k: one pass gives the whole Jacobian
        x = tf.repeat(tf.cast(images(model, 1, seed), tf.float32), size, axis=0)
        depends += np.abs(tf.reshape(gradient(x), [size, size]))
    return depends > 0


def sampler_equals_naive(model):
    """The cached sampler and completion of a prefix, against the naive sampler on the same noise."""
    seeds, x = random.rows(random.seed(3), 5), images(model, 5)
    samples = model.sample(seeds)
    np.testing.assert_array_equal(samples, naive_sample(model, model.noise(seeds)))
    assert len(np.unique(samples)) > 1 and samples.dtype == model.domain.dtype
    height, width, _ = model.shape
    mask = tf.reshape(tf.sequence_mask([0, 1, height * width // 2, height * width - 1, height * width], height * width),
                      [-1, height, width])
    completed = model.complete(x, mask, seeds).numpy()
    np.testing.assert_array_equal(completed[mask], x[mask])
    np.testing.assert_array_equal(completed, naive_sample(model, model.noise(seeds), None, x, mask))


def with_colours(pixels, colours):
    """bool [entries, entries] from bool [pixels, pixels]: all colours of the pixels that are seen, and of the own pixel
    the earlier ones."""
    return np.kron(pixels, np.ones([colours, colours], bool)) | np.kron(np.eye(len(pixels), dtype=bool),
                                                                        np.tri(colours, k=-1, dtype=bool))


def displacement(height, width):
    """How far up and to the right of a logit's pixel (dimension 0) each pixel (dimension 1) lies, and that pixel's
    column."""
    row, column = np.mgrid[:height, :width].reshape(2, -1)
    return row[:, None] - row, column - column[:, None], np.broadcast_to(column, [row.size, row.size])


def frequencies(model, num=4096):
    """(observed, expected) frequency of each binary image of four pixels."""
    every = np.array(list(itertools.product([0, 1], repeat=4)), np.float32).reshape(-1, *model.shape)
    samples = tf.function(model.sample)(random.rows(random.seed(0), num))
    counts = np.bincount(np.reshape(samples, [num, 4]).astype(int) @ [8, 4, 2, 1], minlength=16)
    return counts / num, np.exp(model.log_prob(every))


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def weight(variable):
    return variable.numpy().astype(np.float64)


def at(m, i, j):
    """m[i, j], zeros outside of the image."""
    return m[i, j] if 0 <= i < m.shape[0] and 0 <= j < m.shape[1] else np.zeros(m.shape[-1])


def seen(inputs, outputs, colours, kind="B"):
    """The mask of the own pixel: whether each output's colour may see each input's."""
    source, target = (np.arange(n) * colours // n for n in (inputs, outputs))
    return source[:, None] < target if kind == "A" else source[:, None] <= target


def pointwise(layer, u, colours):
    """A 1x1 convolution with mask B, at one pixel."""
    kernel = weight(layer.kernel)[0, 0]
    return u @ (kernel * seen(*kernel.shape, colours)) + weight(layer.bias)


def cell(gates, c):
    """(h', c') of one LSTM unit."""
    o, f, i, g = np.split(gates, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def by_loops(model, x, layer_by_loops):
    """The logits of one image, pixel by pixel; `layer_by_loops`: (layer, u, colours) -> the map [height, width, units]
    that goes up to 2h features."""
    height, width, colours = model.shape
    x = x.astype(np.float64) * 2 / (model.levels - 1) - 1
    half, kernel = model.kernel_size // 2, weight(model.first.kernel)
    u = np.zeros([height, width, model.channels])
    for i, j in np.ndindex(height, width):
        earlier = sum(at(x, i + a - half, j + b - half) @ kernel[a, b] for a,
                      b in np.ndindex(kernel.shape[:2]) if a < half or b < half)
        u[i, j] = (
            weight(model.first.bias) + earlier + x[i, j] @ (kernel[half, half] * seen(*kernel.shape[2:], colours, "A"))
        )
    for layer in model.stack:
        u = u + np.apply_along_axis(
            lambda h: pointwise(layer.expand, h, colours), -1, layer_by_loops(layer, u, colours)
        )
    for layer in model.head:
        u = np.apply_along_axis(lambda h: pointwise(layer, np.maximum(h, 0.0), colours), -1, u)
    return u
