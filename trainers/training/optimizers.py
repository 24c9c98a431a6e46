"""Optimizers and learning-rate schedules from a recipe's entries. All of them are Keras's (Adam with its update in one
operation); clipping is the loop's, after the all-reduce."""

import inspect
import math

import keras

from trainers.errors import BadInput
from trainers.recipes.recipe import OPTIMIZER, SCHEDULE
from zoo import nearest
from zoo.training import adam

OPTIMIZERS = {
    "adam": adam.Adam,
    "adamw": adam.AdamW,
    "adamax": keras.optimizers.Adamax,
    "adagrad": keras.optimizers.Adagrad,
    "adadelta": keras.optimizers.Adadelta,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}
_SPECIFIC = ("beta_1", "beta_2", "epsilon")  # arguments that not every optimizer has: given to those that do
_STAGES = 8  # of the staged schedule


@keras.saving.register_keras_serializable("zoo")
class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times min(1, (step + 1) / steps)."""

    def __init__(self, schedule, steps):
        self.schedule, self.steps = schedule, steps

    def __call__(self, step):
        fraction = (keras.ops.cast(step, "float32") + 1.0) / self.steps
        return self.schedule(step) * keras.ops.minimum(1.0, fraction)

    def get_config(self):
        return dict(schedule=self.schedule, steps=self.steps)


def _constant(rate, schedule, moves, updates):
    return keras.optimizers.schedules.PolynomialDecay(rate, 1, rate)


def _cosine(rate, schedule, moves, updates):
    return keras.optimizers.schedules.CosineDecay(rate, moves, alpha=schedule["end"])


def _linear(rate, schedule, moves, updates):
    return keras.optimizers.schedules.PolynomialDecay(rate, moves, rate * schedule["end"])


def _exponential(rate, schedule, moves, updates):
    return keras.optimizers.schedules.ExponentialDecay(rate, updates, schedule["decay"])


def _staged(rate, schedule, moves, updates):
    lengths = [3**stage for stage in range(_STAGES)]
    boundaries = [round(moves * sum(lengths[: stage + 1]) / sum(lengths)) for stage in range(_STAGES - 1)]
    boundaries = [max(b, i + 1) for i, b in enumerate(boundaries)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries,
                                                             [rate * 10 ** (-stage / (_STAGES - 1))
                                                              for stage in range(_STAGES)])


# constant; cosine and linear, to the fraction `end` of the rate at the last step; exponential, times `decay` each step;
# staged, the importance-weighted autoencoder's (Burda et al. 2015): eight stages, each three times as long as the one
# before, from rate to rate / 10.
SCHEDULES = {"constant": _constant, "cosine": _cosine, "linear": _linear, "exponential": _exponential,
             "staged": _staged}


def make_schedule(rate, schedule, steps, updates=1):
    """Makes the learning rate a function of a player's moves, of which it has `updates` in each of `steps` steps; what
    the schedule says in steps is of the run's."""
    made = SCHEDULES[schedule["name"]](rate, schedule, steps * updates, updates)
    return Warmup(made, schedule["warmup_steps"] * updates) if schedule["warmup_steps"] else made


def make(config, player, steps=None, updates=1, weights=()):
    """Makes the optimizer of a player's `weights`, not built, for so many steps (None: all) of so many moves each.

    Weight decay, which is decoupled in all of Keras's optimizers, leaves biases, scales and whatever has fewer than two
    dimensions alone, unless the entry `decay_all` says otherwise.
    """
    own = {key: value for key, value in config.players.get(player, {}).items() if value is not None}
    entries = dict(config.optimizer) | own
    cls = OPTIMIZERS[entries["name"]]
    known = inspect.signature(cls.__init__).parameters
    arguments = {key: entries[key] for key in _SPECIFIC if key in known}
    # AdamW's own default is not 0
    arguments["weight_decay"] = entries["weight_decay"] or (0.0 if issubclass(cls, adam.AdamW) else None)
    schedule = make_schedule(entries["learning_rate"], config.schedule, steps or config.steps, updates)
    optimizer = cls(learning_rate=schedule, **arguments)
    if not entries["decay_all"]:
        optimizer.exclude_from_weight_decay(var_list=[weight for weight in weights if len(weight.shape) < 2])
    return optimizer


def check(config, players):
    """Raises BadInput where the recipe's optimizer, players or schedule cannot be."""
    _check_optimizer("optimizer", config.optimizer, config.optimizer["name"])
    for player, entries in config.players.items():
        _check_optimizer(f"players.{player}", entries, config.optimizer["name"])
    for name in config.players:
        if name not in players:
            raise BadInput(f"--config.players.{name}: the model has no such player; {nearest(name, players)}")
    _check_schedule(config.schedule)


def _check_optimizer(where, entries, name):
    """Raises BadInput for entries of one optimizer, which has that name if they say no other."""
    name = entries.get("name") or name
    if name not in OPTIMIZERS:
        raise BadInput(f"--config.{where}.name: unknown optimizer {name!r}; {nearest(name, OPTIMIZERS)}")
    known = inspect.signature(OPTIMIZERS[name].__init__).parameters
    for key, value in entries.items():
        if key == "name" or value is None:
            continue
        if key in ("learning_rate", "epsilon") and not 0 < value < math.inf:
            raise BadInput(f"--config.{where}.{key} must be more than 0, found {value}.")
        if key in ("beta_1", "beta_2") and not 0 <= value < 1:
            raise BadInput(f"--config.{where}.{key} must be at least 0 and less than 1, found {value}.")
        if key == "weight_decay" and not 0 <= value < math.inf:
            raise BadInput(f"--config.{where}.{key} must be 0 (none) or more, found {value}.")
        if key in _SPECIFIC and key not in known and value != OPTIMIZER[key]:
            raise BadInput(f"--config.{where}.{key}={value}: optimizer {name!r} does not have it.")


def _check_schedule(schedule):
    """Raises BadInput for an unknown schedule, or an entry that it has no use for."""
    if schedule["name"] not in SCHEDULES:
        raise BadInput(f"--config.schedule.name: unknown schedule {schedule['name']!r}; "
                       f"{nearest(schedule['name'], SCHEDULES)}")
    for key, readers in (("warmup_steps", SCHEDULES), ("end", ("cosine", "linear")), ("decay", ("exponential",))):
        if not 0 <= schedule[key] < math.inf:
            raise BadInput(f"--config.schedule.{key} must be 0 or more, found {schedule[key]}.")
        if schedule["name"] not in readers and schedule[key] != SCHEDULE[key]:
            raise BadInput(f"--config.schedule.{key}={schedule[key]}: only the schedules {', '.join(readers)} "
                           "have it.")
