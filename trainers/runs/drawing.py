"""Drawing row by row from seeds, in batches that fit memory: a row does not depend on how many there are."""

import numpy as np
import tensorflow as tf

from trainers.pictures.images import is_image
from zoo import operations, random
from zoo.domain import take_rows

ROWS = 250  # in memory at once
_IMAGES, _SEQUENCES, _POINTS = 64, 8, 2000  # samples to look at


def map_rows(function, *arrays, rows=ROWS):
    """Applies a function of batches to the rows of arrays (structures of them, or None), at most `rows` at a time;
    returns a NumPy array.

    The last batch is filled up with its own last row, so that a compiled function is traced once.
    """
    num = _num_rows(arrays)
    rows, parts = min(rows, num), []
    for start in range(0, num, rows):
        index = np.minimum(np.arange(start, start + rows), num - 1)
        part = function(*take_rows(arrays, index))
        parts.append(part.numpy()[:num - start])
    return np.concatenate(parts)


def _num_rows(arrays):
    given = [array for array in arrays if array is not None]
    return len(tf.nest.flatten(given)[0])


def labels(domain, num, start=0):
    """Makes the class labels of rows start..start+num-1, which go round all classes; None for a model without classes.
    """
    return tf.range(start, start + num, dtype=tf.int32) % domain.num_classes if domain.num_classes else None


def draw(model, seed, num, sample=None, condition=None):
    """Draws `num` samples of one seed, int32 [2], as a NumPy array; sample i depends on the seed and i (and its
    condition) alone.

    Args:
        sample: function (seeds, condition) -> samples; the model's own `sample`, compiled, if None.
        condition: of `num` rows; all classes in turn if None.
    """
    sample = sample or tf.function(model.sample, reduce_retracing=True)
    condition = labels(model.domain, num) if condition is None else condition
    return map_rows(sample, random.rows(seed, num), condition)


def sampler(model):
    """Makes the compiled function (seeds, condition=None) -> examples to look at: `sample_mean` where the model has it,
    else `sample`.

    The pixels' own noise of a Bernoulli or categorical likelihood hides what the latent variables learned.
    """
    draw = getattr(model, "sample_mean", model.sample)
    return tf.function(lambda seeds, condition=None: draw(seeds, condition), reduce_retracing=True)


def samples(model, seed, num=None, sample=None, condition=None):
    """Draws samples of one seed, int32 [2], to look at: 64 images, 8 texts or sounds, 2,000 points; `sample` is what
    `sampler(model)` made.

    `condition`: [num, ...]; all class labels in turn if None.
    """
    num = num or _enough(model.domain)
    if condition is None:
        condition = labels(model.domain, num)
    else:
        num = min(num, len(tf.nest.flatten(condition)[0]))
        condition = tf.nest.map_structure(lambda c: c[:num], condition)
    return (sample or sampler(model))(random.rows(seed, num), condition).numpy()


def _enough(domain):
    if is_image(domain) or domain.kind == "strokes":
        return _IMAGES
    return _SEQUENCES if domain.kind in ("tokens", "waveform") else _POINTS


def reconstructed(model):
    """Makes the compiled function (x, seeds, condition) -> what codes decode to, [batch, 1, *shape]."""
    return tf.function(lambda x, seeds, c: operations.reconstruct(model, x, c)[:, None], autograph=False,
                       reduce_retracing=True)


def denoised(model, **controls):
    """Makes the compiled function (x, seeds, condition) -> x with the model's noise and what the model makes of that,
    float32 [batch, 2, *shape]."""
    return tf.function(lambda x, seeds, c: tf.stack(operations.denoise(model, x, seeds, c, **controls), 1),
                       autograph=False, reduce_retracing=True)
