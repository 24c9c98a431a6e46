"""Annealed importance sampling of log p(x) = log of the integral of p(x|z) p(z), from below and, where a draw of p(z|x)
is known, from above.

R. M. Neal, Annealed importance sampling, 1998, arXiv:physics/9803008; R. B. Grosse, Z. Ghahramani, R. P. Adams,
Sandwiching the marginal likelihood using bidirectional Monte Carlo, 2015, arXiv:1511.02543; Y. Wu, Y. Burda, R.
Salakhutdinov, R. Grosse, On the quantitative analysis of decoder-based generative models, 2017, arXiv:1611.04273, whose
schedule, step sizes and number of leapfrog steps these are.

A chain goes through p_b(z), proportional to p(z) p(x|z)^b. From b = 0 to 1, its weight's mean is p(x): its logarithm is
below log p(x) on average. From b = 1, where it has to start in a draw of p(z|x), to 0 its mean is 1 / p(x), and minus
its logarithm is above. Of x that the model itself has drawn, the z behind it is such a draw.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from zoo import random

LEAPFROGS = 10
# of step sizes: the first, and how they follow the acceptance rate to its target
_FIRST, _GROW, _SHRINK, _ACCEPT = 0.05, 1.02, 0.98, 0.65
_SMALLEST, _LARGEST = 1e-4, 1.0


class Annealed(NamedTuple):
    """z, where the chains end; log_weights [rows]; sizes [steps, rows] of the leapfrog steps that were taken;
    acceptance, the fraction of proposals, [rows]."""

    z: tf.Tensor | tuple
    log_weights: tf.Tensor
    sizes: tf.Tensor
    acceptance: tf.Tensor


def schedule(num, steepness=4.0):
    """Returns `num` + 1 exponents from 0 to 1 along a sigmoid, slow at both ends, float32."""
    rising = tf.sigmoid(tf.linspace(-steepness, steepness, num + 1))
    return (rising - rising[0]) / (rising[-1] - rising[0])


def anneal(log_prior, log_likelihood, z, seeds, exponents, sizes=None, leapfrogs=LEAPFROGS):
    """Runs one chain for each row through p(z) p(x|z)^b, b the exponents in their order, by Hamiltonian Monte Carlo.

    Args:
        log_prior, log_likelihood: functions of z that give [rows].
        z: a tensor [rows, D], or a tuple of such: exact draws at the first exponent.
        seeds: int32 [rows, 2]; a row's chain depends on its own alone.
        exponents: float32 [steps + 1].
        sizes: [steps, rows], the step sizes of each transition. None: they follow the acceptance rate, so that a
            transition no longer leaves its distribution quite as it is: a run of that kind is for finding sizes, which
            another with other seeds then keeps.

    Returns:
        `Annealed`.
    """
    if not isinstance(z, tuple):
        found = anneal(lambda z: log_prior(*z), lambda z: log_likelihood(*z), (z,), seeds, exponents, sizes, leapfrogs)
        return found._replace(z=found.z[0])
    steps, exponents = len(exponents) - 1, tf.convert_to_tensor(exponents)

    def body(number, z, weights, size, taken, accepts):
        before, b = exponents[number], exponents[number + 1]
        weights += (b - before) * log_likelihood(z)
        size = size if sizes is None else sizes[number]
        z, accepted = _transition(lambda z: log_prior(z) + b * log_likelihood(z), z, size,
                                  random.fold_in_rows(seeds, number), leapfrogs)
        taken = taken.write(number, size)
        if sizes is None:
            size = tf.clip_by_value(size * tf.where(accepted, _GROW ** ((1 - _ACCEPT) / _ACCEPT), _SHRINK), _SMALLEST,
                                    _LARGEST)
        return number + 1, z, weights, size, taken, accepts + tf.cast(accepted, tf.float32)

    zeros = tf.zeros([tf.shape(seeds)[0]])
    loop = (0, z, zeros, zeros + _FIRST, tf.TensorArray(tf.float32, steps, element_shape=[None]), zeros)
    _, z, weights, _, taken, accepts = tf.while_loop(lambda number, *_: number < steps, body, loop,
                                                     parallel_iterations=1)
    return Annealed(z, weights, taken.stack(), accepts / steps)


def _transition(log_density, z, size, seeds, leapfrogs):
    """Moves z, a tuple of [rows, D], by a proposal that leaves the density as it is where it is accepted or refused;
    returns (z, whether it was accepted [rows]).
    """
    momenta = tuple(random.normal_rows(random.fold_in_rows(seeds, part), z[part].shape[1:]) for part in range(len(z)))
    start = log_density(z) - _energy(momenta)
    moved, p = _leapfrog(log_density, z, momenta, size[:, None], leapfrogs)
    end = log_density(moved) - _energy(p)
    # An overflow makes the difference no number, which no uniform is below: the proposal is refused.
    accepted = tf.math.log(random.uniform_rows(random.fold_in_rows(seeds, len(z)), ())) < end - start
    return tuple(tf.where(accepted[:, None], a, b) for a, b in zip(moved, z)), accepted


def _leapfrog(log_density, z, p, step, num):
    """Follows the Hamiltonian flow from (z, p) for `num` steps of size `step` [rows, 1]; returns (z, p)."""
    def gradient(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = log_density(z)
        return tape.gradient(value, z)

    p = tuple(q + 0.5 * step * g for q, g in zip(p, gradient(z)))
    for number in range(num):
        z = tuple(a + step * q for a, q in zip(z, p))
        half = 0.5 if number == num - 1 else 1.0
        p = tuple(q + half * step * g for q, g in zip(p, gradient(z)))
    return z, p


def _energy(momenta):
    """Computes sum p^2 / 2, [rows]."""
    return 0.5 * tf.add_n([tf.reduce_sum(p * p, -1) for p in momenta])


def lower(log_prior, log_likelihood, draw_prior, seeds, chains, steps):
    """Computes (a stochastic lower bound of log p(x), step sizes, acceptance) of each example, [batch].

    Args:
        log_prior, log_likelihood: functions of z of chains * batch rows, the batch running fastest.
        draw_prior: function of seeds [rows, 2] that gives z ~ p(z).
        seeds: int32 [batch, 2].
        chains: of an example, whose weights are averaged. steps: exponents above 0.
    """
    exponents = schedule(steps)
    pilot, own = (_per_chain(random.fold_in_rows(seeds, purpose), chains) for purpose in (0, 1))
    sizes = anneal(log_prior, log_likelihood, draw_prior(random.fold_in_rows(pilot, 0)), random.fold_in_rows(pilot, 1),
                   exponents).sizes
    found = anneal(log_prior, log_likelihood, draw_prior(random.fold_in_rows(own, 0)), random.fold_in_rows(own, 1),
                   exponents, sizes)
    return _mean(found.log_weights, chains), sizes, tf.reduce_mean(tf.reshape(found.acceptance, [chains, -1]), 0)


def upper(log_prior, log_likelihood, z, seeds, chains, sizes):
    """Computes a stochastic upper bound of log p(x), [batch], from exact draws z ~ p(z|x) of chains * batch rows, with
    the step sizes that `lower` found.
    """
    exponents = tf.reverse(schedule(len(sizes)), [0])
    # of the transitions at the exponents between, and at 0
    sizes = tf.reverse(tf.concat([sizes[:1], sizes[:-1]], 0), [0])
    return -_mean(anneal(log_prior, log_likelihood, z, random.fold_in_rows(_per_chain(seeds, chains), 2), exponents,
                         sizes).log_weights, chains)


def _per_chain(seeds, chains):
    """Returns seeds of chains * batch rows."""
    return tf.concat([random.fold_in_rows(seeds, chain) for chain in range(chains)], 0)


def _mean(log_weights, chains):
    return tf.reduce_logsumexp(tf.reshape(log_weights, [chains, -1]), 0) - math.log(chains)
