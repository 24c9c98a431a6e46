"""Sketch-RNN's samplers, with and without codes: equal to the naive one, as often as the likelihood says, temperature,
completion."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from tests.support.sketch_rnns import MODELS, T, make, seeds, sketches
from zoo import random
from zoo.autoregressive.sketch_rnn_unconditional import UnconditionalSketchRNN
from zoo.distributions import strokes


@pytest.mark.parametrize("classes", [None, 3])
def test_the_sampler_that_remembers_is_the_naive_one(classes):
    model, x = make(UnconditionalSketchRNN, classes=classes), sketches(40)
    condition = None if classes is None else tf.range(40) % 3
    noise = model.noise(seeds(40))
    np.testing.assert_allclose(model.generate(noise, condition), naive_sample(model, noise, condition), atol=1e-5)
    known = tf.sequence_mask(tf.range(40) % (T + 1), T)
    completed = model.complete(x, known, seeds(40), condition).numpy()
    np.testing.assert_allclose(completed, naive_sample(model, noise, condition, x, known), atol=1e-5)
    np.testing.assert_array_equal(completed[known], x[known])
    terms = model.log_probs(completed, condition).numpy()
    np.testing.assert_allclose(model.missing_log_prob(completed, known, seeds(40), condition),
                               np.where(known, 0, terms).sum(1), atol=1e-4)
    assert model.completes_exactly(known) and np.all(terms > -1e6)


def test_teacher_forcing_on_the_same_noise_gives_the_same_sketch():
    model, z = make(classes=2), tf.random.stateless_normal([40, 2], [1, 2])
    condition, noise = tf.range(40) % 2, strokes.noise_rows(seeds(40), T)
    for tau in (1.0, 0.3):
        x = model.draw(z, seeds(40), condition, tf.fill([40], tau))
        np.testing.assert_allclose(strokes.from_noise(model.parameters(x, z, condition), noise, tau), x, atol=1e-5)
        assert len(set(strokes.lengths(x).numpy())) > 2
    x = model.decode(z, condition)
    np.testing.assert_allclose(strokes.likeliest(model.parameters(x, z, condition)), x, atol=1e-5)


def test_sketches_occur_as_often_as_log_prob_says():
    """How long they are, against the probabilities of an end after what was drawn, and states against enumeration where
    offsets do not matter."""
    model, num = make(UnconditionalSketchRNN, shape=(3, 5)), 8000
    kernel = model.decoder.lstm.kernel.numpy()
    kernel[:2] = 0  # offsets are not read: the states are a chain of their own
    model.decoder.lstm.kernel.assign(kernel)
    x = model.sample(seeds(num)).numpy()
    share = {states: np.mean(np.all(x[..., 2:].argmax(-1) == states, 1))
             for states in itertools.product(range(3), repeat=3)}
    total = 0.0
    for states, found in share.items():
        sketch = np.zeros([1, 3, 5], np.float32)
        sketch[0, np.arange(3), 2 + np.array(states)] = 1
        p = float(np.exp(-model.objective(tf.constant(sketch), random.seed(0))["pen"][0]))
        assert abs(found - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-9, (states, found, p)
        total += p
    np.testing.assert_allclose(total, 1.0, atol=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_temperature_is_one_for_each_row_and_1_is_the_model(kind):
    model = make(MODELS[kind])
    np.testing.assert_allclose(model.sample(seeds(30), temperature=1.0), model.sample(seeds(30)), atol=1e-6)
    tau = tf.constant([0.1, 1.0, 1.5] * 10)
    together = model.sample(seeds(30), temperature=tau)
    for row in (0, 4, 8):
        np.testing.assert_allclose(model.sample(seeds(30)[row:row + 1], temperature=float(tau[row])),
                                   together[row:row + 1], atol=1e-5)
    graph = tf.function(lambda s, t: model.sample(s, temperature=t), autograph=False,
                        input_signature=[tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([None])])
    np.testing.assert_allclose(graph(seeds(30), tau), together, atol=1e-5)
    spread = [np.std(model.sample(seeds(400), temperature=t)[:, 0, :2], axis=0).max() for t in (0.01, 0.5, 1.0)]
    assert spread[0] < spread[1] < spread[2]


def test_a_completion_keeps_what_is_given_at_any_temperature():
    model, x = make(UnconditionalSketchRNN), np.array(sketches(30))
    x[:, :2, 2:] = [1, 0, 0]
    known = np.arange(T) < np.full([30, 1], 2)
    np.testing.assert_allclose(model.complete(x, known, seeds(30), temperature=1.0),
                               model.complete(x, known, seeds(30)), atol=1e-6)
    cold = model.complete(x, known, seeds(30), temperature=1e-4).numpy()
    np.testing.assert_array_equal(cold[:, :2], x[:, :2])
    expected = strokes.likeliest(model.parameters(tf.constant(cold))).numpy()
    np.testing.assert_allclose(cold[:, 2:], expected[:, 2:], atol=0.1)


@pytest.mark.parametrize("kind", MODELS)
def test_one_graph_serves_every_batch_size_and_rows_after_an_end_are_ends(kind):
    model = make(MODELS[kind])
    sample = tf.function(model.sample, input_signature=[tf.TensorSpec([None, 2], tf.int32)])
    for num in (1, 7):
        x = sample(seeds(num)).numpy()
        np.testing.assert_allclose(x, model.sample(seeds(num)), atol=1e-6)
        over = strokes.over(x).numpy()
        assert np.all(x[over] == strokes.END) and np.all(x[..., 2:].sum(-1) == 1)
    assert sample.experimental_get_tracing_count() == 1
