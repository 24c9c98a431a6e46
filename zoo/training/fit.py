"""Keras's `compile`, `fit` and `evaluate` for a game of players: the step of `zoo.training.game` with what Keras tells
and asks.
"""

import inspect
import types

import keras
import tensorflow as tf

from zoo import random
from zoo.training import adam, feeding
from zoo.training.execution import Execution, Term, Totals, listed, listens, unpacked
from zoo.training.game import Game


class Playing(keras.Model):
    """A Keras model whose step is a move, or several, of each of its `players()`."""

    def compile(self, optimizer="adam", seed=0, jit_compile=False, steps_per_execution=None, **kwargs):
        """Prepares `fit`.

        Args:
            optimizer: one (each player gets its own copy) or {player: optimizer}, or a name. With `use_ema` the
                weights that it moves have moving averages, of decay `ema_momentum`, less in the first moves
                (`zoo.training.averaging`). Its schedule counts moves: `updates` a step.
            seed: an integer for all noise and the order of arrays.
            jit_compile: whether losses and gradients are compiled by XLA.
            steps_per_execution: as Keras's; None: where there is one replica and no callback that listens to batches,
                as many as take a quarter of a second, and each is still counted and told by itself.

        Raises:
            ValueError: where players and optimizers don't match, or an optimizer wants to overwrite weights by
                averages while it trains.
        """
        with self.distribute_strategy.scope():
            players = self.players()
            optimizers, decays = _averaged(_each(optimizer, players))
            # Keras knows one optimizer, of all weights: with several players it is told of none, and `fit` does for
            # each what Keras would.
            only = optimizers[players[0].name] if len(players) == 1 else None
            stride = steps_per_execution or 1
            super().compile(optimizer=only, jit_compile=jit_compile, steps_per_execution=stride, **kwargs)
            game = Game(players, optimizers, random.seed(seed), decays, jit=self.jit_compile is True)
            same = tf.VariableAggregation.ONLY_FIRST_REPLICA
            step = tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=same)
            # Keras wants every metric to exist before it traces the step.
            totals = Totals(game.names(range(len(players)), self.domain.batch_spec()))
        terms = [Term(totals, index) for index in range(len(totals.names))]
        execution = Execution(self, game, step, totals)
        self._fit = types.SimpleNamespace(game=game, step=step, terms=terms, totals=totals, execution=execution,
                                          chosen=steps_per_execution is None)

    def fit(self, *args, **kwargs):
        """Trains as Keras's `fit` does; at its end weights take the values of their moving averages, if their optimizer
        has them (`use_ema`).

        Arrays are gathered in the graph, in an order that follows from (seed, step at which `fit` began, epoch). Where
        a player moves more than once a step, each move takes the next batch: an epoch has `steps_per_epoch` steps, or
        as many as the data have batches for (at least one), and the next goes on where it ended.

        Raises:
            ValueError: where such a game is given data other than arrays or a `tf.data.Dataset`, or a set of unknown
                size without `steps_per_epoch`.
        """
        if not hasattr(self, "_fit"):
            return super().fit(*args, **kwargs)  # Keras says that `compile` is missing
        given = inspect.signature(keras.Model.fit).bind(self, *args, **kwargs).arguments
        del given["self"]
        given = self._validated(self._fed(given))
        batches, steps, execution = given.get("x"), given.get("steps_per_epoch"), self._fit.execution
        size = int(batches.cardinality()) if isinstance(batches, tf.data.Dataset) else tf.data.UNKNOWN_CARDINALITY
        endless = size == tf.data.INFINITE_CARDINALITY
        execution.per_epoch = steps if endless else None
        if size > 0 and not steps:
            execution.per_epoch = size
        execution.ahead = self._fit.chosen and not listens(given.get("callbacks"))
        history = super().fit(**given | dict(callbacks=_with(given.get("callbacks"), _Epochs(execution))))
        with self.distribute_strategy.scope():
            for player in self._fit.game.players:
                self._fit.game.averages.put(player.weights)
        self.settle()
        return history

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Takes one step on one batch. Where a player moves more than once a step, the batch is parted equally: move n
        of each player takes part n.

        Raises:
            ValueError: where the batch can't be parted.
        """
        return super().train_on_batch(x, y, sample_weight, class_weight, return_dict)

    def train_step(self, batch):
        """Takes one step, of a batch that is parted as `train_on_batch` does; returns the means since the last
        `reset_metrics`.
        """
        return self._fit.execution.on_batch(batch)

    def test_step(self, batch):
        """Computes the losses of all players, after all schedules."""
        game, totals, batch = self._fit.game, self._fit.totals, unpacked(self.domain, batch)
        players = range(len(game.players))
        means = totals.add({index: game.look(index, batch) for index in players}, [batch for _ in players])
        return dict(zip(totals.names, tf.unstack(means)))

    def make_train_function(self, force=False):
        self.train_function = self._fit.execution

    @property
    def metrics(self):
        return list(self._fit.terms) if hasattr(self, "_fit") else []

    def evaluate(self, x=None, y=None, batch_size=None, *args, **kwargs):
        """Evaluates as Keras does; arrays are checked and converted as by public methods."""
        if not kwargs.get("_use_cached_eval_dataset") and kwargs.get("sample_weight") is None:
            x, y = self._once(x, y, batch_size)
        return super().evaluate(x, y, batch_size, *args, **kwargs)

    def _once(self, x, y, batch_size):
        x, y = self._checked(x, y)
        if y is None and feeding.is_array(x):
            return feeding.once(self.domain, x, batch_size or 32), None
        return x, y

    def _checked(self, x, y=None):
        """Returns (x, y) as Keras wants them: of arrays (a batch's parts as a tuple, None), else as they are."""
        arrays = x
        if y is not None:
            arrays = (*x, y) if isinstance(x, (tuple, list)) else (x, y)
        return (feeding.checked(self.domain, arrays), None) if feeding.is_array(arrays) else (x, y)

    def _validated(self, given):
        """Returns what `fit` was given, with arrays to validate as batches: x, (x,), or a batch's parts."""
        held = given.get("validation_data")
        if held is not None and feeding.is_array(held):
            held = held[0] if isinstance(held, (tuple, list)) and len(held) == 1 else held
            size = given.get("validation_batch_size") or given.get("batch_size")
            given["validation_data"] = self._once(held, None, size)[0]
        return given

    def _fed(self, given):
        """Returns what `fit` was given, with arrays as a pipeline, and steps of several batches counted."""
        given = dict(given)
        x, y, game = *self._checked(given.get("x"), given.get("y")), self._fit.game
        steps = given.get("steps_per_epoch")
        if y is None and feeding.is_array(x):
            share = given.pop("validation_split", 0.0)
            if share:
                x, held = feeding.held_out(self.domain, x, share)
                if given.get("validation_data") is None:
                    given["validation_data"] = (held,)
            size, seed = given.get("batch_size") or 32, random.fold_in(game.seed, int(self._fit.step.numpy()))
            batches = feeding.array_batches(self.domain, x, size, given.get("shuffle", True), seed, game.replicas)
            # One stream for all epochs, since a stream takes as long to begin as some steps of a small model.
            num, used = feeding.num_batches(x, size, game.replicas)
            known = used % size and used > size and steps is None and game.moves == game.replicas == 1
            self._fit.execution.full = size if known else None
            steps = steps or max(1, num // game.moves)
            return given | dict(x=batches, y=None, shuffle=False, steps_per_epoch=steps)
        self._fit.execution.full, given = None, given | dict(x=x, y=y)
        if isinstance(x, tf.data.Dataset):
            given["shuffle"] = False  # Keras warns of its own default
            if game.moves > 1:
                given["x"], given["steps_per_epoch"] = feeding.steps_of(x, game.moves, steps)
        elif game.moves > 1:
            raise ValueError(f"x: a step of this model takes {game.moves} batches; arrays or a tf.data.Dataset are "
                             f"needed, found {type(x).__name__}.")
        return given


class _Epochs(keras.callbacks.Callback):
    """Tells where an epoch begins."""

    def __init__(self, execution):
        super().__init__()
        self._execution = execution

    def on_epoch_begin(self, epoch, logs=None):
        self._execution.begin_epoch()


def _with(callbacks, own):
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(own)
        return callbacks
    return [own, *listed(callbacks)]


def _each(optimizer, players):
    """Returns {player: optimizer} from one, a name or such a dictionary. Raises ValueError where players are missing,
    or too many.
    """
    if not isinstance(optimizer, dict):
        one = keras.optimizers.get(optimizer)
        return {player.name: adam.quicker(one) for player in players}
    if {player.name for player in players} ^ set(optimizer):
        raise ValueError(f"optimizer: one for each player of {[p.name for p in players]} is needed, "
                         f"found {sorted(optimizer)}.")
    return dict(optimizer)


def _averaged(optimizers):
    """Returns (the optimizers without moving averages, {player: decay} of those that asked for them): the weights have
    them, not the optimizers.
    """
    found, decays = {}, {}
    for name, optimizer in optimizers.items():
        if optimizer.use_ema:
            if optimizer.ema_overwrite_frequency:
                raise ValueError(f"ema_overwrite_frequency={optimizer.ema_overwrite_frequency}: averages are put "
                                 "into the weights at the end of `fit`; leave it out.")
            decays[name] = optimizer.ema_momentum
            optimizer = type(optimizer).from_config(optimizer.get_config() | dict(use_ema=False))
        found[name] = optimizer
    return found, decays
