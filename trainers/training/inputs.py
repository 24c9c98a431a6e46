"""What a run reads: the batches it is trained on and validated by, and the examples that are looked at meanwhile."""

from collections.abc import Callable
from typing import NamedTuple

from trainers.data import evaluation_batches, num_examples, training_batches
from trainers.pictures import files
from trainers.training import fitting, previews

_SHOWN = 8  # samples whose conditions are those of training examples


class Inputs(NamedTuple):
    """What `trainers.training.loop.Loop` reads.

    training: (start, worker, workers) -> the batches from number `start` on, a tf.data set. validation: () -> those of
    the validation split. medium: what examples mean. condition: of samples that are looked at, None of a model that
    takes none or classes, which come in turn. examples: of which pictures show what the model makes, None of a model
    that has samples to show.
    """

    training: Callable
    validation: Callable
    medium: files.Medium
    condition: object = None
    examples: object = None


def of(dataset, plain, config, seed):
    """Makes the `Inputs` of a model such as `plain`."""
    domain = plain.domain
    if fitting.is_fitted(plain):
        training = fitting.training(dataset, domain, seed, config.data)
    else:
        def training(start, worker, workers):
            return training_batches(dataset, domain, config.batch_size, seed, config.data, start=start, worker=worker,
                                    workers=workers)

    def validation():
        return evaluation_batches(dataset, "validation", domain, config.batch_size, seed, config.data)

    examples = _examples(dataset, domain, config, seed) if previews.needs_examples(plain) else None
    return Inputs(training, validation, files.medium(dataset), _condition(dataset, domain, config, seed), examples)


def _condition(dataset, domain, config, seed):
    """Reads the conditions of the first examples, for the samples of a model that needs some; None of a model of
    classes, which come in turn, and of others."""
    if not domain.conditional or domain.num_classes:
        return None
    return domain.split(_first(dataset, "train", domain, _SHOWN, config, seed))[1]


def _examples(dataset, domain, config, seed):
    """Reads the examples of which pictures show reconstructions: the first of the validation split, or of the training
    split where there is no other."""
    split = "validation" if dataset.sizes.get("validation") else "train"
    num = min(previews.EXAMPLES, num_examples(dataset, split, domain))
    return _first(dataset, split, domain, num, config, seed)


def _first(dataset, split, domain, num, config, seed):
    """Reads the first `num` examples of a split as one batch."""
    return next(iter(evaluation_batches(dataset, split, domain, num, seed, config.data, limit=num)))
