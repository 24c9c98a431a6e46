"""The codebook: nearest entries by brute force, the straight-through gradient, moving averages in closed form, revival,
perplexity."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo import random
from zoo.layers.vector_quantizer import VectorQuantizer, perplexity

ENTRIES, SIZE, PLACES, DECAY = 7, 3, 4, 0.8


def make(revival=0.0, entries=ENTRIES):
    keras.utils.set_random_seed(4)
    return VectorQuantizer(entries, SIZE, PLACES, DECAY, revival)


def vectors(num, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=(num, 2, 2, SIZE)), tf.float32)


def update(quantizer, z, seed=1, step=None):
    """What a move does to a codebook."""
    values = quantizer.moved(z, quantizer.codes(z), random.seed(seed), step)
    for item, value in zip(quantizer.averages(), values, strict=True):
        item.weight.assign(value)


def nearest(quantizer, z):
    """By loops, in float64."""
    book = quantizer.codebook().numpy().astype(float)
    flat = z.numpy().reshape(-1, SIZE)
    return np.array([min(range(len(book)), key=lambda k: ((v - book[k]) ** 2).sum())
                     for v in flat]).reshape(z.shape[:-1])


def test_codes_are_the_nearest_entries():
    quantizer, z = make(), vectors(50)
    codes = quantizer.codes(z)
    np.testing.assert_array_equal(codes, nearest(quantizer, z))
    assert len(np.unique(codes)) == ENTRIES
    q, again = quantizer.replace(z)
    np.testing.assert_array_equal(again, codes)
    np.testing.assert_allclose(q, quantizer.codebook().numpy()[codes.numpy()], atol=1e-6)


def test_the_gradient_passes_straight_through():
    quantizer, z = make(), vectors(5)
    weight = tf.random.stateless_normal(z.shape, [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = tf.reduce_sum(weight * quantizer.replace(z)[0])
    ours, *others = tape.gradient(value, [z, quantizer.counts.value, quantizer.sums.value])
    assert not quantizer.trainable_weights
    np.testing.assert_array_equal(ours, weight)
    assert others == [None, None]


def test_entries_are_the_smoothed_moving_averages():
    """Three batches against N <- d N + (1 - d) n, m <- d m + (1 - d) s and e_k = m_k / ((N_k + eps) / (N + K eps)
    N)."""
    quantizer = make()
    counts, sums = quantizer.counts.numpy().astype(float), quantizer.sums.numpy().astype(float)
    for number in range(3):
        z = vectors(6, number)
        codes, flat = nearest(quantizer, z).ravel(), z.numpy().reshape(-1, SIZE).astype(float)
        update(quantizer, z)
        counts = DECAY * counts + (1 - DECAY) * np.bincount(codes, minlength=ENTRIES) / 6
        sums = DECAY * sums + (1 - DECAY) * np.stack([flat[codes == k].sum(0) for k in range(ENTRIES)]) / 6
        np.testing.assert_allclose(quantizer.counts, counts, rtol=1e-5)
        np.testing.assert_allclose(quantizer.sums, sums, rtol=1e-5, atol=1e-6)
        smoothed = (counts + 1e-5) / (counts.sum() + ENTRIES * 1e-5) * counts.sum()
        np.testing.assert_allclose(quantizer.codebook(), sums / smoothed[:, None], rtol=1e-5, atol=1e-6)


def test_only_dead_entries_are_revived_and_the_same_way_every_time():
    z, books = vectors(6), []
    for seed in (1, 1, 2):
        quantizer = make(revival=0.3)
        quantizer.counts.assign(tf.where(tf.range(ENTRIES) % 3 == 0, 0.1 * PLACES / ENTRIES, PLACES / ENTRIES))
        twin = make()
        twin.counts.assign(quantizer.counts)
        dead = quantizer.dead().numpy()
        np.testing.assert_array_equal(dead, np.arange(ENTRIES) % 3 == 0)
        update(quantizer, z, seed)
        update(twin, z, seed)
        np.testing.assert_allclose(quantizer.counts.numpy()[dead], PLACES / ENTRIES, rtol=1e-6)
        revived = (quantizer.sums / quantizer.counts[:, None]).numpy()[dead]
        distance = np.abs(revived[:, None] - z.numpy().reshape(-1, SIZE)).max(-1).min(-1)
        assert np.all(distance < 1e-5)
        for ours, theirs in zip((quantizer.counts, quantizer.sums), (twin.counts, twin.sums)):
            np.testing.assert_array_equal(ours.numpy()[~dead], theirs.numpy()[~dead])
        books.append(revived)
    np.testing.assert_array_equal(books[0], books[1])
    assert np.any(books[0] != books[2])


def test_a_codebook_begins_where_vectors_are():
    quantizer, z = make(revival=0.1), vectors(6)
    update(quantizer, z, step=tf.constant(0))
    begun = (quantizer.sums / quantizer.counts[:, None]).numpy()
    assert np.all(np.abs(begun[:, None] - z.numpy().reshape(-1, SIZE)).max(-1).min(-1) < 1e-5)
    assert not np.any(quantizer.dead(tf.constant(1)))
    assert not np.any(make().dead(tf.constant(0)))  # without revival nothing is moved


def test_an_unused_entry_dies_and_comes_back():
    quantizer = make(revival=0.1)
    far = tf.where(tf.range(ENTRIES)[:, None] == 2, 100.0, quantizer.sums)
    quantizer.sums.assign(far)
    for number in range(11):  # 0.8^11 < 0.1 < 0.8^10
        assert not quantizer.dead().numpy()[2]
        update(quantizer, vectors(20, number))
    assert quantizer.dead().numpy()[2]
    update(quantizer, vectors(20, 11))
    assert np.abs(quantizer.codebook().numpy()[2]).max() < 10.0 and not quantizer.dead().numpy()[2]


def test_perplexity():
    assert float(perplexity(tf.fill([8], 1 / 8))) == pytest.approx(8.0, rel=1e-5)
    assert float(perplexity(tf.one_hot(3, 8))) == 1.0
    p = np.array([0.5, 0.25, 0.125, 0.125])
    assert float(perplexity(tf.constant(p, tf.float32))) == pytest.approx(2 ** 1.75, rel=1e-6)
    quantizer = make(entries=4)
    quantizer.counts.assign(p * 3)
    np.testing.assert_allclose(perplexity(quantizer.usage()), 2 ** 1.75, rtol=1e-6)


@pytest.mark.parametrize("arguments, message", [
    ((0, 3, 4), "codebook needs at least 2 entries, of at least 1 number each, found codebook_size=0"),
    ((1, 3, 4), "codebook_size=1"),
    ((4, 0, 4), "embedding_size=0"), ((4, 3, 4, 1.0), "decay and revival must be in"),
    ((4, 3, 4, 0.9, -0.1), "decay and revival must be in")])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        VectorQuantizer(*arguments)
