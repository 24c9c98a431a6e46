"""What is drawn or read a row at a time, in batches that fit memory: a row does not depend on how many there are.

The rows are a function's, a model's samples, or a run's test examples.
"""

import numpy as np
import tensorflow as tf

from trainers import data
from trainers.errors import BadInput
from trainers.pictures import images
from zoo.domain import concat_rows, take_rows

ROWS = 250  # in memory at once


def map_rows(function, *arrays, rows=ROWS):
    """Applies a function of batches to the rows of arrays (structures of them, or None), at most `rows` at a time;
    returns a NumPy array.

    The last batch is filled up with its own last row, so that a compiled function is traced once.
    """
    num = next(len(tf.nest.flatten(a)[0]) for a in arrays if a is not None)
    rows, parts = min(rows, num), []
    for start in range(0, num, rows):
        index = np.minimum(np.arange(start, start + rows), num - 1)
        part = function(*take_rows(arrays, index))
        parts.append(part.numpy()[:num - start])
    return np.concatenate(parts)


def draw(model, seed, num, sample=None, condition=None):
    """`num` samples of one seed, int32 [2], as a NumPy array; sample i depends on the seed and i (and its condition)
    alone.

    Args:
        sample: function (seeds, condition) -> samples; the model's own `sample`, compiled, if None.
        condition: of `num` rows; all classes in turn if None.
    """
    sample = sample or tf.function(model.sample, reduce_retracing=True)
    return map_rows(sample, images.rows(seed, num),
                    images.labels(model.domain, num) if condition is None else condition)


def examples(run, num, seed, data_dir=None):
    """The first `num` examples of the run's test split, as the model takes them: x, condition or None."""
    dataset, domain = dataset_of(run, data_dir), run.model.domain
    if num > (there := data.num_examples(dataset, "test", domain)):
        raise BadInput(f"--num_samples: {num} test examples are needed and {dataset.name} has {there}.")
    batches = data.evaluation_batches(dataset, "test", domain, min(num, ROWS), seed, run.config.data, limit=num)
    x, condition = zip(*(domain.split(batch)[:2] for batch in batches))
    return tf.concat(x, 0), concat_rows(condition)


def dataset_of(run, data_dir=None):
    """Opens the data set on which a run was trained."""
    entries, folder = run.config.data, data_dir or run.description.get("data_dir")
    dataset = data.open_dataset(run.description["dataset"], folder, entries, tokenizer=run.medium.tokenizer)
    data.check(dataset, run.model.domain, entries)
    return dataset
