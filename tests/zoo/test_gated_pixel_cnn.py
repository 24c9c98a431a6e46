"""Gated PixelCNN: the paper's formula by loops, no blind spot where PixelCNN has one, and a sampler that equals the
naive one."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from tests.support import cases
from zoo import random
from zoo.autoregressive.gated_pixel_cnn import GatedPixelCNN
from zoo.autoregressive.pixel_cnn import PixelCNN
from zoo.layers.gated_convolution import HorizontalConv
from zoo.layers.masked_convolution import MaskedConv2D

KINDS = {
    "binary": dict(shape=(5, 7, 1)),
    "categorical": dict(shape=(4, 3, 1), levels=5, kernel_size=5, block_kernel_size=5),
    "rgb": dict(shape=(3, 5, 3), kernel_size=5),
    "rgb_categorical": dict(shape=(4, 4, 3), levels=3, channels=10, block_kernel_size=5),
    "one_row": dict(shape=(1, 6, 1), block_kernel_size=5),
    "one_column": dict(shape=(5, 1, 2), levels=3),
    "classes": dict(shape=(4, 5, 1), classes=3),
    "features": dict(shape=(3, 3, 3), levels=3, features=(2, 2)),
    "map": dict(shape=(3, 4, 2), levels=3, features=(3, 4, 2), block_kernel_size=5),
    "embedding": dict(shape=(4, 3, 1), levels=4, embedding=3, kernel_size=5),
    "both": dict(shape=(3, 4, 1), levels=2, embedding=2, features=(3, 4, 3)),
}


def make(cls=GatedPixelCNN, **arguments):
    """A tiny model in which the pixels depend on one another, and all of their values occur: the logits' spread is
    about 1.5."""
    keras.utils.set_random_seed(7)
    model = cls(**dict(channels=9, blocks=2, kernel_size=3, head_channels=12) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape,
                                 scale=1.5 / np.sqrt(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.3))
    x = tf.cast(rng.integers(0, model.levels, (64, *model.shape)), model.domain.dtype)
    logits = model.parameters(x, conditions(model, 64)).numpy()
    kernel, bias = model.head[-1].weights
    bias.assign((bias - logits.reshape(-1, bias.shape[0]).mean(0)) * 1.5 / logits.std())
    kernel.assign(kernel * 1.5 / logits.std())
    return model


def conditions(model, num):
    if model.features:
        return tf.random.stateless_normal([num, *model.features], [1, 2])
    return tf.range(num) % model.classes if model.classes else None


def images(model, num, seed=1):
    return tf.constant(np.random.default_rng(seed).integers(0, model.levels, (num, *model.shape)), model.domain.dtype)


@pytest.mark.parametrize("arguments",
                         [dict(shape=(3, 3, 1)), dict(shape=(2, 2, 1), levels=3), dict(shape=(2, 1, 3)),
                          dict(shape=(1, 2, 3), levels=3),
                          dict(shape=(2, 3, 1), classes=2), dict(shape=(3, 2, 1), features=(3,))])
def test_probabilities_of_all_images_sum_to_one(arguments):
    model = make(**arguments)
    every = np.array(list(itertools.product(range(model.levels),
                                            repeat=int(np.prod(model.shape))))).reshape(-1, *model.shape)
    condition = conditions(model, 2)
    for row in range(1 if condition is None else 2):
        given = None if condition is None else tf.repeat(condition[row:row + 1], len(every), axis=0)
        log_prob = model.log_prob(tf.constant(every, model.domain.dtype), given)
        assert np.std(log_prob) > 0.1
        np.testing.assert_allclose(np.sum(np.exp(log_prob, dtype=np.float64)), 1.0, atol=1e-4)


def dependence(model, inputs=3):
    """bool [logits, pixels]: which entry a logit's gradient reaches, at any of a few inputs."""
    size, depends = int(np.prod(model.shape)), 0.0
    for seed in range(inputs):  # some ReLUs are shut at one input
        # row k is for logit k: one pass gives the whole Jacobian
        x = tf.repeat(tf.cast(images(model, 1, seed), tf.float32), size, axis=0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = tf.linalg.diag_part(tf.reshape(model.parameters(x), [size, size]))
        depends += np.abs(tf.reshape(tape.gradient(logits, x), [size, size]))
    return depends > 0


def test_pixel_cnn_has_a_blind_spot_and_gated_pixel_cnn_has_none():
    height, width = 4, 7
    row, column = np.mgrid[:height, :width].reshape(2, -1)
    up, right = row[:, None] - row, column - column[:, None]  # from a logit's pixel (dimension 0) to another
    earlier = (up > 0) | ((up == 0) & (right < 0))
    wedge = earlier & (right > up)  # a 3x3 kernel gets one column to the right with each row that it goes up
    assert wedge.sum() > 50
    plain = make(PixelCNN, shape=(height, width, 1), channels=18, blocks=8, block_kernel_size=3)
    np.testing.assert_array_equal(dependence(plain), earlier & ~wedge)
    np.testing.assert_array_equal(dependence(make(shape=(height, width, 1), blocks=5)), earlier)


@pytest.mark.parametrize("channels", [2, 3])
def test_logits_depend_on_exactly_the_earlier_channels(channels):
    size = 12 * channels
    np.testing.assert_array_equal(dependence(make(shape=(3, 4, channels), channels=24, head_channels=36), inputs=6),
                                  np.tri(size, k=-1) > 0)


def by_loops(model, x, condition):
    """The logits of one image [height, width, channels] as the paper's formula says, pixel by pixel in float64."""
    height, width, colours = model.shape
    weight = lambda t: t.numpy().astype(np.float64)
    sigmoid = lambda a: 1.0 / (1.0 + np.exp(-a))
    gate = lambda z: np.tanh(z[:len(z) // 2]) * sigmoid(z[len(z) // 2:])
    at = lambda m, i, j: m[i, j] if 0 <= i < height and 0 <= j < width else np.zeros(m.shape[-1])
    group = lambda n: np.arange(n) * colours // n
    v = u = x.astype(np.float64) * 2 / (model.levels - 1) - 1
    count = 2 * model.blocks + 1
    h = np.zeros([count, 2 * model.channels])
    if condition is not None:
        h = (weight(model.condition_kernel)[condition] if model.classes
             else condition.ravel() @ weight(model.condition_kernel)).reshape(count, -1)
    for number, layer in enumerate(model.stack):
        first = number == 0
        new_v, new_u = np.zeros([2, height, width, model.channels])
        up, along, half = (
            weight(layer.vertical.kernel),
            weight(layer.horizontal.kernel)[0],
            layer.vertical.kernel_size // 2,
        )
        # nothing of the own pixel is seen by the first layer of one channel
        assert len(along) == half + 1 - (first and colours == 1)
        for i, j in np.ndindex(height, width):
            z = weight(layer.vertical.bias) + sum(
                at(v, i - first - half + a, j - half + b) @ up[a, b] for a, b in np.ndindex(up.shape[:2])
            )
            y = (
                weight(layer.horizontal.bias)
                + z @ weight(layer.link.kernel)[0, 0]
                + h[2 * number + (number < model.blocks)]
            )
            for b, kernel in enumerate(along):
                if b == half:
                    source, target = group(len(kernel))[:, None], np.tile(group(model.channels), 2)
                    kernel = kernel * (source < target if first else source <= target)
                y = y + at(u, i, j - half + b) @ kernel
            out = weight(layer.out.kernel)[0, 0] * (group(model.channels)[:, None] <= group(model.channels))
            new_u[i, j] = (0.0 if first else u[i, j]) + gate(y) @ out + weight(layer.out.bias)
            if number < model.blocks:
                new_v[i, j] = gate(z + h[2 * number])
        v, u = new_v, new_u
    for layer in model.head:
        kernel = weight(layer.kernel)[0, 0]
        u = np.maximum(u, 0.0) @ (kernel * (group(kernel.shape[0])[:, None] <= group(kernel.shape[1]))) + weight(
            layer.bias
        )
    return u


@pytest.mark.parametrize("kind",
                         ["binary", "categorical", "rgb_categorical", "classes", "features", "one_row", "one_column"])
def test_logits_are_those_of_the_formula(kind):
    model = make(**KINDS[kind])
    x, condition = images(model, 2), conditions(model, 2)
    logits = model.parameters(x, condition).numpy()
    for row in range(2):
        expected = by_loops(model, x[row].numpy(), None if condition is None else condition[row].numpy())
        np.testing.assert_allclose(logits[row].ravel(), expected.ravel(), atol=2e-4)


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("groups", [1, 3])
def test_a_horizontal_convolution_is_the_masked_one_without_the_rows_above(kind, groups):
    layer, x = HorizontalConv(2 * groups, 5, kind, groups,
                              gates=2), tf.random.stateless_normal([2, 3, 6, 3 * groups], [1, 2])
    layer.build(x.shape)
    layer.bias.assign(tf.range(4.0 * groups))
    whole = MaskedConv2D(2 * groups, 5, kind, groups)
    whole.build(x.shape)
    for gate in range(2):
        kernel = np.zeros(whole.kernel.shape, np.float32)
        part = layer.kernel.numpy()[0, :, :, gate * 2 * groups:(gate + 1) * 2 * groups]
        kernel[-1, :len(part)] = part
        whole.kernel.assign(kernel)
        whole.bias.assign(layer.bias[gate * 2 * groups:(gate + 1) * 2 * groups])
        np.testing.assert_allclose(layer(x)[..., gate * 2 * groups:(gate + 1) * 2 * groups], whole(x), atol=1e-5)


@pytest.mark.parametrize("kind", cases.slow_but(KINDS, "binary", "rgb_categorical", "classes", "both"))
def test_cached_sampler_and_completion_equal_the_naive_sampler(kind):
    model = make(**KINDS[kind])
    seeds, condition = random.rows(random.seed(3), 5), conditions(model, 5)
    samples = tf.function(model.sample)(seeds, condition)
    np.testing.assert_array_equal(samples, naive_sample(model, model.noise(seeds), condition))
    assert len(np.unique(samples)) > 1 and samples.dtype == model.domain.dtype
    height, width, _ = model.shape
    mask = tf.reshape(tf.sequence_mask([0, 1, height * width // 2, height * width - 1, height * width], height * width),
                      [-1, height, width])
    x = images(model, 5)
    completed = model.complete(x, mask, seeds, condition).numpy()
    np.testing.assert_array_equal(completed[mask], x[mask])
    np.testing.assert_array_equal(completed, naive_sample(model, model.noise(seeds), condition, x, mask))


def test_samples_occur_as_often_as_log_prob_says():
    model = make(shape=(2, 2, 1), features=(2,))
    num, every = 4096, np.array(list(itertools.product([0, 1], repeat=4)), np.float32).reshape(-1, 2, 2, 1)
    condition = tf.constant([[0.7, -0.4]])
    samples = tf.function(model.sample)(random.rows(random.seed(0), num), tf.repeat(condition, num, axis=0))
    counts = np.bincount(np.reshape(samples, [num, 4]).astype(int) @ [8, 4, 2, 1], minlength=16)
    p = np.exp(model.log_prob(every, tf.repeat(condition, 16, axis=0)))
    assert np.all(np.abs(counts / num - p) < 4.5 * np.sqrt(p * (1 - p) / num)) and p.max() < 0.8


def test_a_row_depends_on_its_own_seed_and_condition_alone():
    model = make(**KINDS["features"])
    seeds, condition = random.rows(random.seed(5), 4), conditions(model, 4)
    together = model.sample(seeds, condition).numpy()
    np.testing.assert_array_equal(model.sample(seeds[::-1], condition[::-1]), together[::-1])
    for i in range(4):
        np.testing.assert_array_equal(model.sample(seeds[i:i + 1], condition[i:i + 1])[0], together[i])


@pytest.mark.parametrize("kind", ["classes", "features"])
def test_the_condition_reaches_every_gate(kind):
    model = make(**KINDS[kind])
    x, condition = images(model, 8), conditions(model, 8)
    kernel = tf.convert_to_tensor(model.condition_kernel)
    with tf.GradientTape() as tape:
        tape.watch(model.condition_kernel.value)
        nll = tf.reduce_sum(model.log_prob(x, condition))
    gradient = tape.gradient(nll, model.condition_kernel.value).numpy()
    assert gradient.shape == kernel.shape and np.all(np.abs(gradient).reshape(len(gradient), -1).max(0) > 0)


@pytest.mark.parametrize("wrong",
                         [dict(levels=1), dict(blocks=0), dict(classes=0), dict(head_channels=0),
                          dict(channels=2, shape=(3, 3, 3)),
                          dict(kernel_size=4), dict(kernel_size=1), dict(block_kernel_size=1),
                          dict(block_kernel_size=4),
                          dict(classes=2, features=(2,)), dict(shape=(3, 3))])
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError):
        make(**dict(shape=(3, 3, 1)) | wrong)


def test_a_condition_is_needed_where_there_is_one_and_refused_where_there_is_none():
    seeds = random.rows(random.seed(0), 2)
    for arguments in (dict(classes=2), dict(features=(2,))):
        with pytest.raises(ValueError, match="condition"):
            make(shape=(2, 2, 1), **arguments).sample(seeds)
    with pytest.raises(ValueError, match="condition"):
        make(shape=(2, 2, 1)).sample(seeds, tf.zeros([2], tf.int32))
