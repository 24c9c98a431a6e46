"""What every autoregressive model promises, over the tiny instances of `cases.CASES`; and completion, against
enumeration."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from benchmarks.naive import naive_sample
from tests.support import cases
from zoo import random
from zoo.autoregressive.parts import autoregressive
from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.capabilities import Completing
from zoo.model import split_batch

MODELS = sorted(name for name, cls in zoo.MODELS.items() if issubclass(cls, Autoregressive))
HEAVY = ("pixel_cnn_pp",)  # takes as long as five others; its own tests hold its sampler against the naive one
# Models whose own tests hold their samplers, and what these complete, against the naive one in more cases than there
# are here.
OWN = ("gated_pixel_cnn", "row_lstm", "diagonal_bilstm")


def but(*slow):
    return cases.slow_but(MODELS, *(name for name in MODELS if name not in (*HEAVY, *slow)))


@pytest.fixture(params=but(), scope="module")
def model(request):
    """A tiny model in which places depend on one another."""
    model = cases.make(request.param)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 9.0
        weight.assign(weight + rng.normal(size=weight.shape, scale=1.0 / np.sqrt(fan_in)))
    return model


def before(model, num):
    """bool [num places, *places]: the first k places in the model's order, k = 0 .. places - 1."""
    size = math.prod(model.domain.places)
    mask = np.zeros([size, size], bool)
    for k in range(size):
        mask[k, model.order[:k]] = True
    return mask.reshape(size, *model.domain.places)


def test_a_changed_place_leaves_the_terms_before_it(model):
    """The look-ahead test: entry k of x may reach the terms of k and of what comes after it, and no other."""
    x, condition = split_batch(cases.batch(model, 1))
    known = before(model, 1)
    size = len(known)
    other, _ = split_batch(cases.batch(model, 1, seed=9))
    image = len(model.domain.shape) > len(model.domain.places)
    one = np.zeros([size, size], bool)
    one[np.arange(size), model.order] = True
    one = one.reshape(known.shape)
    changed = tf.where(one[..., None] if image else one, other, x)
    repeat = None if condition is None else tf.repeat(condition, size, axis=0)
    terms, base = model.log_probs(changed, repeat).numpy(), model.log_probs(x, condition).numpy()
    assert terms.shape == (size, *model.domain.places)
    np.testing.assert_allclose(terms[known], np.broadcast_to(base, terms.shape)[known], atol=2e-5)
    assert np.abs(terms - base)[~known].max() > 1e-3  # something depends on something
    np.testing.assert_allclose(terms.reshape(size, -1).sum(1), model.log_prob(changed, repeat), rtol=1e-4, atol=1e-4)


def test_no_gradient_flows_from_a_term_to_what_comes_after(model):
    x, condition = split_batch(cases.batch(model, 2))
    if model.domain.dtype == tf.int32 or model.domain.kind == "waveform":
        pytest.skip("levels are looked up or rounded: the perturbation test stands for the gradient")
    for k, known in list(enumerate(before(model, 1)))[::2]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            term = (
                tf.reduce_sum(tf.boolean_mask(model.log_probs(x, condition), known, axis=1))
                if k
                else 0.0 * tf.reduce_sum(x)
            )
        gradient = tape.gradient(term, x)
        given = np.broadcast_to(known[..., None] if len(x.shape) > 1 + known.ndim else known, x.shape[1:])
        assert gradient is None or not np.any(gradient.numpy()[:, ~given])


def close(model):
    exact = model.domain.dtype == tf.int32 or model.domain.kind == "binary"
    return np.testing.assert_array_equal if exact else lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4)


@pytest.mark.parametrize("model", but(*OWN, "pixel_snail", "image_gpt", "wavenet"), indirect=True)
def test_cached_sampler_equals_naive(model):
    _, condition = split_batch(cases.batch(model, 4))
    noise = model.noise(random.rows(random.seed(3), 4))
    drawn = model.generate(noise, condition)
    assert drawn.shape == (4, *model.domain.shape) and drawn.dtype == model.domain.dtype
    close(model)(drawn, naive_sample(model, noise, condition))
    assert len({row.tobytes() for row in np.asarray(drawn)}) > 1


