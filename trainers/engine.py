"""One compiled training step for every model, on one replica or many: each player moves in turn.

Gradients are summed over the replicas, then clipped, then applied: an optimizer's own clipping would act before the sum, and training
would depend on the number of replicas. Noise is a function of (seed, step, player, move, replica), never a state.

Players may begin late and stop early: training in stages. A step is compiled for those who move in it, so the others cost nothing, and a call
never crosses from one stage into the next. Where a player stops, its weights take the values of their averages: who learns from it later learns from
what will be evaluated.
"""

import tensorflow as tf

from trainers import optimizers, strategies
from zoo import random
from zoo.model import losses_and_gradients, term_means


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
        self.clip_norm = config.clip_norm
        with strategy.scope():
            self.model = make_model()
            self.players = self.model.players()
            self.optimizers = {player.name: player.optimizer() if player.optimizer else optimizers.make(config, player.name, _steps(player, config.steps))
                               for player in self.players}
            for player in self.players:
                self.optimizers[player.name].build(list(player.weights))
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.moves = max(player.updates for player in self.players)
        self.names = {}  # of the logged scalars of each stage, known once its step is traced
        self._compute = {player.name: _compute(player, jit) for player in self.players}
        self._advance = tf.function(self._steps)

    def state(self):
        """What a checkpoint holds: {name: variables}."""
        state = {"weights": [w.value for w in self.model.weights], "step": [self.step]}
        return state | {f"optimizer_{name}": [v.value for v in optimizer.variables] for name, optimizer in self.optimizers.items()}

    def advance(self, iterator, num):
        """Takes `num` steps in one call.

        Returns:
            ({name: mean over the steps}, None), or (None, (step, name of the term)) of the first loss that was not finite.
        """
        step = int(self.step)
        stage = tuple(index for index, player in enumerate(self.players) if player.moves_at(step))
        mean, bad_step, bad = self._advance(iterator, tf.constant(num, tf.int64), stage)
        names = self.names[stage]
        if bad_step >= 0:
            wrong = [name for name, finite in zip(names, tf.math.is_finite(bad)) if not finite]
            return None, (int(bad_step), min(wrong, key=lambda name: name.endswith("loss")))
        for player in self.players:
            if player.stop == step + num and self.optimizers[player.name].use_ema:
                self._take_averages(player)
        return dict(zip(names, mean.numpy().tolist())), None

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
        return all(bool(tf.reduce_all(tf.math.is_finite(w.value))) for w in self.model.trainable_weights)

    def weights(self):
        """The weights as arrays, those with a moving average by that average: what is evaluated, sampled and exported."""
        averages = {}
        for optimizer in self.optimizers.values():
            if optimizer.use_ema and int(optimizer.iterations):  # before its first move a player has no averages
                averages |= {id(w): a for w, a in zip(optimizer._trainable_variables, optimizer._model_variables_moving_average)}
        return [averages.get(id(w), w).numpy() for w in self.model.weights]

    def _steps(self, iterator, num, stage):
        names = self._trace_names(iterator, stage)
        total, bad, bad_step = tf.zeros([len(names)]), tf.zeros([len(names)]), tf.constant(-1, tf.int64)
        for _ in tf.range(num):
            batches = [strategies.per_replica(self.strategy, next(iterator), self.per_worker) for _ in range(self.moves)]
            scalars = self.strategy.run(self._replica_step, (batches, self.step.read_value(), stage))
            scalars = self.strategy.reduce(tf.distribute.ReduceOp.MEAN, scalars, axis=None)
            first = tf.logical_and(bad_step < 0, tf.logical_not(tf.reduce_all(tf.math.is_finite(scalars))))
            bad_step, bad = tf.where(first, self.step, bad_step), tf.where(first, scalars, bad)
            total += scalars
            self.step.assign_add(1)
        return total / tf.cast(num, tf.float32), bad_step, bad

    def _trace_names(self, iterator, stage=None):
        """The names of the scalars: the losses are traced once, in a graph that is thrown away; `stage`: the numbers of those who move, None: all."""
        stage = tuple(range(len(self.players))) if stage is None else stage
        batch = tf.nest.map_structure(lambda s: tf.TensorSpec((s.shape[0] // self.per_worker, *s.shape[1:]), s.dtype), iterator.element_spec)
        means = {}
        for player in (self.players[index] for index in stage):
            terms = tf.function(player.loss).get_concrete_function(batch, tf.TensorSpec([2], tf.int32)).structured_outputs
            means |= term_means(self.players, player, {name: tf.zeros([1]) for name in terms})
        self.names[stage] = list(means)
        return self.names[stage]

    def _replica_step(self, batches, step, stage=None):
        context = tf.distribute.get_replica_context()
        step, replica = tf.cast(step, tf.int32), context.replica_id_in_sync_group
        means = {}
        for index, player in enumerate(self.players):
            if stage is not None and index not in stage:
                continue
            weights = list(player.weights)
            for move in range(player.updates):
                seed = random.fold_in(self.seed, step, index, move, 0 if player.shared else replica)
                terms, gradients = self._compute[player.name](batches[move], seed, step)
                if self.clip_norm and not player.optimizer:
                    if self.replicas > 1:
                        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
                    gradients, _ = tf.clip_by_global_norm([g / self.replicas for g in gradients], self.clip_norm)
                # The optimizer sums what the replicas hand to it.
                self.optimizers[player.name].apply([g / self.replicas for g in gradients], weights)
            means |= term_means(self.players, player, terms)
        return tf.stack(list(means.values()))


def _steps(player, total):
    """How many steps a player has: what its learning rate's schedule is made for."""
    return max(1, (total if player.stop is None else min(player.stop, total)) - player.start)


def _compute(player, jit):
    """The function (batch, seed, step) -> (terms, gradients) of a player's loss."""
    def compute(batch, seed, step):
        return losses_and_gradients(player, batch, seed, step)

    return tf.function(compute, jit_compile=True) if jit else compute
