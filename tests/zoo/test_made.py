"""MADE: conditionals that can't look ahead, ensembles averaged as probabilities, and a sampler that evaluates each unit
once."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from zoo import random
from zoo.autoregressive.made import MADE
from zoo.autoregressive.parts import orders

KINDS = {
    "raster": dict(),
    "wide": dict(shape=(9,), hidden=(40, 33)),
    "deep": dict(hidden=(7, 9, 8)),
    "direct": dict(shape=(3, 2), direct=True, order=[5, 1, 0, 3, 2, 4]),
    "channels": dict(shape=(2, 2, 2), order=[3, 0, 2, 1], hidden=(12, 12), direct=True),
    "real": dict(components=2, order=[2, 0, 1, 3, 5, 4]),
    "real_direct": dict(components=3, hidden=(9, 7), direct=True),
}
ENSEMBLES = {
    "connectivity": dict(masks=3),
    "orders": dict(masks=3, order="random", hidden=(7, 9)),
    "direct": dict(masks=2, order="random", direct=True),
    "channels": dict(shape=(1, 3, 2), masks=2, order="random", hidden=(9, 8)),
    "real": dict(shape=(4,), masks=2, order="random", components=2),
}


def make(**arguments):
    """A tiny model in which entries depend on one another."""
    keras.utils.set_random_seed(7)
    model = MADE(**dict(shape=(2, 3, 1), hidden=(10,)) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape,
                                 scale=1.5 / np.sqrt(np.mean(model.hidden)) if len(weight.shape) > 1 else 0.5))
    return model


def every(shape):
    return np.array(list(itertools.product([0, 1], repeat=int(np.prod(shape)))), np.float32).reshape(-1, *shape)


def under(model, x, order, degrees):
    """log p(x_d | x_<d), [batch, D] by entry, of one row after another in plain NumPy: masks made entry by entry, from
    the definition."""
    size, width, matrices = model.size, model.width, [layer.matrix().numpy() for layer in model.stack]
    biases = [layer.bias.numpy() for layer in model.stack]
    position = np.argsort(order)
    sides = [position + 1, *degrees, np.repeat(position, width)]
    if model.masks == 1:  # a staircase is in the order of its steps
        output = (position[:, None] * width + np.arange(width)).ravel()
        matrices[0], matrices[-1], biases[-1] = matrices[0][position], matrices[-1][:, output], biases[-1][output]
    h = inputs = x.reshape(-1, size)
    for layer, (kernel, bias, s, t) in enumerate(zip(matrices, biases, sides, sides[1:])):
        mask = np.array([[float(i <= j) for j in t] for i in s])
        h = h @ (kernel * mask) + bias
        h = np.maximum(h, 0.0) if layer < len(matrices) - 1 else h
    if model.direct:
        kernel = model.skip.matrix().numpy()
        kernel = kernel[position][:, output] if model.masks == 1 else kernel
        h = h + inputs @ (kernel * np.array([[float(i <= j) for j in sides[-1]] for i in sides[0]]))
    if not model.components:
        return np.where(inputs > 0, -np.log1p(np.exp(-h)), -np.log1p(np.exp(h)))
    logits, loc, log_scale = np.split(h.reshape(-1, size, width), 3, -1)
    parts = (
        logits
        - np.log(np.exp(logits).sum(-1, keepdims=True))
        - 0.5 * ((inputs[..., None] - loc) / np.exp(log_scale)) ** 2
        - log_scale
        - 0.9189385
    )
    return np.log(np.exp(parts).sum(-1))


def examples(model, num):
    rng = np.random.default_rng(1)
    return (rng.normal(size=(num, *model.shape)) if model.components
            else rng.integers(0, 2, (num, *model.shape))).astype(np.float32)


@pytest.mark.parametrize("kind", [*KINDS, *(f"ensemble_{kind}" for kind in ENSEMBLES)])
def test_log_prob_is_that_of_masked_networks_averaged_as_probabilities(kind):
    model = make(**(ENSEMBLES[kind[9:]] if kind.startswith("ensemble_") else KINDS[kind]))
    x = examples(model, 7)
    log_probs = [under(model, x, model.orders[k], [d[k] for d in model.degrees]).sum(-1) for k in range(model.masks)]
    np.testing.assert_allclose(model.log_prob(x), np.log(np.mean(np.exp(log_probs), 0)), atol=2e-4)
    assert model.masks == 1 or np.std(log_probs, 0).min() > 1e-3


@pytest.mark.parametrize("kind", ["raster", "direct", "ensemble_connectivity", "ensemble_orders"])
def test_probabilities_sum_to_one(kind):
    model = make(**(ENSEMBLES[kind[9:]] if kind.startswith("ensemble_") else KINDS[kind]))
    log_prob = model.log_prob(every(model.shape))
    assert np.std(log_prob) > 0.1
    np.testing.assert_allclose(np.sum(np.exp(log_prob)), 1.0, atol=1e-4)


@pytest.mark.parametrize("arguments", [dict(direct=True), dict(masks=2, order="random")])
def test_density_of_real_data_integrates_to_one(arguments):
    model = make(shape=(2,), components=2, hidden=(6,), **arguments)
    for weight in model.weights:  # no component is far away or narrow
        weight.assign(0.4 * weight)
    grid = np.linspace(-30.0, 30.0, 1201).astype(np.float32)
    x = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    np.testing.assert_allclose(np.exp(tf.function(model.log_prob)(x).numpy().astype(np.float64)).sum() * 0.05**2, 1.0,
                               atol=5e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_each_entry_depends_on_exactly_those_before_it(kind):
    model = make(**KINDS[kind] | dict(hidden=(64,) * len(KINDS[kind].get("hidden", (1,)))))
    depends = 0.0
    for seed in range(3):  # some ReLUs are shut at one input
        x = random.uniform_rows(random.rows(random.seed(seed), 1), model.shape)
        with tf.GradientTape() as tape:
            tape.watch(x)
            parameters = tf.reshape(model.parameters(x), [model.size, -1])
        depends += np.abs(tf.reshape(tape.jacobian(parameters, x), [model.size, -1, model.size])).sum(1)
    position = np.argsort(model.orders[0])
    np.testing.assert_array_equal(depends > 0, position[None, :] < position[:, None])


@pytest.mark.parametrize("kind", KINDS)
def test_sampler_equals_naive(kind):
    model = make(**KINDS[kind])
    noise = model.noise(random.rows(random.seed(3), 6))
    close = np.testing.assert_allclose if model.components else np.testing.assert_array_equal
    close(model.generate(noise), naive_sample(model, noise), **dict(atol=1e-4) if model.components else {})


@pytest.mark.parametrize("kind", ENSEMBLES)
def test_sampler_of_an_ensemble_equals_the_naive_one_of_each_rows_masks(kind):
    model = make(**ENSEMBLES[kind])
    values, index = model.noise(random.rows(random.seed(3), 6))
    assert len(set(index.numpy())) > 1
    drawn = model.generate((values, index)).numpy().reshape(6, -1)
    for row, k in enumerate(index.numpy()):
        x = np.zeros((1, *model.shape), np.float32)
        for entry in model.orders[k]:
            new = model.from_noise(model.conditionals(x, int(k)), (values[row:row + 1], None)).numpy()
            x.reshape(-1)[entry] = new.reshape(-1)[entry]
        np.testing.assert_allclose(drawn[row], x.reshape(-1), atol=1e-4)


@pytest.mark.parametrize("arguments", [KINDS["direct"], ENSEMBLES["orders"]])
def test_samples_occur_as_often_as_log_prob_says(arguments):
    model, num = make(**arguments), 4000
    drawn = model.sample(random.rows(random.seed(0), num)).numpy().reshape(num, 6)
    counts = np.bincount(drawn.astype(int) @ [32, 16, 8, 4, 2, 1], minlength=64)
    p = np.exp(model.log_prob(every(model.shape)))
    assert np.all(np.abs(counts / num - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-3)


@pytest.mark.parametrize("kind", ENSEMBLES)
def test_a_row_of_an_ensemble_depends_on_its_own_seed_alone(kind):
    model, seeds = make(**ENSEMBLES[kind]), random.rows(random.seed(5), 5)
    together = model.sample(seeds).numpy()
    for pick in ([3, 0, 4, 1, 2], [2]):
        np.testing.assert_allclose(model.sample(tf.gather(seeds, pick)), together[pick], atol=1e-5)


def test_one_set_completes_as_every_autoregressive_model_does():
    model, seeds = make(**KINDS["direct"]), random.rows(random.seed(1), 3)
    x, mask = examples(model, 3), np.zeros([3, 6], bool)
    mask[:, model.order[:3]] = True
    mask = mask.reshape(3, 3, 2)
    np.testing.assert_array_equal(model.complete(x, mask, seeds),
                                  naive_sample(model, model.noise(seeds), None, x, tf.constant(mask)))
    terms = under(model, x, model.orders[0], [d[0] for d in model.degrees]).reshape(3, 3, 2)
    np.testing.assert_allclose(model.missing_log_prob(x, mask, seeds), np.where(mask, 0.0, terms).sum((1, 2)),
                               atol=1e-4)


@pytest.mark.parametrize("kind", ["connectivity", "orders", "direct"])
def test_ensembles_complete_any_mask_by_networks_whose_orders_begin_with_it(kind):
    model, num = make(**ENSEMBLES[kind]), 3000
    known = np.array([0, 1, 0, 0, 1, 1], bool)
    images = every(model.shape)
    truth = images[37].reshape(-1)
    fits = (images.reshape(-1, 6)[:, known] == truth[known]).all(1)
    p = []
    for k in range(model.masks):
        order = np.concatenate([[e for e in model.orders[k] if known[e]], [e for e in model.orders[k] if not known[e]]])
        p.append(np.exp(under(model, images[fits], order, [d[k] for d in model.degrees])[:, ~known].sum(-1)))
    p = np.mean(p, 0)
    np.testing.assert_allclose(p.sum(), 1.0, atol=1e-5)
    seeds, mask = random.rows(random.seed(2), num), np.repeat(known.reshape(1, *model.shape[:2]), num, 0)
    drawn = model.complete(np.repeat(images[37:38], num, 0), mask, seeds).numpy()
    share = np.array([(drawn == image).all((1, 2, 3)).mean() for image in images[fits]])
    np.testing.assert_allclose(share.sum(), 1.0)
    assert np.all(np.abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-3)
    found = model.missing_log_prob(images[fits], mask[:fits.sum()], seeds[:fits.sum()])
    np.testing.assert_allclose(found, np.log(p), atol=1e-4)


def test_channels_of_an_ensemble_are_known_together():
    model, seeds = make(**ENSEMBLES["channels"]), random.rows(random.seed(2), 8)
    x, mask = examples(model, 8), np.array([[[False, True, False]]] * 8)
    drawn = model.complete(x, mask, seeds).numpy()
    np.testing.assert_array_equal(drawn[mask], x[mask])
    nothing = model.missing_log_prob(x, np.zeros_like(mask), seeds)
    np.testing.assert_allclose(nothing, model.log_prob(x), atol=1e-4)


def test_training_draws_among_the_sets_of_masks():
    model = make(**ENSEMBLES["orders"])
    x = examples(model, 5)
    each = [-under(model, x, model.orders[k], [d[k] for d in model.degrees]).sum(-1) for k in range(model.masks)]
    found = [model.objective(x, random.seed(s))["nll"].numpy() for s in range(20)]
    drawn = {int(np.argmin([np.abs(nll - e).max() for e in each])) for nll in found}
    assert drawn == {0, 1, 2}
    assert all(min(np.abs(nll - e).max() for e in each) < 1e-4 for nll in found)


def test_orders_and_degrees_are_those_of_the_arguments():
    model = make(masks=4, order="random", hidden=(10, 20))
    assert len({tuple(order) for order in model.orders}) == 4 and len({tuple(row) for row in model.degrees[1]}) == 4
    np.testing.assert_array_equal(model.orders, make(masks=4, order="random").orders)
    for degrees in model.degrees:
        assert degrees.min() == 1 and degrees.max() == model.size - 1
    same = make(masks=2, order=[1, 0, 2, 3, 5, 4])
    np.testing.assert_array_equal(same.orders, [[1, 0, 2, 3, 5, 4]] * 2)
    assert orders.check(same.get_config()["order"], 6) is not None


@pytest.mark.parametrize("wrong",
                         [dict(shape=(1,)), dict(hidden=()), dict(hidden=(3, 0)), dict(masks=0), dict(components=-1),
                          dict(order="spiral"),
                          dict(order=[0, 1, 2, 3, 4, 4]), dict(order=[0, 1])])
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError):
        make(**wrong)


def test_conditions_and_other_masks_are_refused():
    model, seeds = make(**ENSEMBLES["orders"]), random.rows(random.seed(0), 2)
    with pytest.raises(ValueError, match="condition"):
        model.sample(seeds, tf.zeros([2], tf.int32))
    with pytest.raises(ValueError, match="mask must be"):
        model.complete(examples(model, 2), np.ones([2, 5], bool), seeds)
