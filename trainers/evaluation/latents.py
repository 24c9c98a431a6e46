"""How many latents say something of the example; where hardly any does, the posterior collapsed onto the prior, and
that is said."""

import sys

from trainers.evaluation.evaluation import LIKELIHOOD
from trainers.evaluation.number import single
from zoo.metrics import latents


def measure(evaluation):
    """Measures a model with a rate, a distortion and continuous codes; nothing of another."""
    model = evaluation.model
    if hasattr(model, "codes") or not (hasattr(model, "rate_distortion") and hasattr(model, "encode")):
        return []
    variance = latents.Variance()
    for codes in evaluation.by_batch("encode", lambda x, seeds, c: model.encode(x, condition=c), LIKELIHOOD):
        variance.add(codes)
    active, size = variance.active_units()
    if latents.collapsed(active, size):
        print(f"warning: posterior collapse: {active} of {size} latents depend on the example.", file=sys.stderr,
              flush=True)
    protocol = dict(latents=size, active=f"variance of the code's mean above {latents.ACTIVE}")
    return [single("active_units", active, "count", protocol)]
