"""Moving averages of weights: they lie beside the weights, not in an optimizer, so they go on where a later stage moves the same weights by a fresh optimizer.

a <- d a + (1 - d) w after each move, d = min(decay, (1 + n) / (10 + n)) after n moves, 0 at the first. With the decay alone a run that is no longer than its
horizon, 1 / (1 - decay) moves, would end with an average that lies between the weights and their start.
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

        self._groups = [_Group(players, tuple(own), tf.Variable(0, dtype=tf.int64, trainable=False), tuple(beside(weight) for weight in own))
                        for players, own in grouped.items()]

    @property
    def variables(self):
        """All of them, for a checkpoint: of each group how many moves there were, then its averages."""
        return [variable for group in self._groups for variable in (group.moves, *group.averages)]

    def update(self, player):
        """In a replica, or where there are none: after a move of the player with this number."""
        groups = [group for group in self._groups if player in group.players]
        if groups:
            tf.__internal__.distribute.interim.maybe_merge_call(lambda strategy: self._update(strategy, groups, self._decays[player]), tf.distribute.get_strategy())

    @staticmethod
    def _update(strategy, groups, most):
        for group in groups:
            moves = tf.cast(group.moves.read_value(), tf.float32)
            decay = tf.where(moves > 0, tf.minimum(most, (1.0 + moves) / (10.0 + moves)), 0.0)
            for average, weight in zip(group.averages, group.weights):
                strategy.extended.update(average, lambda own, w, decay: own.assign_sub(tf.cast(1.0 - decay, own.dtype) * (own - w)),
                                         args=(weight.value, decay), group=False)
            strategy.extended.update(group.moves, lambda own: own.assign_add(1), group=False)

    def of(self, weights):
        """{id of a weight: its average}, of those of the weights whose average has begun."""
        wanted = {id(weight) for weight in weights}
        return {id(weight): average for group in self._groups if int(group.moves.numpy()) for weight, average in zip(group.weights, group.averages) if id(weight) in wanted}

    def put(self, weights):
        """From outside of the replicas: gives those of the weights whose average has begun its value."""
        found = self.of(weights)
        for weight in weights:
            if id(weight) in found:
                tf.distribute.get_strategy().extended.update(weight.value, lambda own, average: own.assign(average), args=(found[id(weight)],))
