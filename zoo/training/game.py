"""What a step is: each player moves in turn, each of its moves on a batch and noise of its own. Keras's `fit` and
`trainers.training.engine` play by this, and by nothing else.

A move: the loss's terms and their gradients, the optimizer's update, the values of what follows, and the averages of
what was moved. Noise is a function of (seed, step, player, move, replica), never a state. Players may begin late and
stop early: training in stages; those whose turn it is not cost nothing.
"""

import tensorflow as tf

from zoo import random
from zoo.layers import following
from zoo.training.averaging import Averages


def measure(player, batch, seed, step=None):
    """Returns ({term: [batch]}, gradients, values) of the mean, over the batch, of the player's summed terms at a step
    (None: after all schedules).

    values: what the weights that the player follows shall be after the move.
    """
    weights = list(player.weights)
    with tf.GradientTape() as tape:
        terms, values = player.outcome(batch, seed, step)
        loss = tf.reduce_mean(tf.add_n(list(terms.values())))
    # A table that is looked up, as keras.layers.Embedding does, has a sparse gradient, of which there is no mean over
    # replicas.
    gradients = [None if gradient is None else tf.convert_to_tensor(gradient)
                 for gradient in tape.gradient(loss, weights)]
    return terms, gradients, values


def losses_and_gradients(player, batch, seed, step=None):
    """Returns what `measure` does, without the values."""
    return measure(player, batch, seed, step)[:2]


