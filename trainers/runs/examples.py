"""The examples of a run: the data set that it was trained on, and the first of its test split."""

import tensorflow as tf

from trainers import data
from trainers.errors import BadInput
from trainers.runs.drawing import ROWS
from zoo.domain import concat_rows


def dataset_of(run, data_dir=None):
    """Opens the data set on which a run was trained."""
    entries, folder = run.config.data, data_dir or run.description.get("data_dir")
    dataset = data.open_dataset(run.description["dataset"], folder, entries, tokenizer=run.medium.tokenizer)
    data.check(dataset, run.model.domain, entries)
    return dataset


def first_examples(run, num, seed, data_dir=None):
    """Reads the first `num` examples of the run's test split, as the model takes them: x, condition or None."""
    dataset, domain = dataset_of(run, data_dir), run.model.domain
    there = data.num_examples(dataset, "test", domain)
    if num > there:
        raise BadInput(f"--num_samples: {num} test examples are needed and {dataset.name} has {there}.")
    batches = data.evaluation_batches(dataset, "test", domain, min(num, ROWS), seed, run.config.data, limit=num)
    x, condition = zip(*(domain.split(batch)[:2] for batch in batches))
    return tf.concat(x, 0), concat_rows(condition)
