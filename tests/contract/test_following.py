"""Weights that follow a loss: what they take, when, how replicas agree, and that a loss itself changes nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support import games
from tests.trainers import test_engine, test_train
from trainers.runs import run as runs
from trainers.training.engine import Engine
from zoo import random
from zoo.latent.vae import VAE
from zoo.layers import following
from zoo.layers.following import Followed, collect, follow

SEED = random.seed(1)


def engine(replicas=1, settings=None, jit=False, **arguments):
    keras.utils.set_random_seed(3)
    settings = settings or test_engine.config(learning_rate=0.1)
    settings.optimizer.name = "sgd"
    return Engine(lambda: games.Duel(**arguments), settings, test_engine.strategy(replicas), seed=11, jit=jit)


def batches(*points):
    """Each of the batches in turn."""
    return iter(tf.data.Dataset.from_tensor_slices(tf.stack(points)).repeat())


def test_a_loss_says_values_and_assigns_nothing():
    model = games.Duel()
    x, before = games.points(8), model.get_weights()
    terms, (mean, seen) = model.players()[0].outcome(x, SEED)
    assert set(terms) == {"distance", "spread"} and seen.dtype == tf.int32
    np.testing.assert_allclose(mean, 0.5 * x.numpy().mean(0), rtol=1e-6)
    assert seen == 1
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_layer_outside_of_collect_is_not_heard_and_within_twice_is_a_mean():
    layer = games.Centred()
    x, y = games.points(8), games.points(8, seed=4)
    layer(x)  # builds it, and nothing is listening
    with collect() as collected:
        layer(x), layer(y)
        with collect() as inner:
            layer(x)
    own = 0.25 * (x.numpy().mean(0) + y.numpy().mean(0))
    np.testing.assert_allclose(collected.values([layer.mean])[0], own, rtol=1e-6)
    np.testing.assert_allclose(inner.values([Followed(layer.mean)])[0], 0.5 * x.numpy().mean(0), rtol=1e-6)
    kept = keras.Variable([3.0])
    np.testing.assert_array_equal(collected.values([kept])[0], [3.0])


def test_no_gradient_flows_through_what_follows():
    weight, kept = tf.Variable(2.0), keras.Variable(0.0)
    with tf.GradientTape() as tape, collect() as collected:
        follow(kept, weight**2)
        value = collected.values([kept])[0]
    assert value == 4.0 and tape.gradient(value, weight) is None


@pytest.mark.parametrize("follows, words", [(lambda v: [Followed(v, "some")], "must be one of"),
                                            (lambda v: [keras.Variable(1, dtype="int32")], "no mean")])
def test_what_cannot_follow(follows, words):
    with pytest.raises(ValueError, match=words):
        following.followed(follows(keras.Variable(1.0)))


def test_as_many_values_as_weights():
    player = games.Duel().players()[0]
    with pytest.raises(ValueError, match="follows 1 weights, and its loss says 2 values"):
        player._replace(follows=player.follows[:1]).outcome(games.points(4), SEED)


@pytest.mark.parametrize("replicas, jit", [(1, False), (2, False), (1, True), (2, True)])
def test_the_engine_gives_them_their_values_after_each_move(replicas, jit):
    """Of two replicas the followed mean is the mean of theirs, here that of the whole batch; what is the same on all
    is not exchanged.
    """
    one = engine(replicas, jit=jit)
    x, y = games.points(8), games.points(8, seed=4)
    one.advance(batches(x, y), 2)
    expected = 0.5 * (0.5 * x.numpy().mean(0)) + 0.5 * y.numpy().mean(0)
    np.testing.assert_allclose(one.model.centred.mean.numpy(), expected, rtol=1e-5)
    assert int(one.model.centred.seen.numpy()) == 2
    values = dict(zip((w.path for w in one.model.weights), one.weights()))
    np.testing.assert_array_equal(values[one.model.centred.mean.path], one.model.centred.mean.numpy())


@pytest.mark.parametrize("replicas", [1, 2])
def test_each_replica_can_have_its_own(replicas):
    one = engine(replicas, pool=True)
    x, y = games.points(8), games.points(8, seed=4)
    one.advance(batches(x, y), 2)
    parts = one.strategy.experimental_local_results(one.model.past.value)
    for index, part in enumerate(parts):
        np.testing.assert_array_equal(part, [x[index * 8 // replicas], y[index * 8 // replicas]])


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_skipped_update_leaves_them(replicas):
    one = engine(replicas, test_engine.config(learning_rate=0.1, skip_norm=20.0))
    near, far = games.points(8), 100.0 + games.points(8)
    iterator = batches(near, far)
    one.advance(iterator, 1)
    before = [w.numpy() for w in one.model.centred.weights]
    one.advance(iterator, 1)
    assert one.totals()["skipped"] == 1
    for a, b in zip(before, one.model.centred.weights):
        np.testing.assert_array_equal(a, b.numpy())
    assert before[1] == 1


def test_fit_gives_them_their_values():
    model = games.Duel()
    model.compile(keras.optimizers.SGD(0.1))
    x, y = games.points(8), games.points(8, seed=4)
    model.fit(tf.data.Dataset.from_tensor_slices(tf.stack([x, y])), verbose=0)
    expected = 0.25 * x.numpy().mean(0) + 0.5 * y.numpy().mean(0)
    np.testing.assert_allclose(model.centred.mean.numpy(), expected, rtol=1e-5)
    assert int(model.centred.seen.numpy()) == 2
    model.evaluate(tf.data.Dataset.from_tensor_slices(tf.stack([x])), verbose=0)
    assert int(model.centred.seen.numpy()) == 2


def test_averaged_weights_are_settled_wherever_they_are_put(tmp_path, monkeypatch):
    """By validation, pictures, export, and where a run is loaded."""
    settled = []
    monkeypatch.setattr(VAE, "settle", lambda self: settled.append([w.numpy() for w in self.weights]))
    arguments = ("--steps=2", "--config.ema=0.5", "--config.data.validation=50", "--eval_every=2", "--sample_every=2")
    assert test_train.run(tmp_path / "run", *test_train.TINY, *arguments) == 0
    assert len(settled) == 2
    model = runs.load(tmp_path / "run").model
    assert len(settled) == 3
    for values in settled:
        for ours, theirs in zip(values, model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert test_train.run(tmp_path / "other", *test_train.TINY, *arguments, "--export") == 0
    assert len(settled) == 6
