"""What is measured of a model without a likelihood that encodes: how far its reconstructions are from examples, and
what it makes of noisy ones.

The error is the sum of squares over an example's entries, as in G. E. Hinton, R. R. Salakhutdinov, 2006 (Science 313),
figure 2: of pixels on [0, 1], so that models of different distortions compare.
"""

_NOISE = 5  # folded into --seed


def measure(evaluation):
    """Numbers (metric, Estimate, unit, kind, protocol) of a model that encodes and decodes; of one that denoises, at
    its own level of noise, too."""
    import tensorflow as tf

    from zoo import operations
    from zoo.capabilities import Denoising

    model, domain = evaluation.model, evaluation.domain
    scale = dict(error="sum over an example's entries", scale="pixels on [0, 1]" if span(domain) else "as in the data")

    def error(x, y):
        return tf.reduce_sum(tf.square(unit(tf.cast(x, tf.float32), domain) - unit(tf.cast(y, tf.float32), domain)),
                             list(range(1, len(x.shape))))

    found = [_number("reconstruction_error",
                     evaluation.per_example("reconstruct",
                                            lambda x, seeds, c: error(x, operations.reconstruct(model, x, c)), _NOISE),
                     "squared error", "exact", scale)]
    if hasattr(model, "distortion") and model.measure.unit == "nats":
        values = evaluation.per_example("distortion", lambda x, seeds, c: model.distortion(x, condition=c), _NOISE)
        found.append(_number("distortion", values, "nats", "exact", dict(measure=model.measure.meaning)))
    if isinstance(model, Denoising):
        found += _denoising(evaluation, error, scale)
    return found


def _denoising(evaluation, error, scale):
    """The error of denoised examples, and beside it that of the noisy ones, at one draw of the noise for each
    example."""
    import tensorflow as tf

    from zoo import operations
    from zoo.metrics import likelihood

    def both(x, seeds, condition):
        # [B, 2]
        return tf.stack([error(x, y) for y in operations.denoise(evaluation.model, x, seeds, condition=condition)], -1)

    noisy, denoised = evaluation.per_example("denoise", both, _NOISE).T
    protocol = scale | dict(corruption=evaluation.model.corruption, noise_draws=1,
                            noisy_error=likelihood.estimate(noisy).value)
    return [_number("denoising_error", denoised, "squared error", "estimate", protocol)]


def _number(metric, values, unit_, kind, protocol):
    from zoo.metrics import likelihood

    return metric, likelihood.estimate(values), unit_, kind, protocol


def span(domain):
    """The (low, high) of an example's entries, or None for the real line."""
    return domain.range if domain.kind == "real" else (0, domain.levels - 1)


def unit(x, domain):
    """Examples with every entry on [0, 1] where there is a range, so that models with different domains compare."""
    if limits := span(domain):
        return (x - float(limits[0])) / float(limits[1] - limits[0])
    return x
