"""Fitting a density estimator with the training program: the whole training split at once, an update of the weights a
step.

`Fitting` stands in the place of `trainers.training.engine.Engine`, so that checkpoints, resuming, validation, pictures
and export are the loop's as always. The training split is turned into the model's domain once, in stored order: noise,
where there is any, is one draw that follows from the run's seed.
"""

import itertools
import math

import tensorflow as tf

from trainers.data import check, evaluation_batches
from trainers.data.domain import encoding
from trainers.errors import BadInput
from trainers.recipes.recipe import OPTIMIZER, SCHEDULE
from trainers.training.engine import Engine
from zoo import random

_ROWS = 4096  # that are turned into the model's domain at once
_UNUSED = dict(optimizer=OPTIMIZER, players={}, schedule=SCHEDULE, ema=0.0, clip_norm=0.0, skip_norm=0.0,
               accumulation=1)


class Fitting:
    """A fitted model, and the function that advances it.

    Args: as of `trainers.training.engine.Engine`; the strategy has one replica.
    """

    moves = per_worker = replicas = 1
    skipped_in_a_row = 0

    def __init__(self, make_model, config, strategy, seed, jit=False):
        self.strategy, self.seed = strategy, random.seed(seed)
        with strategy.scope():
            self.model = make_model()
        self.players = self.model.players()
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)

    def state(self):
        """Makes what a checkpoint holds: {name: variables}."""
        return {"weights": [w.value for w in self.model.weights], "step": [self.step]}

    def advance(self, iterator, num):
        """Takes `num` steps, the first of a run after the model's start. Returns ({name: mean over the steps}, None).

        Raises:
            BadInput: with the model's own sentence where the data cannot be fitted.
        """
        x, total = next(iterator), {}
        try:
            with tf.device(self.strategy.extended.worker_devices[0]):
                if self.step == 0:
                    self.model.start(x, self.seed)
                for _ in range(num):
                    for name, value in self.model.update(x).items():
                        total[name] = total.get(name, 0.0) + float(value)
        # the latter: a covariance that is not positive definite
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise BadInput(f"step {int(self.step)}: the data cannot be fitted: {str(error).splitlines()[0]} For a "
                           "mixture of Gaussians, "
                           "--config.model.regularization may be too small.") from error
        for name, value in total.items():
            if math.isnan(value):
                return None, (int(self.step), name)
        self.step.assign_add(num)
        return {name: value / num for name, value in total.items()}, None

    def totals(self):
        """Counts from the first step on: nothing."""
        return {}

    def steps_left(self, step):
        """Tells that there are no stages."""

    def finite(self):
        """Tells whether every weight is finite."""
        return all(bool(tf.reduce_all(tf.math.is_finite(w.value))) for w in self.model.weights)

    def weights(self):
        """Reads the weights as arrays."""
        return [w.numpy() for w in self.model.weights]


def is_fitted(model):
    """Tells whether a model is fitted to all data at once: no player of it has anything that a gradient moves."""
    return not any(len(player.weights) for player in model.players())


def engine(plain, make_model, config, strategy, seed, jit=False):
    """Makes what advances a model such as `plain`: a `Fitting` or an `Engine`."""
    return (Fitting if is_fitted(plain) else Engine)(make_model, config, strategy, seed, jit)


def prepare(options, config, dataset, plain, make):
    """Completes the configuration of a run of a fitted model by what follows from the data, and returns the model
    `make()` of the right sizes.

    Args:
        options: the program's flags. config: the run's, changed in place. plain: the model before it has seen data.

    Raises:
        BadInput: for a flag or an entry that such a model has no use for, or a data set that it cannot read.
    """
    check(dataset, plain.domain, config.data)
    size = dataset.require("train")
    what = f"--model={options.model} is fitted to all {size} training examples at once"
    if options.strategy != "one_device":
        raise BadInput(f"--strategy={options.strategy}: {what}, on one device; leave it out.")
    for flag in ("jit", "mixed_precision"):
        if options[flag].value:
            raise BadInput(f"--{flag}: {what}, without gradients and in 32 bits; leave it out.")
    for changed in _changed(config):
        raise BadInput(f"--config.{changed}: {what}, without gradients; leave it out.")
    if config.batch_size not in (0, size):
        raise BadInput(f"--batch_size={config.batch_size}: {what}; leave it out.")
    if config.steps > 1 and not plain.iterative:
        raise BadInput(f"--steps={config.steps}: {what}, in one step; --steps=1 is allowed.")
    config.batch_size = size
    arguments = config.model.to_dict()
    try:
        sized = type(plain).sized(arguments | dict(shape=dataset.shape),
                                  whole(dataset, plain.domain, options.seed, config.data))
    except ValueError as error:
        raise BadInput(f"--model={options.model} on --dataset={dataset.name}: {error}") from error
    changed = {name: sized[name] for name in arguments if sized[name] != arguments[name]}
    config.model.update(changed)
    return make() if changed else plain


def _changed(config):
    """Yields the keys of entries that only gradients need and that are not as they are by default."""
    for key, default in _UNUSED.items():
        if not isinstance(default, dict):
            if config[key] != default:
                yield key
            continue
        for name, value in config[key].items():
            if value != default.get(name):
                yield f"{key}.{name}"


def whole(dataset, domain, seed, data_config):
    """Reads the training split in the model's domain, one tensor [N, *shape] in stored order."""
    return tf.concat(list(evaluation_batches(dataset, "train", domain, _ROWS, seed, data_config)), 0)


def training(dataset, domain, seed, data_config):
    """Makes the loop's `data.training`: the same whole split again and again."""
    return lambda start, worker, workers: itertools.repeat(whole(dataset, domain, seed, data_config))


def protocol(dataset, domain, data_config):
    """Says for a record what is known about the data that were fitted."""
    noisy = encoding(dataset, domain, data_config).noisy
    noise = ""
    if noisy:
        what = "binarization" if domain.kind == "binary" else "dequantization"
        noise = f", one draw of the {what} by the run's seed"
    return dict(fitted_to=f"all {dataset.sizes['train']} training examples{noise}")
