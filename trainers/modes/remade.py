"""What a model makes of test examples: reconstructions, what was noisy, and what they would be in another domain."""

import numpy as np
import tensorflow as tf

from trainers.modes import conditions
from trainers.pictures import files
from trainers.runs.drawing import denoised, map_rows, reconstructed
from trainers.runs.examples import first_examples
from zoo import random


def reconstruct(run, num, options, controls):
    """Draws test examples and what their codes decode to, [num, 2, *shape]."""
    return _beside(run, num, options, reconstructed(run.model))


def denoise(run, num, options, controls):
    """Draws test examples, the same with noise, and what the model makes of that, [num, 3, *shape]."""
    return _beside(run, num, options, denoised(run.model, **controls))


def translate(run, num, options, controls):
    """Draws what test examples would be in another domain, [num, *its shape]; a picture shows them beneath the
    examples."""
    domain = run.model.domain
    x, condition = first_examples(run, num, options.seed, options.data_dir)
    if options.condition:
        condition = conditions.asked(run, num, options)
    function = tf.function(lambda x, seeds, c: run.model.translate(x, seeds, c), reduce_retracing=True)
    made = map_rows(function, x, random.rows(random.seed(options.seed), num), condition)
    return made, lambda ending: files.translated(x.numpy(), made, domain, ending, run.medium, min(num, files.COLUMNS))


def _beside(run, num, options, function):
    """Draws test examples and what `function` of (x, seeds, condition) makes of them, [num, 1 + n, *shape]."""
    x, condition = first_examples(run, num, options.seed, options.data_dir)
    made = map_rows(function, x, random.rows(random.seed(options.seed), num), condition)
    every = np.concatenate([x.numpy()[:, None], made], axis=1)
    stacks = [x.numpy(), *np.moveaxis(made, 1, 0)]
    return every, lambda ending: files.beneath(stacks, run.model.domain, ending, run.medium,
                                               columns=min(num, files.COLUMNS))
