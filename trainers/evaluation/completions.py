"""How likely the true values are of what is hidden of an example, given the rest: -log p for each mask, of the first
examples of the split, as many as the recipe says."""

import math

import numpy as np
import tensorflow as tf

from trainers.data import masks
from trainers.evaluation.evaluation import HIDDEN
from trainers.evaluation.number import Number
from trainers.evaluation.progress import Progress
from trainers.runs.drawing import map_rows
from zoo import random
from zoo.metrics import likelihood

_ROWS = 20  # in memory at once


def measure(evaluation):
    """Measures a model with `missing_log_prob` of examples with several places; nothing of another."""
    model = evaluation.model
    if not hasattr(model, "missing_log_prob") or math.prod(evaluation.domain.places) < 2:
        return []
    x, condition = evaluation.first(min(evaluation.run.config.evaluation.completions, evaluation.num))
    function = tf.function(lambda x, mask, seeds, c: model.missing_log_prob(x, mask, seeds, c), reduce_retracing=True)
    return [_given(name, evaluation, function, x, condition)
            for name in masks.names(model.domain.places, model.domain.kind)]


def _given(name, evaluation, function, x, condition):
    """Measures the completion of examples of which the mask of that name gives a part."""
    model, num = evaluation.model, len(x)
    mask, progress = masks.of(name, model.domain, x), Progress(f"missing, {name} given", num)
    seeds = random.rows(random.fold_in(evaluation.noise, HIDDEN), num)
    values = map_rows(function, x, mask, seeds, condition, rows=min(evaluation.batch_size, _ROWS))
    progress.add(num)
    progress.close()
    counted = masks.counted(model.domain, x)
    protocol = dict(given=f"{name}: {mask[counted].mean():.0%} of the places", num_examples=num,
                    hidden_places=float(np.mean((~mask & counted).reshape(num, -1).sum(1))))
    exact = model.completes_exactly(mask) if hasattr(model, "completes_exactly") else True
    if not exact:
        protocol["of"] = f"what {model.completion} draws"
    return Number(f"missing_negative_log_likelihood_{name}", likelihood.nats(values), "nats",
                  "exact" if exact else "upper_bound", protocol)
