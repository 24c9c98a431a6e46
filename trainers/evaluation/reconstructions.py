"""What is measured of a model without a likelihood that encodes: how far its reconstructions are from examples, and
what it makes of noisy ones.

The error is the sum of squares over an example's entries, as in G. E. Hinton, R. R. Salakhutdinov, 2006 (Science 313),
figure 2: of pixels on [0, 1], so that models of different distortions compare.
"""

import tensorflow as tf

from trainers.evaluation.evaluation import RECONSTRUCTION
from trainers.evaluation.number import Number
from trainers.evaluation.scale import span, unit
from zoo import operations
from zoo.capabilities import Denoising, likelihood_kind
from zoo.metrics import likelihood


def measure(evaluation):
    """Measures a model that encodes, decodes and has no likelihood; of one that denoises, at its own level of noise,
    too. Nothing of another."""
    model = evaluation.model
    if likelihood_kind(model) is not None or not hasattr(model, "encode"):
        return []
    found = [_reconstruction(evaluation)]
    if hasattr(model, "distortion") and model.measure.unit == "nats":
        values = evaluation.per_example("distortion", lambda x, seeds, c: model.distortion(x, condition=c),
                                        RECONSTRUCTION)
        found.append(Number("distortion", likelihood.estimate(values), "nats", "exact",
                            dict(measure=model.measure.meaning)))
    if isinstance(model, Denoising):
        found.append(_denoising(evaluation))
    return found


def _reconstruction(evaluation):
    model, domain = evaluation.model, evaluation.domain
    values = evaluation.per_example(
        "reconstruct", lambda x, seeds, c: _error(x, operations.reconstruct(model, x, c), domain), RECONSTRUCTION)
    return Number("reconstruction_error", likelihood.estimate(values), "squared error", "exact", _scale(domain))


def _denoising(evaluation):
    """Measures the error of denoised examples, and beside it that of the noisy ones, at one draw of the noise for each
    example."""
    model, domain = evaluation.model, evaluation.domain

    def both(x, seeds, condition):
        made = operations.denoise(model, x, seeds, condition=condition)
        return tf.stack([_error(x, y, domain) for y in made], -1)  # [batch, 2]

    noisy, denoised = evaluation.per_example("denoise", both, RECONSTRUCTION).T
    protocol = _scale(domain) | dict(corruption=model.corruption, noise_draws=1,
                                     noisy_error=likelihood.estimate(noisy).value)
    return Number("denoising_error", likelihood.estimate(denoised), "squared error", "estimate", protocol)


def _error(x, y, domain):
    """Sums the squared differences of scaled examples, [batch]."""
    difference = unit(tf.cast(x, tf.float32), domain) - unit(tf.cast(y, tf.float32), domain)
    return tf.reduce_sum(tf.square(difference), list(range(1, len(x.shape))))


def _scale(domain):
    scale = "pixels on [0, 1]" if span(domain) else "as in the data"
    return dict(error="sum over an example's entries", scale=scale)
