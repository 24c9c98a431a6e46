"""How much of its codebooks a model uses: of each the perplexity of the codes of all examples, and the share of its
entries that occur."""

import numpy as np
import tensorflow as tf

from trainers.evaluation.evaluation import LIKELIHOOD
from trainers.evaluation.number import single
from zoo.layers.vector_quantizer import perplexity


def measure(evaluation):
    """Measures a model with `codes`, `quantizers` and their `level_names`; nothing of another."""
    model, found, start = evaluation.model, [], 0
    if not hasattr(model, "codes"):
        return []

    def flat(x, seeds, condition):
        return tf.concat([tf.reshape(level, [tf.shape(x)[0], -1]) for level in model.codes(x)], 1)

    codes = evaluation.per_example("codes", flat, LIKELIHOOD)  # [num, places of all levels]
    for name, quantizer in zip(model.level_names, model.quantizers):
        counts = np.bincount(codes[:, start:start + quantizer.places].ravel(), minlength=quantizer.entries)
        start += quantizer.places
        usage = tf.constant(counts / counts.sum(), tf.float32)
        protocol = dict(entries=quantizer.entries, places=quantizer.places)
        found += [single(f"{name}perplexity", perplexity(usage), "entries", protocol),
                  single(f"{name}codes_used", np.mean(counts > 0), "fraction", protocol)]
    return found
