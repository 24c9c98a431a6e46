"""Paths through codes, or through the noise of samples: between two, along one number of a code, over a plane."""

import math

import numpy as np
import tensorflow as tf

from trainers.errors import BadInput
from trainers.modes import conditions
from trainers.modes.mode import shown
from trainers.runs.drawing import ROWS, map_rows
from trainers.runs.examples import dataset_of, first_examples
from zoo import operations, random
from zoo.domain import repeat_rows, take_rows

_STEPS = 10  # of a path, its two ends counted
_CODES = 500  # of examples that say how much a latent varies


def interpolate(run, num, options, controls):
    """Draws paths between the codes of pairs of test examples, or between the noise of pairs of samples, [num, steps,
    *shape]."""
    if not hasattr(run.model, "encode"):
        return _between_samples(run, num, options)
    if options.condition:
        raise BadInput("--condition: the examples between which --mode=interpolate goes have their own.")
    x, condition = first_examples(run, 2 * num, options.seed, options.data_dir)
    condition = take_rows(condition, tf.range(0, 2 * num, 2))
    paths = tf.function(lambda x0, x1, c: operations.interpolate(run.model, x0, x1, _STEPS, options.path, c),
                        reduce_retracing=True)
    x = map_rows(paths, x[0::2], x[1::2], condition, rows=max(1, ROWS // _STEPS))
    return x, shown(x.reshape(-1, *x.shape[2:]), run, columns=_STEPS)


def _between_samples(run, num, options):
    """Draws paths from one sample to another by their noise, [num, steps, *shape]; of a class, where there are some."""
    if options["path"].present:
        raise BadInput(f"--path: model {run.description['model']!r} has no codes; between the noise of two samples "
                       "there is one path.")
    seeds = random.rows(random.seed(options.seed), 2 * num)
    weights = np.tile(np.linspace(0.0, 1.0, _STEPS, dtype=np.float32), num)
    condition = conditions.of_samples(run, num, options)
    ends = [tf.repeat(seeds[first::2], _STEPS, axis=0) for first in (0, 1)]
    function = tf.function(lambda a, b, w, c: run.model.sample_between(a, b, w, c), reduce_retracing=True)
    x = map_rows(function, *ends, weights, repeat_rows(condition, _STEPS))
    return x.reshape(num, _STEPS, *x.shape[1:]), shown(x, run, columns=_STEPS)


def traverse(run, num, options, controls):
    """Draws a test example's code with one number at a time replaced, [latents, steps, *shape]: the `num` latents that
    differ most among examples, a line each.

    Along a line the number goes from three standard deviations below its mean over test examples to three above.
    """
    available = dataset_of(run, options.data_dir).require("test")
    x, condition = first_examples(run, min(_CODES, available), options.seed, options.data_dir)
    encode = tf.function(lambda x, c: run.model.encode(x, condition=c), reduce_retracing=True)
    codes = map_rows(encode, x, condition).reshape(len(x), -1)
    latents = np.argsort(-codes.var(0), kind="stable")[:num]
    values = codes.mean(0)[latents, None] + codes.std(0)[latents, None] * np.linspace(-3, 3, _STEPS)
    function = tf.function(lambda x, latent, value, c: operations.traverse(run.model, x, latent, value, c),
                           reduce_retracing=True)
    first, given = take_rows((x, condition), tf.zeros([values.size], tf.int32))
    drawn = map_rows(function, first, np.repeat(latents, _STEPS).astype(np.int32), values.ravel().astype(np.float32),
                     given)
    return drawn.reshape(*values.shape, *drawn.shape[1:]), shown(drawn, run, columns=_STEPS)


def has_plane(model):
    """Tells whether codes are two numbers with a prior: the plane of a manifold."""
    prior = operations.prior_of(model)
    return hasattr(model, "decode") and prior is not None and tuple(prior.event_shape) == (2,)


def manifold(run, num, options, controls):
    """Draws the plane of a model's two latents, [side, side, *shape]."""
    side = math.isqrt(num)
    if side * side != num:
        raise BadInput(f"--num_samples={num}: a manifold needs a square number; {side ** 2} and {(side + 1) ** 2} are.")
    x = operations.manifold(run.model, side, condition=conditions.of_samples(run, 1, options)).numpy()
    return x, shown(x.reshape(-1, *x.shape[2:]), run, columns=side)
