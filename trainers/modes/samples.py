"""New examples of a model: `zoo-sample --mode=sample`."""

import tensorflow as tf

from trainers.errors import BadInput
from trainers.modes import conditions, prompts
from trainers.modes.mode import shown
from trainers.runs.drawing import draw, sampler
from zoo import random


def sample(run, num, options, controls):
    """Draws new examples, [num, *shape]."""
    if options.mean and (controls or not hasattr(run.model, "sample_mean")):
        raise BadInput(f"--mean: model {run.description['model']!r} has no mean of its samples"
                       + (f" with --{next(iter(controls))}." if controls else "."))
    if options["prompt"].present:
        x = prompts.continuation(run, num, options, controls)
        return x, shown(x, run)
    condition = conditions.of_samples(run, num, options)
    x = draw(run.model, random.seed(options.seed), num, _function(run.model, options, controls), condition)
    return x, shown(x, run, conditions.columns(options, num))


def _function(model, options, controls):
    """Makes the compiled function (seeds, condition) -> samples: their means for a picture, if nothing else is asked
    for."""
    mean = options.out.endswith(".png") if options.mean is None else options.mean
    if mean and not controls:
        return sampler(model)
    return tf.function(lambda seeds, c: model.sample(seeds, c, **controls), reduce_retracing=True)
