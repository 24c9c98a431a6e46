"""What is looked at while a model trains: its samples, or, of a model that translates or can't be sampled, what it
makes of a few examples that stay the same."""

import tensorflow as tf

from trainers.pictures import files
from trainers.runs import drawing
from zoo import random
from zoo.capabilities import Denoising, Translating

EXAMPLES = files.COLUMNS  # of which pictures show what the model makes: one line


def of(model, data):
    """Makes the function of a seed -> (name, function from an ending to the file's bytes) that draws the model as its
    weights are then.

    Args:
        data: `trainers.training.inputs.Inputs`, with `examples` of a model that `needs_examples`.
    """
    domain = model.domain
    if isinstance(model, Translating):
        return _translations(model, data)
    if hasattr(model, "sample"):
        sample = drawing.sampler(model)

        def samples(seed):
            x = drawing.samples(model, seed, sample=sample, condition=data.condition)
            return "samples", lambda ending: files.file(x, domain, ending, data.medium)

        return samples
    x, condition, _ = domain.split(data.examples)
    name, function = "reconstructions", drawing.reconstructed(model)
    if isinstance(model, Denoising):
        name, function = "denoised", drawing.denoised(model)

    def reconstructions(seed):
        made = tf.unstack(function(x, random.rows(seed, len(x)), condition), axis=1)
        return name, lambda ending: files.beneath([x.numpy(), *(m.numpy() for m in made)], domain, ending, data.medium,
                                                  columns=min(len(x), EXAMPLES))

    return reconstructions


def needs_examples(model):
    """Tells whether what is looked at of a model is made of examples."""
    return isinstance(model, Translating) or not hasattr(model, "sample")


def _translations(model, data):
    """Makes the function of a seed -> (name, function from an ending to the file's bytes) that shows examples above
    what they are translated to."""
    domain, (x, condition, _) = model.domain, model.domain.split(data.examples)
    function = tf.function(lambda x, seeds, c: model.translate(x, seeds, c), autograph=False, reduce_retracing=True)

    def translations(seed):
        made = function(x, random.rows(seed, len(x)), condition).numpy()
        return "translations", lambda ending: files.translated(x.numpy(), made, domain, ending, data.medium,
                                                               min(len(x), EXAMPLES))

    return translations
