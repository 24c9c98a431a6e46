"""What a model knows of log p(x): exact, or every bound that it has, in nats per example; the tightest in bits, too."""

import tensorflow as tf

from trainers.evaluation import bits
from trainers.evaluation.evaluation import BOUND, LIKELIHOOD
from trainers.evaluation.number import Number
from zoo.capabilities import likelihood_kind
from zoo.metrics import likelihood


def measure(evaluation):
    """Measures a model with a likelihood or a bound of it; nothing of another."""
    kind = likelihood_kind(evaluation.model)
    if kind == "exact":
        found, values = _exact(evaluation)
    elif kind == "lower_bound":
        found, values = _bounds(evaluation)
    else:
        return []
    tightest = found[-1]
    if evaluation.domain.kind == "waveform":
        found.append(bits.per_sample(values, evaluation, tightest))
    if bits.has_dimensions(evaluation.domain):
        found.append(bits.per_dimension(values, evaluation, tightest))
    return found


def _exact(evaluation):
    """Computes ([the number], log p(x) [num])."""
    model, domain, protocol = evaluation.model, evaluation.domain, {}
    values = evaluation.per_example("log_prob", lambda x, seeds, c: model.log_prob(x, condition=c), LIKELIHOOD)
    if domain.dequantized:
        scaled = f"u ~ U[0, 1), scaled to {list(domain.range or ())}"
        protocol = dict(measure=f"density of (level + u) / {evaluation.dataset.levels}, {scaled}")
    return [Number("negative_log_likelihood", likelihood.nats(values), "nats", "exact", protocol)], values


def _bounds(evaluation):
    """Computes (the numbers of all bounds, the tightest last, its values [num])."""
    model, k = evaluation.model, evaluation.importance_samples
    found, values = _elbo(evaluation)
    if not hasattr(model, "log_prob"):
        return found, values
    values = evaluation.per_example(
        "log_prob", lambda x, seeds, c: model.log_prob(x, seeds, num_samples=k, condition=c), LIKELIHOOD)
    weighted = Number("negative_log_likelihood", likelihood.nats(values), "nats", "upper_bound",
                      dict(importance_samples=k))
    return [*found, weighted], values


def _elbo(evaluation):
    """Computes the same of the bound by one draw, with its rate and distortion where the model parts it so."""
    model, protocol, found = evaluation.model, dict(noise_draws=1), []
    if hasattr(model, "rate_distortion"):
        def parted(x, seeds, condition):
            return tf.stack(model.rate_distortion(x, seeds, condition=condition), -1)  # [batch, 2]

        parts = evaluation.per_example("elbo", parted, BOUND)
        for name, part in zip(("rate", "distortion"), parts.T):
            found.append(Number(name, likelihood.estimate(part), "nats", "estimate", protocol))
        values = -parts.sum(1)
    else:
        values = evaluation.per_example("elbo", lambda x, seeds, c: model.elbo(x, seeds, condition=c), BOUND)
    return [*found, Number("negative_elbo", likelihood.nats(values), "nats", "upper_bound", protocol)], values
