"""EoNADE: a loss whose mean over splits is the mean over orders, exact ensembles of orders, and completion of any
mask."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from zoo import random
from zoo.autoregressive import eonade
from zoo.autoregressive.eonade import EoNADE

KINDS = {
    "one_order": dict(orders=1),
    "orders": dict(orders=3, hidden=(7, 9)),
    "channels": dict(shape=(1, 3, 2), orders=2),
    "deep": dict(shape=(6,), orders=2, hidden=(9, 8, 7)),
}


def make(**arguments):
    """A tiny model in which entries depend on one another."""
    keras.utils.set_random_seed(7)
    model = EoNADE(**dict(shape=(2, 3, 1), hidden=(10,)) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape,
                                 scale=2.0 / np.sqrt(weight.shape[0]) if len(weight.shape) > 1 else 0.5))
    return model


def every(shape):
    return np.array(list(itertools.product([0, 1], repeat=int(np.prod(shape)))), np.float32).reshape(-1, *shape)


def predict(model, x, known):
    """log p(x_i | the known), [batch, D], by the definition in NumPy."""
    h = np.concatenate([x * known, np.broadcast_to(known, x.shape)], -1)
    for layer in model.stack[:-1]:
        h = np.maximum(h @ layer.kernel.numpy() + layer.bias.numpy(), 0.0)
    logits = h @ model.stack[-1].kernel.numpy() + model.stack[-1].bias.numpy()
    return np.where(x > 0, -np.log1p(np.exp(-logits)), -np.log1p(np.exp(logits)))


def under(model, x, order, known=()):
    """log p(x_{not known} | x_known), [batch]: one entry after another in an order."""
    x, mask, total = x.reshape(-1, model.size), np.zeros(model.size, np.float32), 0.0
    mask[list(known)] = 1.0
    for entry in order:
        if not mask[entry]:
            total = total + predict(model, x, mask)[:, entry]
            mask[entry] = 1.0
    return total


@pytest.mark.parametrize("block", [2, 4, 28])
@pytest.mark.parametrize("kind", KINDS)
def test_log_prob_is_the_mean_over_orders_one_entry_after_another(kind, block, monkeypatch):
    monkeypatch.setattr(eonade, "BLOCK", block)
    model = make(**KINDS[kind])
    x = every(model.shape)
    expected = np.log(np.mean([np.exp(under(model, x, order)) for order in model.permutations], 0))
    found = model.log_prob(x).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(np.exp(found, dtype=np.float64).sum(), 1.0, atol=1e-4)
    assert found.std() > 0.1


@pytest.mark.parametrize("size", [3, 4])
def test_the_mean_loss_over_all_splits_is_the_mean_over_all_orders(size):
    """Every d and every set of d - 1 known entries, with the probabilities that training gives them, against all D!
    orders."""
    model, x = make(shape=(size,), hidden=(8,)), every((size,))
    expected = np.mean([-under(model, x, order) for order in itertools.permutations(range(size))], 0)
    mean = 0.0
    for num in range(size):
        for known in itertools.combinations(range(size), num):
            mask = np.isin(np.arange(size), known).astype(np.float32)
            loss = size / (size - num) * -(predict(model, x, mask) * (1 - mask)).sum(-1)
            mean = mean + loss / size / math.comb(size, num)
    np.testing.assert_allclose(mean, expected, rtol=1e-5)
    num = 20_000  # and the objective draws these splits
    for row in (1, size):
        losses = model.objective(np.repeat(x[row:row + 1], num, 0), random.seed(1))["nll"].numpy()
        assert losses.shape == (num,) and abs(losses.mean() - expected[row]) < 4.5 * losses.std() / math.sqrt(num)
        possible = [size / (size - n) * -(predict(model, x[row:row + 1], mask) * (1 - mask)).sum()
                    for n in range(size) for known in itertools.combinations(range(size), n)
                    for mask in [np.isin(np.arange(size), known).astype(np.float32)]]
        assert np.abs(losses[:, None] - np.array(possible)).min(1).max() < 1e-4
        assert np.abs(losses[:, None] - np.array(possible)).min(0).max() < 1e-4


def test_parameters_are_the_first_orders_and_look_at_exactly_what_is_before():
    model = make(orders=2, hidden=(64, 64))
    depends = 0.0
    for seed in range(3):
        x = random.uniform_rows(random.rows(random.seed(seed), 1), model.shape)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            logits = tf.reshape(model.parameters(x), [6])
        depends += np.abs(tf.reshape(tape.jacobian(logits, x, experimental_use_pfor=False), [6, 6]))
    position = np.argsort(model.permutations[0])
    np.testing.assert_array_equal(depends > 0, position[None, :] < position[:, None])


def test_sampler_of_one_order_equals_naive():
    model = make(**KINDS["one_order"])
    noise = model.noise(random.rows(random.seed(3), 8))
    np.testing.assert_array_equal(model.generate(noise), naive_sample(model, noise))


@pytest.mark.parametrize("kind", KINDS)
def test_sampler_equals_the_naive_one_of_each_rows_order(kind):
    model = make(**KINDS[kind])
    values, index = model.noise(random.rows(random.seed(3), 12))
    assert set(index.numpy()) == set(range(model.orders))
    drawn = model.generate((values, index)).numpy().reshape(12, -1)
    for row, k in enumerate(index.numpy()):
        x, mask = np.zeros(model.size, np.float32), np.zeros(model.size, np.float32)
        for entry in model.permutations[k]:
            p = np.exp(predict(model, np.where(np.arange(model.size) == entry, 1.0, x)[None], mask)[0, entry])
            x[entry], mask[entry] = float(values[row].numpy().reshape(-1)[entry] < p), 1.0
        np.testing.assert_array_equal(drawn[row], x)


def test_samples_occur_as_often_as_log_prob_says():
    model, num = make(**KINDS["orders"]), 4000
    drawn = model.sample(random.rows(random.seed(0), num)).numpy().reshape(num, 6)
    counts = np.bincount(drawn.astype(int) @ [32, 16, 8, 4, 2, 1], minlength=64)
    p = np.exp(model.log_prob(every(model.shape)))
    assert np.all(np.abs(counts / num - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-3)


@pytest.mark.parametrize("kind", ["one_order", "orders", "deep"])
def test_any_mask_is_completed_exactly(kind):
    model, num = make(**KINDS[kind]), 3000
    known, images = np.array([0, 1, 0, 0, 1, 0], bool), every(model.shape)
    flat = images.reshape(-1, 6)
    fits = (flat[:, known] == flat[22, known]).all(1)
    p = np.mean([np.exp(under(model, images[fits], order, np.flatnonzero(known))) for order in model.permutations], 0)
    np.testing.assert_allclose(p.sum(), 1.0, atol=1e-5)
    seeds, mask = random.rows(random.seed(2), num), np.repeat(known.reshape(1, *model.domain.places), num, 0)
    # what is not known plays no part
    x = np.where(np.repeat(known[None], num, 0), flat[22], 7.0).reshape(num, *model.shape)
    drawn = model.complete(x, mask, seeds).numpy().reshape(num, 6)
    share = np.array([(drawn == image).all(1).mean() for image in flat[fits]])
    np.testing.assert_allclose(share.sum(), 1.0)
    assert np.all(np.abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-3)
    np.testing.assert_allclose(model.missing_log_prob(images[fits], mask[:fits.sum()], seeds[:fits.sum()]), np.log(p),
                               atol=1e-4)


def test_rows_with_other_masks_do_not_meet():
    model, seeds = make(**KINDS["channels"]), random.rows(random.seed(5), 4)
    x = every(model.shape)[[5, 17, 40, 63]]
    mask = np.array([[[1, 0, 1]], [[0, 0, 0]], [[1, 1, 1]], [[0, 1, 0]]], bool)
    together, terms = model.complete(x, mask, seeds).numpy(), model.missing_log_prob(x, mask, seeds).numpy()
    np.testing.assert_array_equal(together[mask], x[mask])
    np.testing.assert_allclose(terms[[1, 2]], [model.log_prob(x)[1], 0.0], atol=1e-4)
    for i in range(4):
        rows = slice(i, i + 1)
        np.testing.assert_array_equal(model.complete(x[rows], mask[rows], seeds[rows])[0], together[i])
        np.testing.assert_allclose(model.missing_log_prob(x[rows], mask[rows], seeds[rows])[0], terms[i], atol=1e-5)
    sampled = model.sample(seeds).numpy()
    np.testing.assert_array_equal(sampled[1], together[1])


@pytest.mark.parametrize("wrong", [dict(shape=(0, 3)), dict(hidden=()), dict(hidden=(3, 0)), dict(orders=0)])
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError, match="at least"):
        make(**wrong)


def test_conditions_and_other_masks_are_refused():
    model, seeds = make(), random.rows(random.seed(0), 2)
    x = every(model.shape)[:2]
    for call in (lambda: model.log_prob(x, tf.zeros([2], tf.int32)),
                 lambda: model.sample(seeds, tf.zeros([2], tf.int32)),
                 lambda: model.objective((x, tf.zeros([2], tf.int32)), random.seed(0))):
        with pytest.raises(ValueError, match="condition"):
            call()
    with pytest.raises(ValueError, match="mask must be"):
        model.missing_log_prob(x, np.ones([2, 5], bool), seeds)
