"""What is measured of a model whose data set's factors are known: how far its code's dimensions stand for single ones
of them.

All combinations of the factors are encoded, those of the training images too, as is usual: the scores are of the
representation, not of how it generalises.
"""

import dataclasses
import math

import numpy as np

_MOST = 64  # dimensions of a code: a score takes a classifier for each of them


def measure(evaluation):
    """Numbers (metric, Estimate, unit, kind, protocol) of an unconditional model with `encode`; none where factors are
    unknown or the code is too large."""
    import tensorflow as tf

    from trainers.data import evaluation_batches
    from zoo.metrics import disentanglement
    from zoo.metrics.likelihood import Estimate

    model, domain, known = evaluation.model, dataclasses.replace(evaluation.domain,
                                                                 partner=None), known_factors(evaluation.dataset.name)
    if not known or domain.conditional:
        return []
    names, factors, images = known
    every = dataclasses.replace(evaluation.dataset, source=None, sizes={"every": len(images)},
                                cache={"every": {"x": images}})
    encode = tf.function(lambda x: model.encode(x), reduce_retracing=True)
    batches = evaluation_batches(every, "every", domain, evaluation.batch_size, evaluation.seed,
                                 evaluation.run.config.data)
    codes = np.concatenate([np.reshape(encode(x), (len(x), -1)) for x in batches])
    if codes.shape[1] > _MOST:
        return []
    protocol = dict(num_examples=len(codes), latents=codes.shape[1], factors=names,
                    images="every combination of the factors")
    found = disentanglement.scores(codes, factors, evaluation.seed)
    return [(name, Estimate(value, math.nan), "score", "estimate", protocol) for name, value in found.items()]


def known_factors(dataset):
    """(names, factors [n, F], images [n, ...] as stored) of a data set that is made of them, or None."""
    if dataset != "shapes":
        return None
    from trainers.data.embedded import shapes

    factors = shapes.factors()
    return list(shapes.VALUES), factors, shapes.render(factors)
