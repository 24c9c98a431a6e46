"""Keras's `compile` and `fit` for a game of players, and what a move is: the same as in `trainers.engine`, for those who bring their own loop's parts."""

import inspect
import types

import keras
import tensorflow as tf

from zoo import following, random


def measure(player, batch, seed, step=None):
    """Returns ({term: [batch]}, gradients, values) of the mean, over the batch, of the player's summed terms at a step (None: after all schedules).

    values: what the weights that the player follows shall be after the move.
    """
    weights = list(player.weights)
    with tf.GradientTape() as tape:
        terms, values = player.outcome(batch, seed, step)
        loss = tf.reduce_mean(tf.add_n(list(terms.values())))
    return terms, tape.gradient(loss, weights), values


def losses_and_gradients(player, batch, seed, step=None):
    """`measure` without the values."""
    return measure(player, batch, seed, step)[:2]


def term_means(players, player, terms):
    """The scalars that are logged of a player's move: its loss, then each term; a player among several is a prefix."""
    prefix = f"{player.name}_" if len(players) > 1 else ""
    scalars = {f"{prefix}loss": tf.reduce_mean(tf.add_n(list(terms.values())))}
    scalars |= {prefix + name: tf.reduce_mean(value) for name, value in terms.items() if len(terms) > 1}
    return scalars | {prefix + name: value for name, value in (player.measures() if player.measures else {}).items()}


class _StageEnds(keras.callbacks.Callback):
    """Gives the weights of a player that stops the values of their averages: who learns from it later learns from what it will be."""

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model._fit.step)
        for player in self.model.players():
            optimizer = self.model._fit.optimizers[player.name]
            if player.stop is not None and player.stop <= step and optimizer.use_ema and player.name not in self.model._fit.stopped:
                optimizer.finalize_variable_values(list(player.weights))
                self.model._fit.stopped.add(player.name)


class Playing(keras.Model):
    """A Keras model whose step is a move of each of its `players()`."""

    def compile(self, optimizer="adam", seed=0, jit_compile=False, **kwargs):
        """Prepares `fit`. `optimizer`: one (each player gets its own copy) or {player: optimizer}; `seed`: an integer for all noise."""
        players = self.players()
        if not isinstance(optimizer, dict):
            config = keras.optimizers.serialize(keras.optimizers.get(optimizer))
            optimizer = {player.name: player.optimizer() if player.optimizer else keras.optimizers.deserialize(config) for player in players}
        missing = {player.name for player in players} ^ set(optimizer)
        if missing:
            raise ValueError(f"optimizer: one for each player of {[p.name for p in players]} is needed, found {sorted(optimizer)}.")
        for player in players:
            optimizer[player.name].build(list(player.weights))
        # Keras knows one optimizer, of all weights: with several players it is told of none, and `fit` does for each what Keras would.
        super().compile(optimizer=optimizer[players[0].name] if len(players) == 1 else None, jit_compile=jit_compile, **kwargs)
        # Keras wants every metric to exist before it traces the step: the terms' names come from a trace of the losses.
        specs = self.domain.batch_spec(), tf.TensorSpec([2], tf.int32)
        means = {}
        for player in players:
            terms, _ = tf.function(player.outcome).get_concrete_function(*specs).structured_outputs
            means |= {name: keras.metrics.Mean(name) for name in term_means(players, player, {k: tf.zeros([1]) for k in terms})}
        step = tf.Variable(0, dtype=tf.int32, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        self._fit = types.SimpleNamespace(optimizers=optimizer, seed=random.seed(seed), means=means, step=step, stopped=set())

    def fit(self, *args, **kwargs):
        """Keras's `fit`; where a player stops, and at the end, its weights take the values of their moving averages, if its optimizer has them (`use_ema`)."""
        players = self.players()
        if any(player.stop is not None and self._fit.optimizers[player.name].use_ema for player in players):
            arguments = inspect.signature(keras.Model.fit).bind(self, *args, **kwargs).arguments
            del arguments["self"]
            given = arguments.get("callbacks") or []
            args, kwargs = (), arguments | dict(callbacks=[_StageEnds(), *(given if isinstance(given, (list, tuple)) else [given])])
        history = super().fit(*args, **kwargs)
        for player in players if len(players) > 1 else ():
            if int(self._fit.optimizers[player.name].iterations):  # before its first move a player has no averages
                self._fit.optimizers[player.name].finalize_variable_values(list(player.weights))
        return history

    @property
    def metrics(self):
        return list(self._fit.means.values()) if hasattr(self, "_fit") else []

    def train_step(self, batch):
        return self._play(batch, move=True)

    def test_step(self, batch):
        return self._play(batch, move=False)

    def _play(self, batch, move):
        players = self.players()
        for index, player in enumerate(players):
            for _ in range(player.updates if move else 1):
                if move and not player.start and player.stop is None:
                    terms = self._move(index, player, batch)
                elif move:  # a player whose turn it is not is only looked at
                    terms = tf.cond(player.moves_at(self._fit.step), lambda: self._move(index, player, batch), lambda: self._look(index, player, batch))
                else:
                    terms = self._look(index, player, batch)
            for name, value in term_means(players, player, terms).items():
                self._fit.means[name].update_state(value, sample_weight=tf.shape(tf.nest.flatten(batch)[0])[0])
        if move:
            self._fit.step.assign_add(1)
        return {name: mean.result() for name, mean in self._fit.means.items()}

    def _move(self, index, player, batch):
        optimizer = self._fit.optimizers[player.name]
        step = tf.cast(optimizer.iterations, tf.int32) // player.updates
        seed = random.fold_in(self._fit.seed, index, tf.cast(optimizer.iterations, tf.int32))
        terms, gradients, values = measure(player, batch, seed, step)
        optimizer.apply(gradients, list(player.weights))
        following.assign(following.followed(player.follows), values)
        return terms

    def _look(self, index, player, batch):
        return player.outcome(batch, random.fold_in(self._fit.seed, index, -1))[0]
