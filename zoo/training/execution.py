"""Keras's `train_function` for a game: several steps in one call of the graph, each on as many batches as its players
need.

Where nobody listens to single batches, steps run ahead of Keras's loop by as much as takes a quarter of a second, and
what was logged of each is told one step at a time: a call of a graph costs as much as a step of a small model.
"""

import collections
import time

import keras
import tensorflow as tf

from zoo.training import feeding

_SECONDS_AHEAD = 0.25
_STEPS_AHEAD = 100
_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def listens(callbacks):
    """Returns whether any of Keras's callbacks wants to be called at each batch, with the weights as they are then."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    quiet = keras.callbacks.ProgbarLogger, keras.callbacks.History  # read logs alone
    return any(hook in vars(callback) or getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook)
               for callback in listed(callbacks) if not isinstance(callback, quiet) for hook in _HOOKS)


def listed(callbacks):
    """Returns a list of what Keras takes as callbacks: several, one or none."""
    if isinstance(callbacks, (list, tuple)):
        return list(callbacks)
    return [callbacks] if callbacks else []


def unpacked(domain, data):
    """Returns a batch of what Keras makes of it: (batch,), or its parts with None for those that it has a place for and
    that were not given. Raises ValueError for others.
    """
    parts = list(data) if isinstance(data, (tuple, list)) else [data]
    while len(parts) > 1 and parts[-1] is None:
        parts.pop()
    batch = parts[0] if len(parts) == 1 else tuple(parts)
    return domain.join(*domain.split(batch))


class Execution:
    """Calls of a model's step.

    ahead: whether steps may run ahead. left: steps until the epoch ends, None where that is not known. full: rows of
    every batch but an epoch's last, where the batches themselves do not know: a graph of known shapes is quicker.
    """

    def __init__(self, model, game, step, totals):
        self._model, self._game, self._step, self._totals = model, game, step, totals
        self.ahead, self.per_epoch, self.left, self.full = False, None, None, None
        self._told, self._pace = collections.deque(), None
        self._several = self._steps if model.run_eagerly else tf.function(self._steps, reduce_retracing=True)
        self._single = self._one if model.run_eagerly else tf.function(self._one, reduce_retracing=True)

    def begin_epoch(self):
        self.left = self.per_epoch
        self._told.clear()

    def __call__(self, iterator):
        """Takes, as Keras asks, `steps_per_execution` steps, fewer where the epoch ends; returns what is logged after
        the last of them.
        """
        if not isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator)):
            return self.on_batch(unpacked(self._model.domain, next(iter(iterator))))
        if self._told:
            return self._told.popleft()
        stride, done = self._model.steps_per_execution, 0
        while done < stride and self.left != 0:
            try:
                rows = self._take(iterator, self._most(stride - done))
            except tf.errors.OutOfRangeError:
                if not done:
                    raise
                break
            done += len(rows)
        if stride == 1:
            self._told.extend(rows[1:])
            return rows[0]
        return rows[-1]

    def on_batch(self, batch):
        """Takes one step on one batch, in equal parts where a player moves more than once. Raises ValueError where it
        can't be parted.
        """
        moves = self._game.moves
        rows = int(tf.nest.flatten(batch)[0].shape[0])
        if rows % moves:
            raise ValueError(f"a step of this model takes {moves} batches, one for each move: the batch of {rows} "
                             f"examples has no {moves} equal parts; {max(1, round(rows / moves)) * moves} examples do.")
        size, batch = rows // moves, feeding.checked(self._model.domain, batch)

        def part(index):
            return tf.nest.map_structure(lambda t: t[index * size:(index + 1) * size], batch)

        parts = [part(index) for index in range(moves)]
        step = int(self._step.numpy())
        row = self._single(parts, self._game.stage(step))
        self._finish(step + 1)
        return self._named(row.numpy())

    def _most(self, wanted):
        """Returns how many steps the next call takes."""
        if self._game.replicas > 1 or self.left is None:
            return 1
        if self._model.steps_per_execution == 1:
            if not self.ahead:
                return 1
            paced = max(1, int(_SECONDS_AHEAD / self._pace)) if self._pace else 2
            wanted = 1 if self._pace is None else min(_STEPS_AHEAD, paced)
        most = self.left - 1 if self.full else self.left  # the smaller batch has a graph of its own
        return max(1, min(wanted, most, self._game.steps_left(int(self._step.numpy())) or wanted))

    def _take(self, iterator, num):
        step, began = int(self._step.numpy()), time.monotonic()
        full = self.full if self.full and self.left > 1 else None
        rows = self._several(iterator, tf.constant(num), self._game.stage(step), full).numpy()
        # The first call traces the graph.
        self._pace = (time.monotonic() - began) / num if self._pace is not None or num > 1 else 0.0
        self._finish(step + num)
        self.left = None if self.left is None else self.left - num
        return [self._named(row) for row in rows]

    def _finish(self, step):
        with self._model.distribute_strategy.scope():
            self._game.finish(step)

    def _named(self, row):
        return {name: float(value) for name, value in zip(self._totals.names, row)}

    def _steps(self, iterator, num, stage, full):
        """Takes `num` steps; returns the means since the epoch's start after each, [num, n]."""
        def batch():
            found = next(iterator)
            return tf.nest.map_structure(lambda t: tf.ensure_shape(t, [full, *t.shape[1:]]), found) if full else found

        rows = tf.TensorArray(tf.float32, num)
        for index in tf.range(num):
            rows = rows.write(index, self._one([batch() for _ in range(self._game.moves)], stage))
        return rows.stack()

    def _one(self, batches, stage):
        strategy = self._model.distribute_strategy
        row = strategy.run(self._in_replica, (batches, self._step.read_value(), stage))
        self._step.assign_add(1)
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, row, axis=None) if self._game.replicas > 1 else row

    def _in_replica(self, batches, step, stage):
        game = self._game
        scalars = game.play(batches, step, stage)
        for index in set(range(len(game.players))) - set(stage):  # Keras wants the same names in every epoch
            scalars[index] = game.look(index, batches[0])
        last = [player.updates - 1 if index in stage else 0 for index, player in enumerate(game.players)]
        return self._totals.add(scalars, [batches[index] for index in last])


