"""What is measured of a model that can only estimate log p(x): numbers that are called estimates, also by name."""

from zoo.metrics import likelihood

_ESTIMATE = 6  # folded into --seed


def measure(evaluation, bits):
    """Numbers (metric, Estimate, unit, kind, protocol) of a model that has `estimate_log_prob`; none of another.

    `bits`: the function (values in nats, evaluation, their number) -> the number of bits per dimension.
    """
    model, domain = evaluation.model, evaluation.domain
    if not hasattr(model, "estimate_log_prob"):
        return []
    values = evaluation.per_example("estimate_log_prob", model.estimate_log_prob, _ESTIMATE)
    found = [("estimated_negative_log_likelihood", likelihood.nats(values), "nats", "estimate", dict(noise_draws=1))]
    if len(domain.shape) == 3 and (domain.kind in ("binary", "levels") or domain.dequantized):
        _, number, unit, _, protocol = bits(values, evaluation, found[0])
        found.append(("estimated_bits_per_dimension", number, unit, "estimate", protocol))
    return found
