"""What annealed importance sampling says of log p(x) of a model with latents (`--metrics=ais`), and by how much it can
be wrong.

Of examples that the model has drawn itself there is an upper bound too: the gap between both is how far off the lower
one is at most, there, and tells whether the chains were long enough (bidirectional Monte Carlo).
"""

import numpy as np
import tensorflow as tf

from trainers.errors import BadInput
from trainers.evaluation.evaluation import ANNEALING
from trainers.evaluation.number import Number
from trainers.evaluation.progress import Progress
from zoo import random
from zoo.metrics import annealing, likelihood

_ROWS = 1000  # chains in memory at once
# A prior that is drawn from and has a density, and a likelihood that is drawn from and has one.
_NEEDED = ("draw_prior", "prior_density", "likelihood", "parameters", "draw_image")


def measure(evaluation, steps, chains, num):
    """Measures the first `num` examples, and as many that the model draws. Raises BadInput if it has no latents."""
    if not all(hasattr(evaluation.model, name) for name in _NEEDED):
        raise BadInput(f"--metrics=ais: model {evaluation.run.description['model']!r} has no latents with a prior p(z) "
                       "and a likelihood p(x|z) of images.")
    found = np.concatenate(list(_by_batch(evaluation, steps, chains, num)), 1).astype(np.float64)
    low, acceptance, simulated_low, simulated_high = found
    protocol = dict(num_examples=num, annealing_steps=steps, chains=chains, leapfrog_steps=annealing.LEAPFROGS,
                    acceptance=round(float(acceptance.mean()), 3))
    simulated = protocol | dict(simulated_examples=num)
    return [Number("ais_negative_log_likelihood", likelihood.nats(low), "nats", "upper_bound", protocol),
            Number("bdmc_negative_log_likelihood_upper", likelihood.nats(simulated_low), "nats", "upper_bound",
                   simulated),
            Number("bdmc_negative_log_likelihood_lower", likelihood.nats(simulated_high), "nats", "lower_bound",
                   simulated),
            Number("bdmc_gap", likelihood.estimate(simulated_high - simulated_low), "nats", "estimate", simulated)]


def _by_batch(evaluation, steps, chains, num):
    """Yields of a few examples at a time [lower bound, acceptance, bounds of a drawn example: lower, upper], [4, n]."""
    batch = max(1, min(num, evaluation.batch_size, _ROWS // chains))
    of_examples = _of_examples(evaluation.model, steps, chains)
    of_draws = _of_draws(evaluation.model, steps, chains)
    noise, done = random.fold_in(evaluation.noise, ANNEALING), 0
    progress = Progress("annealed importance sampling", num)
    for x, condition in evaluation.batches(num):
        for first in range(0, len(x), batch):
            # a last batch is filled up: it needs no trace of its own
            index = np.minimum(first + np.arange(batch), len(x) - 1)
            part, given = (None if a is None else tf.gather(a, index) for a in (x, condition))
            own, seeds = min(batch, len(x) - first), random.rows(noise, batch, done)
            values = (*of_examples(part, given, random.fold_in_rows(seeds, 0)),
                      *of_draws(given, random.fold_in_rows(seeds, 1)))
            yield np.stack(values)[:, :own]
            done += own
            progress.add(own)
    progress.close()


def _of_examples(model, steps, chains):
    """Makes the compiled function (x, condition, seeds) -> (lower bound of log p(x), acceptance), [batch] each."""
    @tf.function(reduce_retracing=True)
    def below(x, condition, seeds):
        found, _, acceptance = annealing.lower(*_densities(model, x, condition, chains), seeds, chains, steps)
        return found, acceptance

    return below


def _of_draws(model, steps, chains):
    """Makes the compiled function (condition, seeds) -> (lower, upper bound of log p(x)), [batch] each, of x that the
    model draws, whose z is a draw of p(z|x)."""
    @tf.function(reduce_retracing=True)
    def both(condition, seeds):
        z = model.draw_prior(random.fold_in_rows(seeds, 0), condition)
        x = model.draw_image(model.parameters(z, condition), random.fold_in_rows(seeds, 1))
        log_prior, log_likelihood, draw = _densities(model, x, condition, chains)
        low, sizes, _ = annealing.lower(log_prior, log_likelihood, draw, random.fold_in_rows(seeds, 2), chains, steps)
        start = tf.nest.map_structure(lambda part: tf.tile(part, [chains, 1]), z)
        return low, annealing.upper(log_prior, log_likelihood, start, random.fold_in_rows(seeds, 2), chains, sizes)

    return both


def _densities(model, x, condition, chains):
    """Makes the functions log p(z), log p(x|z) and draw of z of chains that start for each example, [chains * batch]
    rows."""
    x, condition = (None if a is None else tf.tile(a, [chains] + [1] * (len(a.shape) - 1)) for a in (x, condition))
    return (
        model.prior_density(condition),
        lambda z: model.likelihood(z, condition).log_prob(x),
        lambda seeds: model.draw_prior(seeds, condition),
    )
