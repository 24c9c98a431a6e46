"""What is measured of a model that can only estimate log p(x): numbers that are called estimates, also by name."""


def measure(evaluation):
    """Numbers (metric, Estimate, unit, kind, protocol) of a model that has `estimate_log_prob`; none of another."""
    from trainers import measures
    from zoo.metrics import likelihood

    model, domain = evaluation.model, evaluation.domain
    if not hasattr(model, "estimate_log_prob"):
        return []

    def estimate(x, seeds, condition):
        return model.estimate_log_prob(x, seeds, condition)

    values = evaluation.per_example("estimate_log_prob", estimate, measures.ESTIMATE)
    found = [("estimated_negative_log_likelihood", likelihood.nats(values), "nats", "estimate", dict(noise_draws=1))]
    if len(domain.shape) == 3 and (domain.kind in ("binary", "levels") or domain.dequantized):
        _, bits, unit, _, protocol = measures.bits(values, evaluation, found[0])
        found.append(("estimated_bits_per_dimension", bits, unit, "estimate", protocol))
    return found
