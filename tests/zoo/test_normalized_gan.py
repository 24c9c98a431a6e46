"""Normalisations in a game: what follows, replicas, skipped updates, resumption, averages, export."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support import cases, duels
from tests.support.normalized_gan import NormalizedGAN
from tests.trainers.test_engine import batches, config, strategy
from trainers.runs import run
from trainers.training.engine import Engine
from zoo import random
from zoo.layers.following import followed
from zoo.serving import check
from zoo.serving.export import export
from zoo.training.game import measure


def engine(replicas=1, **entries):
    keras.utils.set_random_seed(3)
    settings = config(learning_rate=0.05, **entries)
    settings.optimizer.name = "sgd"
    return Engine(NormalizedGAN, settings, strategy(replicas), seed=11)


def state(one):
    return [weight.numpy() for weight in one.model.weights]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def matrix(layer, kernel):
    """A kernel of a spectrally normalised layer as numpy's [the rest, outputs]."""
    transposed = isinstance(layer.layer, keras.layers.Conv2DTranspose)
    return np.reshape(np.swapaxes(kernel, -1, -2) if transposed else kernel, [-1, len(layer.u.numpy())])


def iterated(layer):
    """u after one power iteration by numpy."""
    W = matrix(layer, layer.layer.kernel.numpy())
    after = W.T @ (W @ layer.u.numpy())
    return after / np.linalg.norm(after)


@pytest.mark.parametrize("replicas", cases.slow_but([1, 2], 2))
def test_a_step_moves_each_vector_once_and_the_moments_of_whose_move_it_is(replicas):
    """Against the losses by hand, of each replica's part with its own noise.

    The discriminator's move runs the generator too, and changes nothing of it.
    """
    one, twin = engine(replicas), engine(1).model
    x = next(batches(one.model))
    vectors = {}
    for player, network in zip(twin.players(), (twin.discriminator, twin.generator)):
        vectors[player.name] = [iterated(layer) for layer in twin.normalized(network)]
    one.advance(iter(tf.data.Dataset.from_tensors(x)), 1)
    for index, (player, network) in enumerate(zip(twin.players(), (twin.discriminator, twin.generator))):
        seeds = [random.fold_in(random.seed(11), 0, index, 0, replica) for replica in range(replicas)]
        parts = [measure(player, part, seed) for part, seed in zip(tf.split(x, replicas), seeds)]
        for weight, *gradients in zip(player.weights, *(gradients for _, gradients, _ in parts), strict=True):
            weight.assign_sub(0.05 * tf.add_n(gradients) / replicas)
        for item, *values in zip(followed(player.follows), *(values for *_, values in parts), strict=True):
            assert same(values[:1], values[-1:]) or item.replicas == "mean"
            item.weight.assign(tf.add_n(values) / replicas)
    for name, network in (("discriminator", one.model.discriminator), ("generator", one.model.generator)):
        for layer, expected in zip(one.model.normalized(network), vectors[name], strict=True):
            np.testing.assert_allclose(layer.u.numpy(), expected, atol=1e-5)
    for ours, theirs in zip(one.model.weights, twin.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5, err_msg=ours.path)
    for weight in one.model.weights:
        local = one.strategy.experimental_local_results(weight.value)
        assert len(local) == replicas and same([local[0]], [local[-1]])


@pytest.mark.parametrize("replicas", cases.slow_but([1, 2], 1))
def test_a_skipped_update_leaves_vectors_and_moments(replicas):
    one = engine(replicas, skip_norm=1e3)
    x = cases.batch(one.model, 8)
    iterator = iter(tf.data.Dataset.from_tensor_slices(tf.stack([x, np.nan * x, x])))
    one.advance(iterator, 1)
    before = state(one)
    one.advance(iterator, 1)
    players = one.model.players()
    moved = {id(w) for w in (*players[1].weights, *(item.weight for item in followed(players[1].follows)))}
    changed = [w for w, a, b in zip(one.model.weights, before, state(one), strict=True) if not np.array_equal(a, b)]
    # Of x the generator's loss reads the batch's size alone.
    assert one.totals()["skipped"] == 1 and changed and all(id(w) in moved for w in changed)
    one.advance(iterator, 1)
    assert one.finite() and not same(before[:2], state(one)[:2])


@pytest.mark.parametrize("replicas", cases.slow_but([1, 2], 1))
def test_resumed_bit_for_bit(replicas, tmp_path):
    whole, second = duels.interrupted(lambda: engine(replicas, ema=0.9), batches, tmp_path)
    assert same(state(whole), state(second)) and same(whole.weights(), second.weights())


def test_averaged_weights_are_settled_where_they_are_put_into_a_model():
    one = engine(ema=0.9)
    one.advance(batches(one.model), 8)
    plain = NormalizedGAN()
    run.put(plain, one.weights())
    for network in (plain.discriminator, plain.generator):
        for layer in plain.normalized(network):
            np.testing.assert_allclose(np.linalg.norm(matrix(layer, layer.kernel().numpy()), 2), 1.0, rtol=1e-3)
    moments = plain.generator.layers[2].moments()
    for ours, theirs in zip(moments, one.model.generator.layers[2].moments(), strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())  # they stay what training saw


def test_an_exported_graph_holds_the_divided_kernel(tmp_path):
    model = NormalizedGAN()
    for layer in model.generator.layers[2:3]:
        layer.mean.assign([0.3, -0.2, 0.1]), layer.variance.assign([0.5, 2.0, 1.5])
    normalized, = model.normalized(model.generator)
    normalized.layer.kernel.assign(5.0 * normalized.layer.kernel)
    expected = model.sample(random.rows(random.seed(1), 3))
    folder = export(model, tmp_path)
    check.check(folder)
    stored = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    values = [stored.get_tensor(name) for name in stored.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    assert any(np.allclose(value, normalized.kernel()) for value in values if value.shape == (3, 3, 1, 3))
    for weight in (normalized.layer.kernel, normalized.u):
        assert not any(np.array_equal(value, weight) for value in values)
    # And the model itself divides on as before.
    np.testing.assert_array_equal(model.sample(random.rows(random.seed(1), 3)), expected)
    normalized.layer.kernel.assign_add(tf.ones_like(normalized.layer.kernel))
    assert np.abs(model.sample(random.rows(random.seed(1), 3)) - expected).max() > 1e-3