def accumulate(player, batch, seed, step, parts):
    """Measures a batch in equal parts, one after the other: gradients and values are the means of the parts', and
    memory is a part's.

    Each part has noise of its own. For a loss that is a mean over rows this is `measure` of the batch, but for
    rounding and for noise that is drawn for a batch at once.
    """
    def cut(t):
        return tf.reshape(t, [parts, -1 if t.shape[0] is None else t.shape[0] // parts, *t.shape[1:]])

    split = tf.nest.map_structure(cut, batch)

    def part(number):
        rows = tf.nest.map_structure(lambda t: t[number], split)
        terms, gradients, values = measure(player, rows, random.fold_in(seed, number), step)
        return terms, [tf.convert_to_tensor(gradient) for gradient in gradients], list(values)

    terms, gradients, values = part(0)
    written = {name: tf.TensorArray(value.dtype, parts, element_shape=value.shape).write(0, value)
               for name, value in terms.items()}

    def add(number, written, sums):
        terms, gradients, values = part(number)
        written = {name: written[name].write(number, value) for name, value in terms.items()}
        return number + 1, written, [a + b for a, b in zip(sums, gradients + values)]

    first = tf.constant(1), written, gradients + values
    _, written, sums = tf.while_loop(lambda number, *_: number < parts, add, first, parallel_iterations=1,
                                     maximum_iterations=parts - 1)
    means = [total / tf.cast(parts, total.dtype) for total in sums]
    terms = {name: array.concat() for name, array in written.items()}
    return terms, means[:len(gradients)], tuple(means[len(gradients):])


def check_accumulation(players):
    """Raises ValueError for a player that follows weights whose values have no mean over the parts of a batch."""
    for player in players:
        for weight, replicas, parts in following.followed(player.follows):
            if replicas == "each" or not parts or not tf.as_dtype(weight.dtype).is_floating:
                raise ValueError(f"player {player.name!r} follows {weight.path}, whose values have no mean over the "
                                 "parts of a batch; 1 is allowed.")


def term_means(players, player, terms):
    """Returns the scalars that are logged of a player's move: its loss, then each term; a player among several is a
    prefix.
    """
    prefix = f"{player.name}_" if len(players) > 1 else ""
    scalars = {f"{prefix}loss": tf.reduce_mean(tf.add_n(list(terms.values())))}
    scalars |= {prefix + name: tf.reduce_mean(value) for name, value in terms.items() if len(terms) > 1}
    return scalars | {prefix + name: value for name, value in (player.measures() if player.measures else {}).items()}


class Game:
    """Players and all that a step changes beside their weights: optimizers and averages. Made in the strategy's scope.

    Args:
        players: of a model.
        optimizers: {player: a Keras optimizer without moving averages}; built here.
        seed: int32 [2].
        decays: {player: decay of the averages of what it moves}, of those that have some.
        jit: whether losses and gradients are compiled by XLA (updates never are).
        accumulation: equal parts in which a batch is taken, each after the other.

    Raises:
        ValueError: if a followed weight can't be, or can't be with accumulation.
    """

    def __init__(self, players, optimizers, seed, decays=(), jit=False, accumulation=1):
        self.players, self.optimizers, self.seed = players, optimizers, seed
        self.replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self.moves = max(player.updates for player in players)  # batches of a step
        for player in players:
            optimizers[player.name].build(list(player.weights))
        every = [dict(decays).get(player.name, 0.0) for player in players]
        self.averages = Averages([player.weights for player in players], every)
        self.follows = [following.followed(player.follows) for player in players]
        if accumulation > 1:
            check_accumulation(players)
        self._measure = [_measure(player, jit, accumulation) for player in players]
        self._names = {}

    def stage(self, step):
        """Returns the numbers of the players that move at a step, a Python integer: a step is traced for a stage."""
        return tuple(index for index, player in enumerate(self.players) if player.moves_at(step))

    def steps_left(self, step):
        """Counts the steps until a player begins or stops, None where none will."""
        changes = [at for player in self.players for at in (player.start, player.stop) if at is not None and at > step]
        return min(changes) - step if changes else None

    def names(self, stage, spec):
        """Returns the names of the scalars of a stage; `spec`: of a batch. The losses are traced once, in a graph that
        is thrown away.
        """
        return [name for index in stage for name in self._names_of(index, spec)]

    def _names_of(self, index, spec):
        player = self.players[index]
        if index not in self._names:
            traced = tf.function(player.outcome).get_concrete_function(spec, tf.TensorSpec([2], tf.int32))
            terms, _ = traced.structured_outputs
            self._names[index] = list(term_means(self.players, player, {name: tf.zeros([1]) for name in terms}))
        return self._names[index]

    def play(self, batches, step, stage, move=None):
        """Plays a step of a stage: its players' moves in turn, each on the batch of its number. Returns {number of a
        player: the scalars of its last move, [n]}.

        `move`: what a move is, as `self.move`, which it is where there is none.
        """
        scalars = {}
        for index in stage:
            for number in range(self.players[index].updates):
                scalars[index] = (move or self.move)(index, number, batches[number], tf.cast(step, tf.int32))
        return scalars

    def look(self, index, batch):
        """Computes the scalars of a player who does not move, after all schedules, [n]: the same noise at every call.
        """
        terms, _ = self.players[index].outcome(batch, random.fold_in(self.seed, index, -1))
        return self._scalars(index, terms)

    def _scalars(self, index, terms):
        return tf.stack(list(term_means(self.players, self.players[index], terms).values()))

    def move(self, index, number, batch, step):
        """Makes, in a replica, move `number` of a player at a step, int32. Returns its scalars, [n]."""
        scalars, gradients, values = self.measure(index, number, batch, step)
        self.update(index, gradients, values)
        return scalars

    def measure(self, index, number, batch, step):
        """Computes, in a replica, (scalars [n], gradients, values of what follows) of a move; nothing is changed."""
        replica = 0 if self.players[index].shared else tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = random.fold_in(self.seed, step, index, number, replica)
        terms, gradients, values = self._measure[index](batch, seed, step)
        return self._scalars(index, terms), gradients, values

    def update(self, index, gradients, values):
        """Makes, in a replica, a move of which each replica has its own gradients and values."""
        player = self.players[index]
        slowed = [(weight, factor, tf.identity(weight)) for weights, factor in player.multipliers for weight in weights]
        if self.replicas > 1:  # the optimizer sums what the replicas hand to it
            gradients = [gradient / self.replicas for gradient in gradients]
        self.optimizers[player.name].apply(gradients, list(player.weights))
        _shorten(slowed)
        following.assign(self.follows[index], values)
        self.averages.update(index)

    def finish(self, step):
        """Ends, from outside of the replicas, the step before `step`: a player that stops, and says so, leaves its
        weights at their averages.
        """
        for player in self.players:
            if player.stop == step and player.ends_averaged:
                self.averages.put(player.weights)


def _measure(player, jit, accumulation):
    """Returns the function (batch, seed, step) -> (terms, gradients, values) of a player's loss."""
    def compute(batch, seed, step):
        if accumulation == 1:
            return measure(player, batch, seed, step)
        return accumulate(player, batch, seed, step, accumulation)

    return tf.function(compute, jit_compile=True) if jit else compute


def _shorten(slowed):
    """Takes (weight, factor, value before) the factor of the way that an update moved it: of any optimizer's step, its
    weight decay included.
    """
    if slowed:
        def shorten(own, value, factor):
            return own.assign(value + factor * (own - value))

        def update(strategy, before):
            for (weight, factor, _), value in zip(slowed, before):
                strategy.extended.update(weight.value, shorten, args=(value, factor), group=False)

        merge = tf.__internal__.distribute.interim.maybe_merge_call
        merge(update, tf.distribute.get_strategy(), [value for _, _, value in slowed])
