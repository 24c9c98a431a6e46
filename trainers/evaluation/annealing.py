"""What annealed importance sampling says of log p(x) of a model with latents (`--metrics=ais`), and by how much it can
be wrong.

Of examples that the model has drawn itself there is an upper bound too: the gap between both is how far off the lower
one is at most, there, and tells whether the chains were long enough (bidirectional Monte Carlo).
"""


import numpy as np

_SEED = 5  # folded into --seed
_ROWS = 1000  # chains in memory at once


def measure(evaluation, steps, chains, num):
    """Numbers (metric, Estimate, unit, kind, protocol) of the first `num` examples, and of as many that the model
    draws. Raises BadInput if it has no latents."""
    import tensorflow as tf

    from trainers.errors import BadInput
    from trainers.evaluation.measures import Progress
    from trainers.pictures.plots import rows
    from zoo import random
    from zoo.latent.parts.image_vae import ImageVAE
    from zoo.metrics import annealing, likelihood

    model = evaluation.model
    if not isinstance(model, ImageVAE):
        raise BadInput(f"--metrics=ais: model {evaluation.run.description['model']!r} has no latents with a prior p(z) "
                       "and a likelihood p(x|z) of images.")
    batch = max(1, min(num, evaluation.batch_size, _ROWS // chains))
    noise = random.fold_in(evaluation.noise, _SEED)

    def densities(x, condition):
        x, condition = (None if a is None else tf.tile(a, [chains] + [1] * (len(a.shape) - 1)) for a in (x, condition))
        return (
            model.prior_density(condition),
            lambda z: model.likelihood(z, condition).log_prob(x),
            lambda seeds: model.draw_prior(seeds, condition),
        )

    @tf.function(reduce_retracing=True)
    def below(x, condition, seeds):
        found, _, acceptance = annealing.lower(*densities(x, condition), seeds, chains, steps)
        return found, acceptance

    @tf.function(reduce_retracing=True)
    def both(condition, seeds):
        z = model.draw_prior(random.fold_in_rows(seeds, 0), condition)
        x = model.draw_image(model.parameters(z, condition), random.fold_in_rows(seeds, 1))
        log_prior, log_likelihood, draw = densities(x, condition)
        low, sizes, _ = annealing.lower(log_prior, log_likelihood, draw, random.fold_in_rows(seeds, 2), chains, steps)
        start = tf.nest.map_structure(lambda part: tf.tile(part, [chains, 1]), z)
        return low, annealing.upper(log_prior, log_likelihood, start, random.fold_in_rows(seeds, 2), chains, sizes)

    progress, found, done = Progress("annealed importance sampling", num), [], 0
    for x, condition in evaluation.batches(num):
        for first in range(0, len(x), batch):
            # a last batch is filled up: it needs no trace of its own
            index = np.minimum(first + np.arange(batch), len(x) - 1)
            part, given = (None if a is None else tf.gather(a, index) for a in (x, condition))
            own, seeds = min(batch, len(x) - first), rows(noise, batch, done)
            values = (*below(part, given, random.fold_in_rows(seeds, 0)), *both(given, random.fold_in_rows(seeds, 1)))
            found.append(np.stack(values)[:, :own])
            done += own
            progress.add(own)
    progress.close()
    low, acceptance, simulated_low, simulated_high = np.concatenate(found, 1).astype(np.float64)
    protocol = dict(num_examples=num, annealing_steps=steps, chains=chains, leapfrog_steps=annealing.LEAPFROGS,
                    acceptance=round(float(acceptance.mean()), 3))
    simulated = protocol | dict(simulated_examples=num)
    return [("ais_negative_log_likelihood", likelihood.nats(low), "nats", "upper_bound", protocol),
            ("bdmc_negative_log_likelihood_upper", likelihood.nats(simulated_low), "nats", "upper_bound", simulated),
            ("bdmc_negative_log_likelihood_lower", likelihood.nats(simulated_high), "nats", "lower_bound", simulated),
            ("bdmc_gap", likelihood.estimate(simulated_high - simulated_low), "nats", "estimate", simulated)]
