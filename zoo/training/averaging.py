"""Moving averages of weights: they lie beside the weights, not in an optimizer, so they go on where a later stage
moves the same weights by a fresh optimizer.

a <- d a + (1 - d) w after each move, d = min(decay, (1 + n) / (10 + n)) after n moves, 0 at the first. With the decay
alone a run that is no longer than its horizon, 1 / (1 - decay) moves, would end with an average that lies between the
weights and their start.
"""

from typing import NamedTuple

import tensorflow as tf


class _Group(NamedTuple):
    """Weights that the same players move, so that as many moves have gone into the average of each."""

    players: tuple
    weights: tuple
    moves: tf.Variable
    averages: tuple


class Averages:
    """Averages of the weights of those players that have a decay; made in the strategy's scope, after the weights.

    Args:
        weights: the weights of each player.
        decays: the decay of each player, 0 for none.
    """

    def __init__(self, weights, decays):
        self._decays = list(decays)
        strategy, who, found = tf.distribute.get_strategy(), {}, {}
        for player, (own, decay) in enumerate(zip(weights, decays, strict=True)):
            for weight in own if decay else ():
                found[id(weight)] = weight
                who.setdefault(id(weight), []).append(player)
        grouped = {}
        for name, players in who.items():
            grouped.setdefault(tuple(players), []).append(found[name])

        def beside(weight):
            with strategy.extended.colocate_vars_with(weight.value):
                return tf.Variable(tf.zeros(weight.shape, weight.dtype), trainable=False)

        def moves():
            return tf.Variable(0, dtype=tf.int64, trainable=False)

        self._groups = [_Group(players, tuple(own), moves(), tuple(map(beside, own)))
                        for players, own in grouped.items()]

    @property
    def variables(self):
        """All of them, for a checkpoint: of each group how many moves there were, then its averages."""
        return [variable for group in self._groups for variable in (group.moves, *group.averages)]

    def update(self, player):
        """Takes in what a move of the player with this number gave; in a replica, or where there are none."""
        groups = [group for group in self._groups if player in group.players]
        if groups:
            merge = tf.__internal__.distribute.interim.maybe_merge_call
            merge(self._update, tf.distribute.get_strategy(), groups, self._decays[player])

    @staticmethod
    def _update(strategy, groups, most):
        for group in groups:
            moves = tf.cast(group.moves.read_value(), tf.float32)
            decay = tf.where(moves > 0, tf.minimum(most, (1.0 + moves) / (10.0 + moves)), 0.0)
            for average, weight in zip(group.averages, group.weights):
                strategy.extended.update(average, _approach, args=(weight.value, 1.0 - decay), group=False)
            strategy.extended.update(group.moves, lambda own: own.assign_add(1), group=False)

    def of(self, weights):
        """Returns {id of a weight: its average}, of those of the weights whose average has begun."""
        wanted = {id(weight) for weight in weights}
        begun = [group for group in self._groups if int(group.moves.numpy())]
        found = {id(weight): average for group in begun for weight, average in zip(group.weights, group.averages)}
        return {name: average for name, average in found.items() if name in wanted}

    def put(self, weights):
        """Gives, from outside of the replicas, those of the weights whose average has begun its value."""
        found = self.of(weights)
        for weight in weights:
            if id(weight) in found:
                weight.assign(found[id(weight)])


def _approach(average, weight, share):
    """Moves an average by a share of its way to the weight."""
    return average.assign_sub(tf.cast(share, average.dtype) * (average - weight))
