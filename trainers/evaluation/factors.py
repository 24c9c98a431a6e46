"""What is measured of a model whose data set's factors are known: how far its code's dimensions stand for single ones
of them.

All combinations of the factors are encoded, those of the training images too, as is usual: the scores are of the
representation, not of how it generalises.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from trainers.data import evaluation_batches
from trainers.evaluation.number import single
from zoo.metrics import disentanglement

_MOST = 64  # dimensions of a code: a score takes a classifier for each of them


def measure(evaluation):
    """Measures an unconditional model with `encode`; nothing where factors are unknown or the code is too large."""
    if not hasattr(evaluation.model, "encode") or evaluation.domain.conditional or not evaluation.dataset.factors:
        return []
    known = evaluation.dataset.factors()
    codes = _codes(evaluation, known.examples)
    if codes.shape[1] > _MOST:
        return []
    protocol = dict(num_examples=len(codes), latents=codes.shape[1], factors=list(known.names),
                    images="every combination of the factors")
    found = disentanglement.scores(codes, known.values, evaluation.seed)
    return [single(name, value, "score", protocol) for name, value in found.items()]


def _codes(evaluation, examples):
    """Encodes stored examples: [n, entries of a code]."""
    model, domain = evaluation.model, dataclasses.replace(evaluation.domain, partner=None)
    every = dataclasses.replace(evaluation.dataset, source=None, sizes={"every": len(examples)},
                                cache={"every": {"x": examples}})
    batches = evaluation_batches(every, "every", domain, evaluation.batch_size, evaluation.seed,
                                 evaluation.run.config.data)
    encode = tf.function(lambda x: model.encode(x), reduce_retracing=True)
    return np.concatenate([np.reshape(encode(x), (len(x), -1)) for x in batches])
