"""An evaluation: a run, the examples it is measured on, what a record says of both, and a model's functions applied to
every example."""

import numpy as np
import tensorflow as tf

from trainers import data
from trainers.evaluation.progress import Progress
from zoo import random
from zoo.domain import concat_rows, describe, take_rows

# What noise is for is folded into --seed, so that no two numbers of a model share it. 5 stands twice: a model that is
# annealed has a likelihood, and of one that has, reconstructions are not measured.
LIKELIHOOD, BOUND, SAMPLES, HIDDEN = 1, 2, 3, 4
RECONSTRUCTION, ANNEALING, ESTIMATE, STRINGS = 5, 5, 6, 7


class Evaluation:
    """A run, the examples it is evaluated on, and what they are.

    Args:
        run: `trainers.runs.run.Run`. dataset: an open data set. split: its split. num: how many of its examples.
            batch_size: in memory at once.
        seed: an integer. importance_samples: of the importance-weighted bound.
    """

    def __init__(self, run, dataset, split, num, batch_size, seed, importance_samples):
        self.run, self.dataset, self.split, self.num, self.batch_size = run, dataset, split, num, min(batch_size, num)
        self.model, self.domain = run.model, run.model.domain
        self.seed, self.noise, self.importance_samples = seed, random.seed(seed), importance_samples
        self.protocol = _protocol(run, dataset, num, seed)

    def batches(self, num):
        """Reads the first `num` examples as pairs (x, condition), in batches; those of a partner are left out."""
        batches = data.evaluation_batches(self.dataset, self.split, self.domain, self.batch_size, self.seed,
                                          self.run.config.data, limit=num)
        return (self.domain.split(batch)[:2] for batch in batches)

    def first(self, num):
        """Reads the first `num` examples at once: (x, condition or None)."""
        x, conditions = zip(*self.batches(num))
        return tf.concat(x, 0), concat_rows(conditions)

    def per_example(self, name, function, purpose):
        """Computes function(x, seeds, condition) of every example, [num]; an example's seed depends on its place in the
        split alone."""
        return np.concatenate(list(self.by_batch(name, function, purpose)))

    def by_batch(self, name, function, purpose):
        """Computes the same, a batch after another."""
        function = tf.function(function, reduce_retracing=True)
        seed, start, progress = random.fold_in(self.noise, purpose), 0, Progress(name, self.num)
        for x, condition in self.batches(self.num):
            num = int(x.shape[0])
            # the last batch, filled up, needs no trace of its own
            index = np.minimum(np.arange(self.batch_size), num - 1)
            x, condition = take_rows((x, condition), index)
            yield function(x, random.rows(seed, self.batch_size, start), condition).numpy()[:num]
            start += num
            progress.add(num)
        progress.close()


def _protocol(run, dataset, num, seed):
    """Makes what a record says of every number: the data, and what of the run is no part of its configuration."""
    domain = run.model.domain
    found = data.protocol(dataset, domain, run.config.data) | dict(num_examples=num, evaluation_seed=seed)
    if run.selected:
        found["selected_step"] = run.selected  # by the validation split
    fitted_to = run.description.get("data", {}).get("fitted_to")
    if fitted_to:
        found["fitted_to"] = fitted_to
    changes = run.description.get("changes")
    if changes:
        found["changed_on_resume"] = [f"{c['key']} from {c['before']} to {c['now']}" for c in changes]
    if domain.conditional:  # p(x | condition) is another quantity than p(x)
        found["given"] = " and ".join(map(describe, domain.conditions().values())).removeprefix("a ")
    return found
