"""WaveNet: codes' probabilities that sum to one, causal and of the stated reach, and queues that draw what the whole
network would."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from zoo import random
from zoo.autoregressive.parts import wavenet_sampler
from zoo.autoregressive.wavenet import WaveNet
from zoo.distributions import mu_law
from zoo.layers.causal_convolution import CausalConv1D

TINY = dict(shape=(12,), levels=5, channels=4, layers=3, cycles=1, skip_channels=6, head_channels=7)
KINDS = {
    "plain": {},
    "one_layer": dict(layers=1),
    "cycles": dict(shape=(20,), cycles=2),
    "far": dict(shape=(70,), layers=6, levels=8),  # dilations up to 32, and blocks of 16 at most
    "classes": dict(classes=3),
    "far_classes": dict(shape=(41,), layers=5, classes=3),
    "features": dict(shape=(36,), layers=5, features=(4, 2)),  # frames of nine samples, which blocks cut
    "one_frame": dict(features=(1, 3)),
}


def make(kind="plain", **arguments):
    """A tiny model in which the samples depend on one another and all codes occur."""
    keras.utils.set_random_seed(7)
    model = WaveNet(**TINY | KINDS[kind] | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape,
                                 scale=2.0 / np.sqrt(weight.shape[0]) if len(weight.shape) > 1 else 0.2))
    return model


def condition(model, num):
    if model.classes:
        return tf.range(num) % model.classes
    return tf.random.stateless_normal([num, *model.features], [3, 4]) if model.features else None


def waves(model, num, seed=0):
    return mu_law.decode(np.random.default_rng(seed).integers(0, model.levels, (num, *model.shape)), model.levels)


@pytest.mark.parametrize("kind", ["plain", "classes", "features"])
def test_probabilities_of_all_waveforms_sum_to_one(kind):
    model = make(kind, shape=(4,), layers=2, levels=3, **({"features": (2, 2)} if kind == "features" else {}))
    x = mu_law.decode(np.array(list(itertools.product(range(3), repeat=4))), 3)
    for row in range(2):
        given = condition(model, 2)
        log_prob = model.log_prob(x,
                                  None if given is None else tf.repeat(given[row:row + 1], len(x),
                                                                       0)).numpy().astype(np.float64)
        assert np.std(log_prob) > 0.1
        np.testing.assert_allclose(np.exp(log_prob).sum(), 1.0, atol=1e-4)


@pytest.mark.parametrize("kind", ["plain", "cycles", "features"])
def test_factors_depend_on_exactly_their_receptive_field(kind):
    model = make(kind)
    length, reach = model.shape[0], model.receptive_field
    assert reach == {"plain": 8, "cycles": 15, "features": 32}[kind] and reach < length
    codes, depends = np.random.default_rng(1).integers(0, model.levels, length), np.zeros([length, length], bool)
    given = condition(model, 1)
    for shift in range(1, model.levels):
        changed = np.where(np.eye(length, dtype=bool), (codes + shift) % model.levels, codes)
        both = mu_law.decode(np.concatenate([codes[None], changed]), model.levels)
        logits = model.parameters(both, None if given is None else tf.repeat(given, length + 1, 0)).numpy()
        depends |= np.abs(logits[1:] - logits[:1]).max(-1) > 1e-5  # [changed sample, factor]
    lag = np.arange(length) - np.arange(length)[:, None]
    # a single path leads over the longest lags, and some units are saturated
    assert set(lag[depends]) == set(range(1, reach + 1))


def test_no_gradient_flows_to_a_layer_from_what_comes_before():
    model = make("cycles")
    h = tf.random.stateless_normal([20, 1, 4], [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(h)
        outputs, u = 0.0, h
        for layer in model.stack:
            u, z = layer(u)
            outputs += z
        outputs = tf.reshape(outputs, [20, -1])
    jacobian = np.abs(tape.jacobian(outputs, h)).reshape(20, 4, 20, 4).max((1, 3))
    lag = np.arange(20)[:, None] - np.arange(20)
    np.testing.assert_array_equal(jacobian > 0, (lag >= 0) & (lag < model.receptive_field))


@pytest.mark.parametrize("dilation", [1, 2, 5])
def test_causal_convolution_against_the_library_s(dilation):
    layer, x = CausalConv1D(3, dilation), tf.random.stateless_normal([7, 2, 4], [1, 2])  # [T, B, C]
    layer.build(x.shape)
    layer.bias.assign([1.0, 2.0, 3.0])
    padded = tf.pad(tf.transpose(x, [1, 0, 2]), [[0, 0], [dilation, 0], [0, 0]])
    expected = tf.nn.convolution(padded, tf.reshape(layer.kernel, [2, 4, 3]), dilations=dilation) + layer.bias
    np.testing.assert_allclose(layer(x), tf.transpose(expected, [1, 0, 2]), atol=1e-5)


@pytest.mark.parametrize("kind, block", [*((kind, 4) for kind in KINDS), ("far", 16), ("cycles", 1), ("features", 16)])
def test_queues_draw_what_the_naive_sampler_does(kind, block, monkeypatch):
    monkeypatch.setattr(wavenet_sampler, "BLOCK", block)
    model = make(kind)
    noise, given = model.noise(random.rows(random.seed(3), 5)), condition(model, 5)
    drawn = model.generate(noise, given)
    assert drawn.shape == (5, *model.shape) and set(np.ravel(drawn)) == set(
        mu_law.decode(np.arange(model.levels), model.levels).numpy()
    )
    np.testing.assert_array_equal(drawn, naive_sample(model, noise, given))


def test_samples_occur_as_often_as_log_prob_says():
    model = make(shape=(3,), layers=1, levels=3)
    num, codes = 4096, np.array(list(itertools.product(range(3), repeat=3)))
    drawn = mu_law.encode(tf.function(model.sample)(random.rows(random.seed(0), num)), 3).numpy()
    counts = np.bincount(drawn @ [9, 3, 1], minlength=27)
    p = np.exp(model.log_prob(mu_law.decode(codes, 3)))
    assert np.all(np.abs(counts / num - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-3)


def test_a_continuation_keeps_the_beginning_and_is_drawn_as_the_naive_sampler_does():
    model = make("far_classes")
    x, given, seeds = waves(model, 4), condition(model, 4), random.rows(random.seed(1), 4)
    mask = np.arange(41) < np.array([0, 7, 17, 40])[:, None]
    completed = model.complete(x, mask, seeds, given)
    np.testing.assert_array_equal(completed[mask], x[mask])
    np.testing.assert_array_equal(completed, naive_sample(model, model.noise(seeds), given, x, tf.constant(mask)))


def test_what_is_given_between_the_codes_stands_as_it_is():
    model = make()
    x = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 12)), tf.float32)  # no centres of bins
    mask = np.arange(12)[None].repeat(2, 0) < 6
    completed = model.complete(x, mask, random.rows(random.seed(1), 2))
    np.testing.assert_array_equal(completed[mask], x[mask])


def test_each_class_and_each_frame_matters():
    model = make("classes")
    x = waves(model, 1)
    assert len(np.unique(np.round([float(model.log_prob(x, tf.constant([c]))[0]) for c in range(3)], 3))) == 3
    model = make("features")
    x, features = waves(model, 1), condition(model, 1)
    base = model.log_probs(x, features).numpy()[0]
    for frame in range(4):
        changed = tf.tensor_scatter_nd_add(features, [[0, frame, 0]], [1.0])
        moved = np.abs(model.log_probs(x, changed).numpy()[0] - base) > 1e-6
        assert moved[9 * frame] and not moved[:9 * frame].any()  # from the first sample of the frame on


@pytest.mark.parametrize("arguments, message", [
    (dict(shape=(12, 1)), "shape must be a waveform's"),
    (dict(shape=(7,)), "7 samples are shorter than the receptive field of 8"),
    (dict(levels=1), "levels must be at least 2"), (dict(channels=0), "at least 1"), (dict(layers=0), "at least 1"),
    (dict(classes=0), "at least 1"),
    (dict(features=(5, 2)), "a multiple of the frames"), (dict(features=(3,)), "features must be"),
    (dict(classes=2, features=(3, 2)), "one of classes and features"),
])
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        WaveNet(**TINY | arguments)


def test_a_dilation_beyond_the_sound_and_a_missing_condition_are_refused():
    with pytest.raises(ValueError, match="dilation of 4 needs more"):
        CausalConv1D(2, 4)(tf.zeros([4, 1, 2]))
    with pytest.raises(ValueError, match="dilation must be at least 1"):
        CausalConv1D(2, 0)
    with pytest.raises(ValueError, match="a class label, 0 to 2, per row is needed"):
        make("classes").log_prob(tf.zeros([1, 12]))
    with pytest.raises(ValueError, match="this model takes none"):
        make().sample(random.rows(random.seed(0), 1), tf.zeros([1], tf.int32))
