"""One compiled training step for every model, on one replica or many: the step of `zoo.training.game`, under a
strategy.

Gradients are summed over the replicas, then clipped, then applied: an optimizer's own clipping would act before the
sum, and training would depend on the number of replicas. An update whose summed gradients are too long, or not finite,
is skipped by all replicas alike (R. Child, Very Deep VAEs, 2021, arXiv:2011.10650, section 4.2): weights, slots,
averages and what follows stay as they were.

A step is compiled for those who move in it, and a call never crosses from one stage into the next.
"""

import functools

import tensorflow as tf

from trainers.runs.config import decays
from trainers.training import optimizers, strategies
from zoo import random
from zoo.layers.following import assign
from zoo.training.game import Game


class Engine(Game):
    """A model with its optimizers, and the function that advances them.

    Args:
        make_model: function that makes the model; called in the strategy's scope.
        config: the run's configuration (`trainers.runs.config`).
        strategy: a tf.distribute strategy.
        seed: the run's seed, an integer.
        jit: whether losses and gradients are compiled by XLA (the all-reduce and the update never are).
    """

    def __init__(self, make_model, config, strategy, seed, jit=False):
        self.strategy = strategy
        self.per_worker = strategy.num_replicas_in_sync // strategies.workers(strategy)[1]
        self.clip_norm, self.skip_norm = config.clip_norm, config.skip_norm
        with strategy.scope():
            self.model = make_model()
            players = self.model.players()
            made = {player.name: _optimizer(player, config) for player in players}
            super().__init__(players, made, random.seed(seed), decays(players, config), jit, config.accumulation)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Updates that were skipped so far, and the last steps in a row that skipped one.
        self.skips = tf.Variable([0, 0], dtype=tf.int64, trainable=False)
        self._own = [item for follows in self.follows for item in follows if item.replicas == "each"]
        # What each replica has for itself, [replicas, ...]: a checkpoint would keep the first replica's alone.
        self._gathered = [tf.Variable(tf.stack([tf.convert_to_tensor(item.weight)] * self.replicas), trainable=False)
                          for item in self._own]
        self._scatter, self._gather = tf.function(self._scattered), tf.function(self._gathering)
        self._advance = tf.function(self._steps)

    def state(self):
        """Makes what a checkpoint holds: {name: variables}."""
        state = {"weights": [w.value for w in self.model.weights], "step": [self.step], "skips": [self.skips],
                 "averages": self.averages.variables, "own": self._gathered}
        return {name: part for name, part in state.items() if part} | {
            f"optimizer_{name}": [v.value for v in optimizer.variables] for name, optimizer in self.optimizers.items()}

    def advance(self, iterator, num):
        """Takes `num` steps in one call.

        Returns:
            ({name: mean over the steps}, None), or (None, (step, name of the term)) of the first loss that was not
            finite. Where updates may be skipped, such a loss stops nothing and is left out of the means, which are
            empty if all are.
        """
        step = int(self.step)
        stage = self.stage(step)
        if self._own:
            self._scatter()
        mean, bad_step, bad, counted = self._advance(iterator, tf.constant(num, tf.int64), stage)
        names = self.names(stage, self._spec(iterator))
        if bad_step >= 0:
            wrong = [name for name, finite in zip(names, tf.math.is_finite(bad)) if not finite]
            return None, (int(bad_step), min(wrong, key=lambda name: name.endswith("loss")))
        with self.strategy.scope():
            self.finish(step + num)
        if self._own:
            self._gather()
        return dict(zip(names, mean.numpy().tolist())) if counted > 0 else {}, None

    def totals(self):
        """Reads what is counted from the first step on: {name: number}."""
        return {"skipped": int(self.skips[0])} if self.skip_norm else {}

    @property
    def skipped_in_a_row(self):
        """How many of the last steps in a row skipped an update."""
        return int(self.skips[1])

    def finite(self):
        """Tells whether every weight is finite: a finite loss does not tell that the update after it was."""
        real = [w.value for w in self.model.weights if w.value.dtype.is_floating]
        return all(bool(tf.reduce_all(tf.math.is_finite(value))) for value in real)

    def weights(self):
        """Reads the weights as arrays, those with a moving average by that average: what is evaluated, sampled and
        exported.
        """
        averages = self.averages.of(self.model.weights)
        return [averages.get(id(w), w).numpy() for w in self.model.weights]

    def _spec(self, iterator):
        """Makes the specification of a replica's batch."""
        def part(spec):
            return tf.TensorSpec((spec.shape[0] // self.per_worker, *spec.shape[1:]), spec.dtype)

        return tf.nest.map_structure(part, iterator.element_spec)

    def _steps(self, iterator, num, stage):
        size = len(self.names(stage, self._spec(iterator)))
        total, bad = tf.zeros([size]), tf.zeros([size])
        bad_step, counted = tf.constant(-1, tf.int64), tf.constant(0, tf.int64)
        for _ in tf.range(num):
            batches = [next(iterator) for _ in range(self.moves)]
            batches = [strategies.per_replica(self.strategy, batch, self.per_worker) for batch in batches]
            if self.skip_norm:
                scalars = self._skipping_step(batches, stage)
            else:
                scalars = self.strategy.run(self._replica_step, (batches, self.step.read_value(), stage))
                scalars = self.strategy.reduce(tf.distribute.ReduceOp.MEAN, scalars, axis=None)
            finite = tf.reduce_all(tf.math.is_finite(scalars))
            if not self.skip_norm:
                first = tf.logical_and(bad_step < 0, tf.logical_not(finite))
                bad_step, bad = tf.where(first, self.step, bad_step), tf.where(first, scalars, bad)
            total += tf.where(finite, scalars, 0.0)
            counted += tf.cast(finite, tf.int64)
            self.step.assign_add(1)
        return total / tf.cast(counted, tf.float32), bad_step, bad, counted

    def _replica_step(self, batches, step, stage):
        return tf.concat(list(self.play(batches, step, stage).values()), 0)

    def update(self, index, gradients, values):
        """Makes a move in a replica, its gradients clipped after they were summed."""
        if self.clip_norm:
            mean = self._mean(gradients)
            gradients, _ = tf.clip_by_global_norm(mean, self.clip_norm)
        super().update(index, gradients, values)

    def _skipping_step(self, batches, stage):
        """Takes a step from outside of the replicas: after a player's gradients one decision, for all of them, on its
        update.
        """
        skipped = []

        def move(index, number, batch, step):
            measured = functools.partial(self._measured, index, number)
            scalars, gradients, values, norm = self.strategy.run(measured, (batch, step))
            mean = functools.partial(self.strategy.reduce, tf.distribute.ReduceOp.MEAN, axis=None)
            scalars, norm = mean(scalars), mean(norm)
            # No NaN is below anything.
            fine = tf.logical_and(norm <= self.skip_norm, tf.reduce_all(tf.math.is_finite(scalars)))
            make = functools.partial(self._make, index, gradients, values)
            skipped.append(tf.cond(fine, make, lambda: tf.constant(1, tf.int64)))
            return scalars

        scalars = self.play(batches, self.step.read_value(), stage, move)
        skipped = tf.add_n(skipped)
        self.skips.assign([self.skips[0] + skipped, tf.where(skipped > 0, self.skips[1] + 1, 0)])
        return tf.concat(list(scalars.values()), 0)

    def _measured(self, index, number, batch, step):
        """Computes in a replica the scalars of a move, its gradients' mean over the replicas, what follows, and the
        norm of that mean.
        """
        scalars, gradients, values = self.measure(index, number, batch, step)
        gradients = self._mean(gradients)
        return scalars, gradients, values, tf.linalg.global_norm(gradients)

    def _make(self, index, gradients, values):
        """Makes the update from outside of the replicas; returns how many were skipped."""
        def update(gradients, values):
            if self.clip_norm:
                gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm)
            Game.update(self, index, gradients, values)

        self.strategy.run(update, (gradients, values))
        return tf.constant(0, tf.int64)

    def _mean(self, gradients):
        """Takes the mean of the replicas' gradients, in each of them."""
        if self.replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        return [g / self.replicas for g in gradients]

    def _scattered(self):
        """Gives, from outside of the replicas, each replica what it has for itself."""
        def give():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            assign(self._own, [gathered[replica] for gathered in self._gathered])

        self.strategy.run(give)

    def _gathering(self):
        """Keeps, from outside of the replicas, what each replica has for itself."""
        def gather():
            context = tf.distribute.get_replica_context()
            return [context.all_gather(tf.convert_to_tensor(item.weight)[None], 0) for item in self._own]

        parts = self.strategy.run(gather)
        for gathered, part in zip(self._gathered, parts):
            gathered.assign(self.strategy.experimental_local_results(part)[0])


def _optimizer(player, config):
    """Makes the run's optimizer, with a schedule that is made for the moves that the player has."""
    stop = config.steps if player.stop is None else min(player.stop, config.steps)
    return optimizers.make(config, player.name, max(1, stop - player.start), player.updates, player.weights)
