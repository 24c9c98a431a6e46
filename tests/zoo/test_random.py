"""Noise by rows: the generator's published words, the same draws however they are computed, and their laws."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from zoo import random
from zoo.random import philox
from zoo.serving import graph as serving_graph

FULL = 2**32 - 1
# Random123's kat_vectors, philox4x32 with 10 rounds: the counter, the key and the block.
PUBLISHED = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((FULL, FULL, FULL, FULL), (FULL, FULL), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1))]
SHORT, LONG = 10, random._LONG + 3


def reference(counter, key=philox.KEY):
    """A block by the paper's formula, in Python's integers."""
    c, k = [int(word) & FULL for word in counter], list(key)
    for _ in range(10):
        first, second = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(second >> 32) ^ c[1] ^ k[0], second & FULL, (first >> 32) ^ c[3] ^ k[1], first & FULL]
        k = [(k[0] + 0x9E3779B9) & FULL, (k[1] + 0xBB67AE85) & FULL]
    return tuple(c)


def words(values):
    """As int32, which is how seeds and words travel."""
    return tf.constant(np.array(values, np.uint32).view(np.int32))


def unsigned(x):
    return np.asarray(x).view(np.uint32)


def seeds(num, seed=3):
    return random.rows(random.seed(seed), num)


@pytest.mark.parametrize("counter, key, block", PUBLISHED)
def test_blocks_are_the_published_ones(counter, key, block):
    assert reference(counter, key) == block
    c = words(counter)
    for jit in (False, True):
        @tf.function(jit_compile=jit)
        def both():
            return philox.stream(c[2:], c[1], c[0], 4, key), tf.stack(philox.rounds(tf.unstack(c), key))

        for found in both():
            assert tuple(unsigned(found)) == block


def test_words_are_the_blocks_of_their_seed_purpose_and_number():
    some = seeds(3)
    for number in (1, 4, 7, LONG):
        found = unsigned(random.words_rows(some, number))
        assert found.shape == (3, number)
        for row, (first, second) in enumerate(some.numpy()):
            for block in {0, (number - 1) // 4}:
                expected = reference((block, 0, first, second))[:number - 4 * block]
                assert tuple(found[row, 4 * block:4 * block + 4]) == expected
    negative = tf.constant([[-1, -2**31], [2**31 - 1, 0]])
    assert tuple(unsigned(random.words_rows(negative, 4))[0]) == reference((0, 0, -1, -2**31))


def test_a_fold_is_one_function_of_seed_and_integer():
    seed, some = random.seed(5), seeds(4)
    for item in (0, 1, 2**31 - 1, -1):
        folded = random.fold_in(seed, item)
        assert tuple(unsigned(folded)) == reference((item, 1, *seed.numpy()))[:2]
        np.testing.assert_array_equal(random.fold_in_rows(seed[None], item)[0], folded)
        for row in range(4):
            np.testing.assert_array_equal(random.fold_in_rows(some, item)[row], random.fold_in(some[row], item))
    wide = tf.constant(4, tf.int64)
    np.testing.assert_array_equal(random.fold_in(seed, 3, 4), random.fold_in(random.fold_in(seed, 3), wide))
    np.testing.assert_array_equal(random.fold_in_rows(some, 3, 4), random.fold_in_rows(random.fold_in_rows(some, 3), 4))
    each = [random.fold_in(s, 5 + i) for i, s in enumerate(some)]
    np.testing.assert_array_equal(random.fold_in_rows(some, [5, 6, 7, 8]), each)


def test_seeds_of_rows_are_folds_and_seeds_of_a_split_are_not():
    seed = random.seed(5)
    rows = random.rows(seed, 6)
    np.testing.assert_array_equal(rows, [random.fold_in(seed, i) for i in range(6)])
    np.testing.assert_array_equal(random.rows(seed, 2, start=3), rows[3:5])
    parts = random.split(seed, 6)
    words = random.words_rows(seed[None], 12).numpy().reshape(6, 2)
    assert len(parts) == 6 and len({tuple(s) for s in np.concatenate([rows, parts, words])}) == 18
    np.testing.assert_array_equal(random.split(seed), parts[:2])


def draws(number):
    """{name: function of seeds}: of the draws whose bits are promised, and of the normals."""
    exact = {"fold": lambda s: random.fold_in_rows(s, 7), "words": lambda s: random.words_rows(s, number),
             "uniforms": lambda s: random.uniform_rows(s, [number])}
    return exact, lambda s: random.normal_rows(s, [number])


@pytest.mark.parametrize("number", [1, SHORT, LONG])
@pytest.mark.parametrize("way", ["graph", "xla", "SavedModel"])
def test_draws_are_the_same_however_they_are_computed(number, way, tmp_path):
    exact, normals = draws(number)
    some = seeds(5)
    module = tf.Module()
    module.draw = tf.function(lambda s: {name: f(s) for name, f in exact.items()} | {"normals": normals(s)},
                              input_signature=[tf.TensorSpec([None, 2], tf.int32)], jit_compile=way == "xla")
    draw = module.draw
    if way == "SavedModel":
        tf.saved_model.save(module, str(tmp_path), signatures={"draw": draw.get_concrete_function()})
        serving_graph.check(serving_graph.parse((tmp_path / "saved_model.pb").read_bytes()))
        draw = tf.saved_model.load(str(tmp_path)).signatures["draw"]
    found = draw(some)
    for name, function in exact.items():
        np.testing.assert_array_equal(found[name], function(some), err_msg=name)
    np.testing.assert_allclose(found["normals"], normals(some), rtol=0, atol=2e-6)


@pytest.mark.parametrize("number", [1, SHORT, LONG])
def test_a_row_is_the_same_alone_and_in_a_batch(number):
    exact, normals = draws(number)
    some = seeds(6)
    for name, function in exact.items():
        np.testing.assert_array_equal(tf.concat([function(s[None]) for s in some], 0), function(some), err_msg=name)
    np.testing.assert_allclose(tf.concat([normals(s[None]) for s in some], 0), normals(some), rtol=0, atol=2e-6)


def test_uniforms_and_normals_are_these_functions_of_the_words():
    some, number = seeds(50), 41
    drawn = unsigned(random.words_rows(some, number + 1))
    np.testing.assert_array_equal(random.uniform_rows(some, [number]), (drawn[:, :number] >> 9) / 2.0**23)
    radius, angle = np.split(drawn.view(np.int32).astype(np.float64), 2, axis=1)
    radius, angle = np.sqrt(-2.0 * np.log(np.abs(radius + 0.5) / 2.0**31)), np.pi * angle / 2.0**31
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], 1)[:, :number]
    np.testing.assert_allclose(random.normal_rows(some, [number]), expected, rtol=0, atol=2e-6)


def test_which_way_a_row_is_drawn_does_not_change_it(monkeypatch):
    some = seeds(3)
    at_once = [random.words_rows(some, 500), random.uniform_rows(some, [500]), random.normal_rows(some, [4, 125])]
    monkeypatch.setattr(random, "_LONG", 100)
    in_turn = [function.python_function(some, *arguments) for function, *arguments in (  # not what was traced before
        (random._words_rows, 500), (random._uniform_rows, (500,), 0.0, 1.0), (random._normal_rows, (4, 125)))]
    np.testing.assert_array_equal(at_once[0], in_turn[0])
    np.testing.assert_array_equal(at_once[1], in_turn[1])
    np.testing.assert_allclose(at_once[2], in_turn[2], rtol=0, atol=2e-6)


def test_no_word_gives_an_infinite_normal_or_a_uniform_of_one():
    extremes = words([0, 1, 2**31 - 1, 2**31, 2**31 + 1, FULL])
    every = tf.stack(tf.meshgrid(extremes, extremes)).numpy().reshape(2, -1)
    normals = random._box_muller(tf.constant(every), axis=0).numpy()
    assert np.isfinite(normals).all() and np.abs(normals).max() < 6.7
    assert random._fractions(extremes, axis=0).numpy().max() < 1.0
    for low, high in ((0.9999, 1.0), (-1.0, 1.0), (1e-7, 1.0), (5.0, 5.001)):
        drawn = random.uniform_rows(seeds(500), [1000], low, high).numpy()
        assert drawn.min() >= np.float32(low) and drawn.max() < np.float32(high)


def test_shapes():
    some = seeds(3)
    assert random.normal_rows(some, []).shape == random.uniform_rows(some, ()).shape == (3,)
    assert random.normal_rows(some, [2, 5]).shape == (3, 2, 5)
    assert random.uniform_rows(some, tf.TensorShape([2, 5])).shape == (3, 2, 5)
    assert random.normal_rows(some[:0], [2, 5]).shape == (0, 2, 5) and random.uniform_rows(some, [0]).shape == (3, 0)
    assert random.normal_rows(some[:0], [LONG]).shape == (0, LONG)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.int32)])
    def graph(s):
        return random.normal_rows(random.fold_in_rows(s, 1), [2, 5])

    assert graph.get_concrete_function().structured_outputs.shape.as_list() == [None, 2, 5]


# Laws, each at fixed seeds: a correct generator fails one of these with the probability that is named.
PROBABILITY = 1e-4
MANY = {"few words of many seeds": (20_000, 10), "many words of few seeds": (20, 10_003)}


@pytest.mark.parametrize("rows, number", MANY.values(), ids=MANY)
def test_every_byte_and_every_bit_of_the_words_is_uniform(rows, number):
    drawn = unsigned(random.words_rows(seeds(rows), number)).reshape(-1)
    for place in range(4):
        counts = np.bincount(drawn >> 8 * place & 255, minlength=256)
        assert stats.chisquare(counts).pvalue > PROBABILITY
    share = (drawn[:, None] >> np.arange(32, dtype=np.uint32) & 1).mean(0)
    assert np.abs(share - 0.5).max() < 4.8 * 0.5 / drawn.size**0.5  # of 32: 5e-5


@pytest.mark.parametrize("rows, number", MANY.values(), ids=MANY)
def test_uniforms_and_normals_follow_their_laws(rows, number):
    uniforms = random.uniform_rows(seeds(rows, 4), [number]).numpy().reshape(-1).astype(np.float64)
    normals = random.normal_rows(seeds(rows, 5), [number]).numpy().reshape(-1).astype(np.float64)
    assert stats.kstest(uniforms, "uniform").pvalue > PROBABILITY
    assert stats.kstest(normals, "norm").pvalue > PROBABILITY
    assert stats.chisquare(np.histogram(uniforms, 1000, (0.0, 1.0))[0]).pvalue > PROBABILITY
    inner = np.concatenate([[-np.inf], stats.norm.ppf(np.arange(1, 1000) / 1000), [np.inf]])
    assert stats.chisquare(np.histogram(normals, inner)[0]).pvalue > PROBABILITY
    for power, moment, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert abs((normals**power).mean() - moment) < 4.0 * (variance / normals.size) ** 0.5
    tail = (np.abs(normals) > 4.0).sum()  # rare: a Poisson number
    assert stats.poisson.cdf(tail, 2 * stats.norm.sf(4.0) * normals.size) > PROBABILITY
    assert stats.poisson.sf(tail - 1, 2 * stats.norm.sf(4.0) * normals.size) > PROBABILITY


NEIGHBOURS = {
    "seeds": lambda num: tf.stack([random.seed(i) for i in range(num)]),
    "folds": lambda num: random.rows(random.seed(0), num),
    "folds of rows": lambda num: random.fold_in_rows(tf.tile(random.seed(0)[None], [num, 1]), tf.range(num)),
    "chained folds": lambda num: random.fold_in_rows(random.rows(random.seed(0), num), 1),
    "high words of seeds": lambda num: tf.stack([tf.zeros([num], tf.int32), tf.range(num)], 1),
}


def assert_uncorrelated(a, b):
    a, b = (np.asarray(t, np.float64).reshape(-1) for t in (a, b))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4.0 / a.size**0.5


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbours_are_not_correlated(name):
    some = NEIGHBOURS[name](4000)
    for drawn in (random.normal_rows(some, [12]).numpy(), random.uniform_rows(some, [12]).numpy()):
        assert_uncorrelated(drawn[1:], drawn[:-1])  # of rows
        assert_uncorrelated(drawn[:, 1:], drawn[:, :-1])  # of places in a row
        assert_uncorrelated(drawn[2:] ** 2, drawn[:-2] ** 2)
    bits = np.unpackbits(unsigned(random.words_rows(some, 4)).view(np.uint8).reshape(4000, -1), axis=1)
    changed = (bits[1:] != bits[:-1]).mean(0)  # each bit changes half of the time
    assert np.abs(changed - 0.5).max() < 5.0 * 0.5 / 4000**0.5


def test_draws_of_a_seed_and_of_its_folds_are_not_correlated():
    some = seeds(4000)
    own = random.normal_rows(some, [12]).numpy()
    assert_uncorrelated(own, random.normal_rows(random.fold_in_rows(some, 0), [12]))
    first, second = (random.normal_rows(tf.stack(part), [12]) for part in zip(*(random.split(s) for s in some[:1000])))
    assert_uncorrelated(first, second)
    assert_uncorrelated(own[:1000], first)