@pytest.mark.parametrize("model", but(*OWN, "wavenet"), indirect=True)
def test_complete_draws_what_follows_as_the_naive_sampler_does(model):
    known = before(model, 1)
    mask = np.concatenate([known[[0, len(known) // 2, -1]], np.ones([1, *model.domain.places], bool)])
    x, condition = split_batch(cases.batch(model, 4))
    seeds = random.rows(random.seed(3), 4)
    completed = model.complete(x, mask, seeds, condition)
    assert isinstance(model, Completing) and completed.dtype == model.domain.dtype
    kept(x, completed, mask)
    if not overrides(model):
        close(model)(completed, naive_sample(model, model.noise(seeds), condition, x, tf.constant(mask)))
        close(model)(completed[0], model.sample(seeds, condition)[0])
    close(model)(completed, tf.function(model.complete)(x, tf.constant(mask), seeds, condition))
    expected = np.where(mask, 0.0, model.log_probs(x, condition)).reshape(4, -1).sum(1)
    if not overrides(model):
        np.testing.assert_allclose(model.missing_log_prob(x, mask, seeds, condition), expected, atol=1e-3)


def overrides(model):
    """Whether the model completes in a way of its own, for which it has tests of its own."""
    return type(model).complete is not Autoregressive.complete


def kept(x, completed, mask):
    image = len(x.shape) > mask.ndim
    where = np.broadcast_to(mask[..., None] if image else mask, x.shape)
    np.testing.assert_array_equal(np.asarray(completed)[where], np.asarray(x)[where])


@pytest.mark.parametrize("model", but(*OWN, "pixel_snail", "image_gpt", "wavenet"), indirect=True)
def test_complete_keeps_any_known_places(model):
    x, condition = split_batch(cases.batch(model, 3))
    mask = np.random.default_rng(0).random((3, *model.domain.places)) < 0.5
    mask.reshape(3, -1)[:, -1] = True  # no prefix
    mask.reshape(3, -1)[:, 0] = False
    seeds = random.rows(random.seed(5), 3)
    completed = tf.function(model.complete)(x, tf.constant(mask), seeds, condition)
    kept(x, completed, mask)
    assert np.all(np.isfinite(model.missing_log_prob(x, mask, seeds, condition)))
    close(model)(completed[1:2],
                 model.complete(x[1:2], mask[1:2], seeds[1:2], None if condition is None else condition[1:2]))


def test_a_mask_of_the_wrong_shape_is_refused(model):
    x, condition = split_batch(cases.batch(model, 2))
    for call in (model.complete, model.missing_log_prob):
        with pytest.raises(ValueError, match="mask must be"):
            call(x, np.ones([2, 1 + math.prod(model.domain.places)], bool), random.rows(random.seed(0), 2), condition)


def pixel_cnn():
    """A tiny model whose later pixels say much of the earlier ones: the logits' spread is 1.5."""
    keras.utils.set_random_seed(7)
    model = zoo.create("pixel_cnn", shape=(2, 3, 1), channels=18, blocks=2, head_channels=16)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape,
                                 scale=1.5 / np.sqrt(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.3))
    logits = model.parameters(np.array(list(itertools.product([0, 1], repeat=6)),
                                       np.float32).reshape(-1, 2, 3, 1)).numpy()
    kernel, bias = model.head[-1].weights
    bias.assign((bias - logits.mean()) * 1.5 / logits.std())
    kernel.assign(kernel * 1.5 / logits.std())
    return model


@pytest.mark.parametrize("known", cases.slow_but([(0, 0, 1, 0, 0, 1), (0, 1, 0, 1, 0, 1)], (0, 1, 0, 1, 0, 1)))
def test_completion_of_any_mask_against_enumeration(known, monkeypatch):
    monkeypatch.setattr(autoregressive, "CANDIDATES", 64)
    model, known = pixel_cnn(), np.array(known, bool)
    images = np.array(list(itertools.product([0, 1], repeat=6)), np.float32)
    log_prob = model.log_prob(images.reshape(-1, 2, 3, 1)).numpy()
    truth = images[37]
    fits = (images[:, known] == truth[known]).all(1)
    posterior = np.where(fits, np.exp(log_prob), 0.0) / np.exp(log_prob)[fits].sum()
    terms = model.log_probs(images.reshape(-1, 2, 3, 1), None).numpy().reshape(-1, 6)
    proposed = np.where(fits, np.exp(np.where(known, 0.0, terms).sum(1)), 0.0)
    assert np.abs(proposed - posterior).max() > 0.2  # what candidates are without their weights
    num = 2000
    x, mask = np.repeat(truth.reshape(1, 2, 3, 1), num, 0), np.repeat(known.reshape(1, 2, 3), num, 0)
    seeds = random.rows(random.seed(1), num)
    drawn = tf.function(model.complete)(x, tf.constant(mask), seeds).numpy().reshape(num, 6)
    share = np.array([(drawn == image).all(1).mean() for image in images])
    assert np.abs(share - posterior).max() < 4 * math.sqrt(0.25 / num) + 0.01 and posterior.max() < 0.9
    bounds = tf.function(model.missing_log_prob)(x, tf.constant(mask), seeds).numpy()
    np.testing.assert_allclose(np.mean(bounds), np.log(posterior[37]), atol=0.05)


def test_missing_log_prob_is_that_of_what_complete_draws(monkeypatch):
    """With two candidates importance resampling is far from the posterior; the mean of the bound's exponential is its
    own probability all the same."""
    monkeypatch.setattr(autoregressive, "CANDIDATES", 2)
    model, num = pixel_cnn(), 4000
    known, truth = np.array([0, 1, 0, 1, 0, 1], bool), np.array([1, 0, 0, 1, 0, 1], np.float32)
    x, mask = np.repeat(truth.reshape(1, 2, 3, 1), num, 0), np.repeat(known.reshape(1, 2, 3), num, 0)
    drawn = tf.function(model.complete)(x, tf.constant(mask), random.rows(random.seed(1), num)).numpy().reshape(num, 6)
    share = (drawn == truth).all(1).mean()
    bounds = tf.function(model.missing_log_prob)(x, tf.constant(mask), random.rows(random.seed(2), num)).numpy()
    assert 0.02 < share < 0.9 and np.std(bounds) > 0.01
    np.testing.assert_allclose(np.exp(bounds).mean(), share,
                               atol=4 * math.sqrt(share * (1 - share) / num) + 4
                               * np.std(np.exp(bounds)) / math.sqrt(num))
    assert bounds.mean() < np.log(np.exp(bounds).mean())
