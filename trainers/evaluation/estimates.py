"""What is measured of a model that can only estimate log p(x): numbers that are called estimates, also by name."""

from trainers.evaluation import bits
from trainers.evaluation.evaluation import ESTIMATE
from trainers.evaluation.number import Number
from zoo.metrics import likelihood


def measure(evaluation):
    """Measures a model that has `estimate_log_prob`; nothing of another."""
    model = evaluation.model
    if not hasattr(model, "estimate_log_prob"):
        return []
    values = evaluation.per_example("estimate_log_prob", model.estimate_log_prob, ESTIMATE)
    nats = Number("estimated_negative_log_likelihood", likelihood.nats(values), "nats", "estimate", dict(noise_draws=1))
    if not bits.has_dimensions(evaluation.domain):
        return [nats]
    per_dimension = bits.per_dimension(values, evaluation, nats)
    return [nats, per_dimension._replace(metric="estimated_bits_per_dimension", kind="estimate")]
