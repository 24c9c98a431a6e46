"""State that follows a loss: weights that move with training but not by a gradient.

Running moments, a codebook, the vector of a spectral norm, a mean path length: a player *follows* such weights. Its
loss returns `(terms, values)`, and after the player's move the weights take the values. The loss itself assigns
nothing, so whoever computes it for another reason changes nothing, and an update that is skipped leaves this state as
it was. A layer deep in a network says what its weights shall be by `follow`, and the loss that runs the network hears
it by `collect`.
"""

import contextlib
import threading
from typing import NamedTuple

import tensorflow as tf

REPLICAS = ("mean", "same", "each")
_heard = threading.local()  # the replicas of a mirrored strategy are traced in threads of their own


class Followed(NamedTuple):
    """A weight that takes a value after a move, and how the replicas agree on that value.

    weight: a Keras weight. replicas: `mean`, the value is the mean of the replicas' own (moments of a batch of which
    each replica has a part); `same`, they are the same on all, so nothing is exchanged (what follows from weights
    alone, or from sums over all replicas); `each`, every replica keeps its own (a pool of past images). parts: whether
    the mean of the values of a batch's equal parts is a value, as it is of moments; a row drawn from the batch has no
    mean.
    """

    weight: object
    replicas: str = "mean"
    parts: bool = True


def followed(follows):
    """Returns `Player.follows` as a list of `Followed`: a bare weight is one whose replicas agree on the mean.

    Raises:
        ValueError: if `replicas` is none of `REPLICAS`, or is the mean of a weight that is not real.
    """
    found = [item if isinstance(item, Followed) else Followed(item) for item in follows]
    for weight, replicas, _ in found:
        if replicas not in REPLICAS:
            raise ValueError(f"replicas of a followed weight must be one of {', '.join(REPLICAS)}, found {replicas!r}.")
        if replicas == "mean" and not tf.as_dtype(weight.dtype).is_floating:
            raise ValueError(f"{weight.path} holds {weight.dtype}, which has no mean over replicas; 'same' or 'each' "
                             "is allowed.")
    return found


def of(*layers):
    """Returns what the layers, and those within them, ask to follow by a method `followed()`: a list of `Followed`, for
    a player whose loss runs them."""
    found = []
    for layer in layers:
        for part in layer._flatten_layers():
            if hasattr(part, "followed"):
                found += part.followed()
    return followed(found)


class Collected:
    """What `follow` noted within a `collect`."""

    def __init__(self):
        self._noted = {}

    def note(self, weight, value):
        self._noted.setdefault(id(weight), []).append(value)

    def values(self, follows):
        """Returns the values of weights, or `Followed` ones, in their order: the mean of those that were noted; a
        weight of which none was keeps its own.
        """
        return [self._value(item.weight if isinstance(item, Followed) else item) for item in follows]

    def _value(self, weight):
        noted = self._noted.get(id(weight), [tf.convert_to_tensor(weight)])
        return tf.cast(noted[0] if len(noted) == 1 else tf.add_n(noted) / len(noted), weight.dtype)


@contextlib.contextmanager
def collect():
    """Hears what layers `follow` within: `with collect() as collected: ...`. Of one within another, the inner hears
    alone.
    """
    stack = _heard.__dict__.setdefault("stack", [])
    stack.append(Collected())
    try:
        yield stack[-1]
    finally:
        stack.pop()


def follow(weight, value):
    """Notes the value that a weight shall take after the move; of several of one move (a layer that runs on two
    batches), their mean. Without effect outside of a `collect`.

    NOTE: not from within a `tf.cond` or a `tf.while_loop`, whose tensors nobody outside can read.
    """
    stack = getattr(_heard, "stack", None)
    if stack:
        stack[-1].note(weight, tf.stop_gradient(tf.convert_to_tensor(value)))


def assign(follows, values):
    """Gives, in a replica or where there are none, followed weights their values, after the replicas have agreed."""
    if not follows:
        return
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    averaged = [index for index, item in enumerate(follows) if item.replicas == "mean"]
    if averaged and replicas > 1:
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, [values[index] for index in averaged])
        values = list(values)
        for index, value in zip(averaged, sums):
            values[index] = value / tf.cast(replicas, value.dtype)
    variables = [item.weight.value for item in follows]

    def update(strategy, new):
        for variable, value in zip(variables, new):
            strategy.extended.update(variable, lambda own, value: own.assign(value), args=(value,), group=False)

    tf.__internal__.distribute.interim.maybe_merge_call(update, context.strategy, list(values))
