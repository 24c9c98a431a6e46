"""What is measured of a model that can only estimate log p(x): numbers that are called estimates, in their names too, since they may lie on either side."""


def measure(evaluation):
    """Numbers (metric, Estimate, unit, kind, protocol) of a model that has `estimate_log_prob`; none of another."""
    from trainers import measures
    from zoo.metrics import likelihood

    model, domain = evaluation.model, evaluation.domain
    if not hasattr(model, "estimate_log_prob"):
        return []
    values = evaluation.per_example("estimate_log_prob", lambda x, seeds, c: model.estimate_log_prob(x, seeds, condition=c), measures.ESTIMATE)
    found = [("estimated_negative_log_likelihood", likelihood.nats(values), "nats", "estimate", dict(noise_draws=1))]
    if len(domain.shape) == 3 and (domain.kind in ("binary", "levels") or domain.dequantized):
        _, bits, unit, _, protocol = measures.bits(values, evaluation, found[0])
        found.append(("estimated_bits_per_dimension", bits, unit, "estimate", protocol))
    return found
