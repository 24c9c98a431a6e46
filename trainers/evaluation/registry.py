"""All that is always measured of a model, a function per capability, in the order in which records stand.

Each function takes an `Evaluation` and returns its `Number`s: none where the model, its domain or its data set lack
what it needs.
"""

from trainers.evaluation import (
    codebooks,
    completions,
    estimates,
    factors,
    latents,
    likelihoods,
    reconstructions,
    samples,
    strings,
    text,
)

MEASURED = (
    likelihoods.measure,
    text.measure,
    estimates.measure,
    codebooks.measure,
    latents.measure,
    factors.measure,
    completions.measure,
    reconstructions.measure,
    samples.measure,
    strings.measure,
)


def everything(evaluation):
    """Measures all that can be measured of the model on its data."""
    return [number for measure in MEASURED for number in measure(evaluation)]
