"""One compiled training step for every model, on one replica or many: each player moves in turn.

Gradients are summed over the replicas, then clipped, then applied: an optimizer's own clipping would act before the sum, and training
would depend on the number of replicas. An update whose summed gradients are too long, or not finite, is skipped by all replicas alike
(R. Child, Very Deep VAEs, 2021, arXiv:2011.10650, section 4.2): weights, slots and averages stay as they were. Noise is a function of (seed, step, player, move, replica), never a state.

Players may begin late and stop early: training in stages. A step is compiled for those who move in it, so the others cost nothing, and a call
never crosses from one stage into the next. Where a player stops, its weights take the values of their averages: who learns from it later learns from
what will be evaluated.
"""

import functools

import tensorflow as tf

from trainers import optimizers, strategies
from zoo import following, random
from zoo.playing import measure, term_means


class Engine:
    """A model with its optimizers, and the function that advances them.

    Args:
        make_model: function that makes the model; called in the strategy's scope.
        config: the run's configuration (`trainers.config`).
        strategy: a tf.distribute strategy.
        seed: the run's seed, an integer.
        jit: whether losses and gradients are compiled by XLA (the all-reduce and the update never are).
    """

    def __init__(self, make_model, config, strategy, seed, jit=False):
        self.strategy, self.seed = strategy, random.seed(seed)
        self.replicas = strategy.num_replicas_in_sync
        self.per_worker = self.replicas // strategies.workers(strategy)[1]
        self.clip_norm, self.skip_norm = config.clip_norm, config.skip_norm
        with strategy.scope():
            self.model = make_model()
            self.players = self.model.players()
            self.optimizers = {player.name: player.optimizer() if player.optimizer else optimizers.make(config, player.name, _steps(player, config.steps))
                               for player in self.players}
            for player in self.players:
                self.optimizers[player.name].build(list(player.weights))
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.skips = tf.Variable([0, 0], dtype=tf.int64, trainable=False)  # updates so far, and the last steps in a row that skipped one
        self.moves = max(player.updates for player in self.players)
        self.names = {}  # of the logged scalars of each stage, known once its step is traced
        self._compute = {player.name: _compute(player, jit) for player in self.players}
        self._advance = tf.function(self._steps)

    def state(self):
        """What a checkpoint holds: {name: variables}."""
        state = {"weights": [w.value for w in self.model.weights], "step": [self.step], "skips": [self.skips]}
        return state | {f"optimizer_{name}": [v.value for v in optimizer.variables] for name, optimizer in self.optimizers.items()}

    def advance(self, iterator, num):
        """Takes `num` steps in one call.

        Returns:
            ({name: mean over the steps}, None), or (None, (step, name of the term)) of the first loss that was not finite. Where updates may be skipped, such a
            loss stops nothing and is left out of the means, which are empty if all are.
        """
        step = int(self.step)
        stage = tuple(index for index, player in enumerate(self.players) if player.moves_at(step))
        mean, bad_step, bad, counted = self._advance(iterator, tf.constant(num, tf.int64), stage)
        names = self.names[stage]
        if bad_step >= 0:
            wrong = [name for name, finite in zip(names, tf.math.is_finite(bad)) if not finite]
            return None, (int(bad_step), min(wrong, key=lambda name: name.endswith("loss")))
        for player in self.players:
            if player.stop == step + num and self.optimizers[player.name].use_ema:
                self._take_averages(player)
        return dict(zip(names, mean.numpy().tolist())) if counted > 0 else {}, None

    def totals(self):
        """What is counted from the first step on: {name: number}."""
        return {"skipped": int(self.skips[0])} if self.skip_norm else {}

    @property
    def skipped_in_a_row(self):
        """How many of the last steps in a row skipped an update."""
        return int(self.skips[1])

    def steps_left(self, step):
        """Steps until a player begins or stops, None where none will: a call takes no more of them."""
        changes = [at - step for player in self.players for at in (player.start, player.stop) if at is not None and at > step]
        return min(changes, default=None)

    def _take_averages(self, player):
        optimizer = self.optimizers[player.name]
        with self.strategy.scope():
            for weight, average in zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True):
                weight.assign(average)

    def finite(self):
        """Whether every weight is: a finite loss does not tell that the update after it was."""
        return all(bool(tf.reduce_all(tf.math.is_finite(w.value))) for w in self.model.weights if w.value.dtype.is_floating)

    def weights(self):
        """The weights as arrays, those with a moving average by that average: what is evaluated, sampled and exported."""
        averages = {}
        for optimizer in self.optimizers.values():
            if optimizer.use_ema and int(optimizer.iterations.numpy()):  # before its first move a player has no averages
                averages |= {id(w): a for w, a in zip(optimizer._trainable_variables, optimizer._model_variables_moving_average)}
        return [averages.get(id(w), w).numpy() for w in self.model.weights]

    def _steps(self, iterator, num, stage):
        names = self._trace_names(iterator, stage)
        total, bad, bad_step, counted = tf.zeros([len(names)]), tf.zeros([len(names)]), tf.constant(-1, tf.int64), tf.constant(0, tf.int64)
        for _ in tf.range(num):
            batches = [strategies.per_replica(self.strategy, next(iterator), self.per_worker) for _ in range(self.moves)]
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

    def _trace_names(self, iterator, stage=None):
        """The names of the scalars: the losses are traced once, in a graph that is thrown away; `stage`: the numbers of those who move, None: all."""
        stage = tuple(range(len(self.players))) if stage is None else stage
        batch = tf.nest.map_structure(lambda s: tf.TensorSpec((s.shape[0] // self.per_worker, *s.shape[1:]), s.dtype), iterator.element_spec)
        means = {}
        for player in (self.players[index] for index in stage):
            terms, _ = tf.function(player.outcome).get_concrete_function(batch, tf.TensorSpec([2], tf.int32)).structured_outputs
            means |= term_means(self.players, player, {name: tf.zeros([1]) for name in terms})
        self.names[stage] = list(means)
        return self.names[stage]

    def _replica_step(self, batches, step, stage=None):
        means = {}
        for index in range(len(self.players)) if stage is None else stage:
            player = self.players[index]
            for move in range(player.updates):
                terms, gradients, values = self._gradients(index, move, batches, step)
                self._apply(index, self._mean(gradients) if self._clips(player) else gradients, values)
            means |= term_means(self.players, player, terms)
        return tf.stack(list(means.values()))

    def _skipping_step(self, batches, stage):
        """`_replica_step` in parts, from outside of the replicas: after a player's gradients one decision, for all of them, on its update."""
        step, skipped, means = self.step.read_value(), tf.constant(0, tf.int64), []
        for index in stage:
            player = self.players[index]
            for move in range(player.updates):
                scalars, gradients, values, norm = self.strategy.run(functools.partial(self._measure, index, move), (batches, step))
                scalars, norm = (self.strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None) for value in (scalars, norm))
                small = tf.math.is_finite(norm) if player.optimizer else norm <= self.skip_norm  # no NaN is below anything
                fine = tf.logical_and(small, tf.reduce_all(tf.math.is_finite(scalars)))
                skipped += tf.cond(fine, functools.partial(self._update, index, gradients, values), lambda: tf.constant(1, tf.int64))
            means.append(scalars)
        self.skips.assign([self.skips[0] + skipped, tf.where(skipped > 0, self.skips[1] + 1, 0)])
        return tf.concat(means, 0)

    def _measure(self, index, move, batches, step):
        """In a replica: the scalars of a player's move, its gradients' mean over the replicas, what follows, and the norm of the gradients."""
        terms, gradients, values = self._gradients(index, move, batches, step)
        gradients = self._mean(gradients)
        return tf.stack(list(term_means(self.players, self.players[index], terms).values())), gradients, values, tf.linalg.global_norm(gradients)

    def _update(self, index, gradients, values):
        """From outside of the replicas: makes the update; returns how many were skipped."""
        self.strategy.run(functools.partial(self._apply, index), (gradients, values))
        return tf.constant(0, tf.int64)

    def _gradients(self, index, move, batches, step):
        player, step = self.players[index], tf.cast(step, tf.int32)
        replica = 0 if player.shared else tf.distribute.get_replica_context().replica_id_in_sync_group
        return self._compute[player.name](batches[move], random.fold_in(self.seed, step, index, move, replica), step)

    def _clips(self, player):
        return self.clip_norm and not player.optimizer

    def _mean(self, gradients):
        """The mean of the replicas' gradients, in each of them."""
        if self.replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        return [g / self.replicas for g in gradients]

    def _apply(self, index, gradients, values):
        player = self.players[index]
        if self._clips(player):
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm)
        # The optimizer sums what the replicas hand to it.
        self.optimizers[player.name].apply([g / self.replicas for g in gradients], list(player.weights))
        following.assign(following.followed(player.follows), values)


def _steps(player, total):
    """How many steps a player has: what its learning rate's schedule is made for."""
    return max(1, (total if player.stop is None else min(player.stop, total)) - player.start)


def _compute(player, jit):
    """The function (batch, seed, step) -> (terms, gradients, values) of a player's loss."""
    def compute(batch, seed, step):
        return measure(player, batch, seed, step)

    return tf.function(compute, jit_compile=True) if jit else compute
