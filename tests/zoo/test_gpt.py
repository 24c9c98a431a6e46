"""GPT: probabilities that sum to one, with and without an end; no look-ahead; a cached sampler that equals the naive
one; likely tokens only."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from zoo import random
from zoo.autoregressive.gpt import GPT, likely
from zoo.distributions import categories
from zoo.layers import attention
from zoo.training.game import losses_and_gradients


def make(**arguments):
    """A tiny model in which the tokens depend on one another."""
    keras.utils.set_random_seed(7)
    model = GPT(**dict(shape=(5,), levels=3, width=12, heads=3, layers=2) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(size=weight.shape,
                                          scale=1.2 / np.sqrt(weight.shape[0]) if len(weight.shape) > 1 else 0.3))
    return model


def every_text(length, levels):
    return tf.constant(list(itertools.product(range(levels), repeat=length)), tf.int32)


@pytest.mark.parametrize("length, levels, end", [(5, 3, None), (1, 4, None), (4, 3, 0), (4, 3, 2)])
def test_probabilities_of_all_texts_sum_to_one(length, levels, end):
    model, texts = make(shape=(length,), levels=levels, end=end), every_text(length, levels)
    log_prob = model.log_prob(texts).numpy()
    np.testing.assert_allclose(np.exp(log_prob, dtype=np.float64).sum(), 1.0, atol=1e-5)
    ended = texts.numpy()[:, :-1] == end
    impossible = (ended & (texts.numpy()[:, 1:] != end)).any(1)
    assert np.all((log_prob < -1e6) == impossible)
    assert np.std(log_prob[~impossible]) > 0.1


def test_what_follows_the_end_is_certain_and_adds_nothing():
    model = make(end=1)
    terms = model.log_probs(tf.constant([[0, 2, 1, 1, 1], [1, 1, 1, 1, 1], [2, 0, 0, 2, 1]])).numpy()
    assert terms.shape == (3, 5)
    np.testing.assert_array_equal(terms[0, 3:], 0.0)
    np.testing.assert_array_equal(terms[1, 1:], 0.0)
    assert np.all(terms[0, :3] < 0) and terms[1, 0] < 0 and np.all(terms[2] < 0)
    texts = model.sample(random.rows(random.seed(0), 300)).numpy()
    first = np.where((texts == 1).any(1), (texts == 1).argmax(1), 5)
    assert len(set(first)) == 6 and all(np.all(text[f:] == 1) for text, f in zip(texts, first))
    _, gradients = losses_and_gradients(model.players()[0], tf.constant(texts[:50]), random.seed(0))
    assert all(np.all(np.isfinite(g)) for g in gradients)


def test_the_parallel_pass_is_the_formula():
    """One block in double precision, written out place by place."""
    model = make(layers=1, heads=2, width=8, levels=4)
    block, x = model.decoder.blocks[0], np.array([2, 0, 3, 3, 1])
    w = {name: [np.array(v, np.float64) for v in getattr(block, name).weights]
         for name in ("qkv", "merge", "widen", "narrow")}

    def norm(layer, h):
        scale, offset = (np.array(v, np.float64) for v in layer.weights)
        return (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-5) * scale + offset

    def affine(name, h):
        return h @ w[name][0] + w[name][1]

    tokens = np.array(model.tokens, np.float64)
    h = np.concatenate([[model.start.numpy()], tokens[x[:-1]]]) + np.array(model.positions)
    q, k, v = (np.concatenate([part, other], 1) for part,
               other in zip(*(np.split(a, 3, 1) for a in np.split(affine("qkv", norm(block.norms[0], h)), 2, 1))))
    seen = np.zeros([5, 8])
    for head in (slice(0, 4), slice(4, 8)):
        for i in range(5):
            p = np.exp(k[:i + 1, head] @ q[i, head] / 2.0)
            seen[i, head] = p / p.sum() @ v[:i + 1, head]
    h = h + affine("merge", seen)
    u = affine("widen", norm(block.norms[1], h))
    h = h + affine("narrow", 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u ** 3))))
    logits = norm(model.decoder.norm, h) @ tokens.T
    np.testing.assert_allclose(model.parameters(tf.constant(x[None]))[0], logits, atol=2e-4)


def test_the_initialisation_is_that_of_gpt_2():
    model = GPT(shape=(64,), levels=300, width=128, layers=8)
    block = model.decoder.blocks[3]
    for weight, stddev in [(model.tokens, 0.02), (model.positions, 0.02), (block.qkv.kernel, 0.02),
                           (block.widen.kernel, 0.02),
                           (block.merge.kernel, 0.005), (block.narrow.kernel, 0.005)]:
        np.testing.assert_allclose(np.std(weight), stddev, rtol=0.05)
    assert not np.any(block.qkv.bias) and np.all(np.array(block.norms[0].scale) == 1)
    texts = tf.random.stateless_uniform([4, 64], [1, 2], 0, 300, tf.int32)
    # it begins near the uniform distribution
    np.testing.assert_allclose(model.log_prob(texts), -64 * np.log(300), rtol=0.02)


@pytest.mark.parametrize("arguments",
                         [dict(), dict(end=0), dict(shape=(9,)), dict(shape=(1,)), dict(shape=(8,), layers=1, heads=1)])
def test_cached_sampler_equals_naive(arguments, monkeypatch):
    monkeypatch.setattr(attention, "NEAR", 4)  # so that even short texts fill several blocks
    model = make(**arguments)
    noise = model.noise(random.rows(random.seed(3), 40))
    texts = model.generate(noise)
    np.testing.assert_array_equal(texts, naive_sample(model, noise))
    length = model.shape[0]
    known = tf.sequence_mask(tf.range(40) % (length + 1), length)
    x = model.sample(random.rows(random.seed(8), 40))
    completed = model.generate(noise, None, x, known)
    np.testing.assert_array_equal(completed, naive_sample(model, noise, None, x, known))
    np.testing.assert_array_equal(tf.where(known, completed, 0), tf.where(known, x, 0))


def test_texts_occur_as_often_as_log_prob_says():
    model, num = make(shape=(3,), end=2), 4096
    texts = model.sample(random.rows(random.seed(0), num)).numpy()
    share = np.bincount(texts @ [9, 3, 1], minlength=27) / num
    p = np.exp(model.log_prob(every_text(3, 3)))
    assert np.all(np.abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-12)


def test_likely_tokens_against_a_sorted_list():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(200, 7)).astype(np.float32) * 2
    temperature, top_k, top_p = rng.uniform(0.3, 2, 200), rng.integers(0, 10, 200, np.int32), rng.uniform(0.05, 1, 200)
    top_p[:20] = 1.0
    out = likely(tf.constant(logits), tf.constant(temperature, tf.float32), tf.constant(top_k),
                 tf.constant(top_p, tf.float32)).numpy()
    for row, t, k, p, found in zip(logits, temperature, top_k, top_p, out):
        row = row / t
        ranked = sorted(range(7), key=lambda i: -row[i])[:k or 7]
        odds = np.exp(row[ranked] - row.max())
        odds /= odds.sum()
        kept = [i for n, i in enumerate(ranked) if odds[:n].sum() < p or p == 1]
        assert sorted(np.flatnonzero(np.isfinite(found))) == sorted(kept)
        np.testing.assert_allclose(found[kept], row[kept], rtol=1e-5)


def test_completions_draw_from_the_likely_tokens_of_each_row():
    model = make(levels=6)
    x, seeds = tf.constant([[1, 2, 0, 0, 0]] * 64), random.rows(random.seed(2), 64)
    known = tf.constant([[True, True, False, False, False]] * 64)
    np.testing.assert_array_equal(model.complete(x, known, seeds, temperature=1.0), model.complete(x, known, seeds))
    top_k = tf.constant([1, 2, 3, 0] * 16)
    temperature, top_p = tf.constant([1.0, 0.5, 2.0, 1.0] * 16), tf.constant([1.0, 1.0, 0.9, 0.4] * 16)
    settings = dict(temperature=temperature, top_k=top_k, top_p=top_p)
    drawn = model.complete(x, known, seeds, **settings)
    np.testing.assert_array_equal(drawn[:, :2], x[:, :2])
    assert len(np.unique(drawn[::4], axis=0)) == 1 < len(np.unique(drawn[1::4], axis=0))
    greedy = drawn[0]
    logits = model.parameters(drawn)
    np.testing.assert_array_equal(tf.argmax(logits[0], -1)[2:], greedy[2:])
    # Token after token, as the settings of each row say: the naive sampler of the filtered distribution.
    allowed = tf.stack([likely(logits[:, t], temperature, top_k, top_p) for t in range(5)], 1)
    np.testing.assert_array_equal(categories.from_noise(allowed, model.noise(seeds))[:, 2:], drawn[:, 2:])
    one = model.complete(x[5:6], known[5:6], seeds[5:6], **{key: value[5:6] for key, value in settings.items()})
    np.testing.assert_array_equal(one, drawn[5:6])
    graph = tf.function(model.complete, autograph=False)
    np.testing.assert_array_equal(graph(x, known, seeds, **settings), drawn)
    np.testing.assert_array_equal(model.sample(seeds, **settings)[::4],
                                  model.complete(x, tf.zeros_like(known), seeds, **settings)[::4])


@pytest.mark.parametrize("wrong, message",
                         [(dict(temperature=0.0), "temperature must be 0.0001 to 100, found 0."),
                          (dict(temperature=[1.0, -2.0]), "temperature"),
                          (dict(top_k=-1), "top_k must be 0 to 3, found -1."),
                          (dict(top_p=0.0), "top_p must be 0.0001 to 1, found 0."), (dict(top_p=1.5), "top_p"),
                          (dict(temperature=float("nan")), "temperature")])
def test_wrong_settings_raise(wrong, message):
    model, seeds = make(), random.rows(random.seed(0), 2)
    with pytest.raises(ValueError, match=message):
        model.complete(tf.zeros([2, 5], tf.int32), tf.zeros([2, 5], tf.bool), seeds, **wrong)
    with pytest.raises(ValueError, match=message):
        model.sample(2, **wrong)


def test_dropout_draws_from_the_seed_and_only_in_training():
    model = make(dropout=0.4)
    x = every_text(5, 3)[:4]
    plain = model.parameters(x)
    np.testing.assert_array_equal(plain, model.parameters(x))
    one, same, other = (model.parameters(x, None, random.seed(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-2 and np.abs(one - plain).max() > 1e-2
    np.testing.assert_array_equal(make().parameters(x, None, random.seed(1)), plain)


def test_one_graph_serves_every_batch_size():
    model = make(end=0)
    sample = tf.function(model.sample, input_signature=[tf.TensorSpec([None, 2], tf.int32)])
    for num in (1, 5):
        np.testing.assert_array_equal(sample(random.rows(random.seed(1), num)),
                                      model.sample(random.rows(random.seed(1), num)))
    assert sample.experimental_get_tracing_count() == 1


def test_mixed_precision_samples_as_float32_does():
    model, seeds = make(), random.rows(random.seed(2), 8)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = make()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(model.get_weights())
    x = mixed.sample(seeds)
    np.testing.assert_array_equal(x, model.sample(seeds))
    assert mixed.log_prob(x).dtype == tf.float32
    np.testing.assert_allclose(mixed.log_prob(x), model.log_prob(x), rtol=0.1)
    assert np.any(mixed.log_prob(x) != model.log_prob(x))


@pytest.mark.parametrize("wrong",
                         [dict(shape=(3, 3)), dict(shape=(0,)), dict(levels=1), dict(width=10), dict(heads=0),
                          dict(layers=0), dict(dropout=1.0),
                          dict(dropout=-0.1), dict(end=3), dict(end=-1)])
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError):
        make(**wrong)


def test_a_condition_is_refused():
    with pytest.raises(ValueError, match="condition"):
        make().sample(random.rows(random.seed(0), 2), tf.zeros([2], tf.int32))
