"""Duels to be played by hand, by the engine and by Keras's fit: variants of the game, and what the tests of a step
share."""

import keras
import numpy as np
import tensorflow as tf

from tests.support import games
from tests.trainers import test_engine
from trainers.training.engine import Engine
from zoo import random
from zoo.layers.following import collect, followed
from zoo.training.game import measure

SEED = 11


class Staged(games.Duel):
    """The same weights moved by two players, one after the other, each with its own optimizer."""

    averaged = False

    def players(self):
        guess, _ = super().players()
        return guess._replace(name="early", stop=3, ends_averaged=self.averaged), guess._replace(name="late", start=3)


class Averaged(Staged):
    averaged = True


class Slowed(games.Duel):
    def players(self):
        guess, answer = super().players()
        return guess, answer._replace(multipliers=[([self.v], 0.01)])


class Steady(games.Duel):
    """Without noise, and with nothing but the mean that follows: a batch in parts is the batch."""

    def players(self):
        guess, answer = super().players()
        return guess._replace(loss=self.steady, follows=guess.follows[:1]), answer

    def steady(self, batch, seed, step=None):
        with collect() as collected:
            self.centred(batch)
            return {"distance": tf.reduce_sum((self.w - batch) ** 2, -1)}, collected.values(self.players()[0].follows)


class Lookup(games.Duel):
    """Without noise; w is reached through a table that is looked up, whose gradient TensorFlow says by its rows."""

    def players(self):
        guess, answer = super().players()
        return guess._replace(loss=self.looked_up, follows=()), answer

    def looked_up(self, batch, seed, step=None):
        rows = tf.tile([[0, 1]], [tf.shape(batch)[0], 1])
        return {"distance": tf.reduce_sum((tf.nn.embedding_lookup(self.w, rows) - batch) ** 2, -1)}


def engine(make=games.Duel, replicas=1, settings=None, optimizer="sgd", **arguments):
    keras.utils.set_random_seed(3)
    settings = settings or test_engine.config(learning_rate=0.1)
    settings.optimizer.name = optimizer
    return Engine(lambda: make(**arguments), settings, test_engine.strategy(replicas), SEED)


def compiled(make=games.Duel, optimizer=None, **arguments):
    model = make(**arguments)
    model.compile(optimizer or keras.optimizers.SGD(0.1), seed=SEED)
    return model


def stream(num, size=4):
    """`num` batches, [num, size, 2]."""
    return tf.reshape(games.points(num * size), [num, size, 2])


def batches(points):
    return tf.data.Dataset.from_tensor_slices(points)


def equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def by_hand(model, points, rate=0.1):
    """The weights after steps of gradient descent on each loss in turn, each move on a batch of its own."""
    players = model.players()
    moves = max(player.updates for player in players)
    for step in range(len(points) // moves):
        for index, player in enumerate(players):
            for number in range(player.updates):
                seed = random.fold_in(random.seed(SEED), step, index, number, 0)
                _, gradients, values = measure(player, points[step * moves + number], seed, tf.constant(step))
                for weight, gradient in zip(player.weights, gradients):
                    weight.assign_sub(rate * gradient)
                for item, value in zip(followed(player.follows), values):
                    item.weight.assign(value)
    return model.get_weights()


def interrupted(make, batches, path):
    """Two engines after four steps: one that took them all, and one that goes on, after two, from the checkpoint of a
    third."""
    whole, first, second = (make() for _ in range(3))
    whole.advance(batches(whole.model), 4)
    iterator = batches(first.model)
    first.advance(iterator, 2)
    written = tf.train.Checkpoint(**first.state()).write(str(path / "ckpt"))
    tf.train.Checkpoint(**second.state()).read(written).assert_consumed()
    second.advance(iterator, 2)
    return whole, second