class Totals:
    """Weighted sums of the scalars of all players since an epoch's start, and of the rows that they are means of; made
    in the strategy's scope.

    Args:
        names: of the scalars, in the players' order.
    """

    def __init__(self, names):
        self.names = names
        each = dict(synchronization=tf.VariableSynchronization.ON_READ, aggregation=tf.VariableAggregation.SUM)
        self._sums, self._rows = (tf.Variable(tf.zeros([len(names)]), trainable=False, **each) for _ in range(2))

    def add(self, scalars, batches):
        """Adds, in a replica, {number of a player: scalars [n]}, of batches with as many rows; returns the means since
        the start, [all].
        """
        scalars = [scalars[index] for index in range(len(batches))]
        sizes = [tf.cast(tf.shape(tf.nest.flatten(batch)[0])[0], tf.float32) for batch in batches]
        rows = [tf.fill([value.shape[0]], size) for value, size in zip(scalars, sizes)]
        scalars, rows = (values[0] if len(values) == 1 else tf.concat(values, 0) for values in (scalars, rows))
        self._sums.assign_add(scalars * rows)
        self._rows.assign_add(rows)
        return self.means()

    def means(self):
        return tf.math.divide_no_nan(self._sums.read_value(), self._rows.read_value())

    def reset(self):
        for variable in (self._sums, self._rows):
            variable.assign(tf.zeros([len(self.names)]))


class Term(keras.metrics.Metric):
    """One of the totals, as Keras wants it told of: by a name of its own."""

    def __init__(self, totals, index):
        super().__init__(name=totals.names[index])
        self._totals, self._index = totals, index

    def result(self):
        return self._totals.means()[self._index]

    def reset_state(self):
        self._totals.reset()
