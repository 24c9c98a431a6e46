"""How far generated samples are from as many examples of the split (energy distance), and, of a mixture whose modes the
data set knows, how many of these they cover."""

import math

from trainers.evaluation.evaluation import SAMPLES
from trainers.evaluation.number import Number, single
from trainers.evaluation.progress import Progress
from trainers.evaluation.scale import span, unit
from trainers.runs.drawing import draw
from zoo import random
from zoo.metrics import divergences, modes
from zoo.metrics.likelihood import Estimate

# the distance of two texts' token numbers means nothing, nor does that of two phases
_WITHOUT_DISTANCE = ("tokens", "waveform", "strokes")


def measure(evaluation):
    """Measures a model with `sample` of a domain with a distance; nothing of another."""
    model, domain = evaluation.model, evaluation.domain
    if not hasattr(model, "sample") or domain.kind in _WITHOUT_DISTANCE:
        return []
    num = min(evaluation.run.config.evaluation.samples, evaluation.num)
    x, condition = evaluation.first(num)
    progress = Progress("sample", num)
    generated = draw(model, random.fold_in(evaluation.noise, SAMPLES), num, condition=condition)
    progress.add(num)
    progress.close()
    protocol = dict(generated_samples=num, num_examples=num)
    if span(domain):
        protocol["scale"] = "pixels on [0, 1]"
    distance = divergences.energy_distance(unit(generated, domain), unit(x.numpy(), domain))
    return [Number("energy_distance", distance, "distance", "estimate", protocol),
            *coverage(generated, evaluation.dataset.modes)]


def coverage(generated, known):
    """Measures how many of the known modes (`trainers.data.dataset.Modes`, or None) samples [num, D] cover, and how
    many samples are near one."""
    if known is None:
        return []
    found, num = modes.modes(generated, known.centres, known.stddev), len(generated)
    protocol = dict(generated_samples=num, num_examples=0, modes=len(known.centres),
                    near="within 3 standard deviations")
    near = Estimate(found.high_quality, math.sqrt(found.high_quality * (1 - found.high_quality) / num))
    return [single("modes_covered", found.covered, "count", protocol),
            Number("high_quality_fraction", near, "fraction", "estimate", protocol)]
