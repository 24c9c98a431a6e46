"""Filling in what is missing of an example, for models with latents: pseudo-Gibbs, then one of many latents by its
importance.

D. J. Rezende, S. Mohamed, D. Wierstra, Stochastic Backpropagation, 2014, arXiv:1401.4082, appendix F: latents given the
filled example and the hidden entries given the latents, in turns. That chain has the wrong stationary distribution
where q(z|x) is not the posterior; the last step therefore draws many z from q(z|filled x) and takes one by p(x where
known, z) / q(z|filled x).
"""

import tensorflow as tf

from zoo import random

ROUNDS = 10
CANDIDATES, _ENTRIES = 100, 1 << 20  # the most latents to choose from, and what a decoder says of them all, of an image


def describe(model):
    """Returns the procedure in words, for a record."""
    return f"{ROUNDS} rounds of pseudo-Gibbs and importance resampling of {_number(model)} latents"


def complete(model, x, mask, seeds, condition=None):
    """Draws x where `mask`, bool [batch, *places], is false."""
    known = mask[..., None]  # for the channels
    raw, weights = _candidates(model, x, known, seeds, condition)
    uniforms = random.uniform_rows(random.fold_in_rows(seeds, 1), [_number(model)], minval=1e-20)
    gumbels = -tf.math.log(-tf.math.log(uniforms))
    raw = tf.gather(tf.einsum("nb...->bn...", raw), tf.argmax(tf.transpose(weights) + gumbels, axis=1), batch_dims=1)
    return tf.where(known, x, model.draw_image(raw, random.fold_in_rows(seeds, 2)))


def missing_log_prob(model, x, mask, seeds, condition=None):
    """Computes log sum_k w_k p(hidden x|z_k) / sum_k w_k, [batch]: on average below log of the probability (or density)
    with which `complete` draws these values."""
    known = mask[..., None]
    raw, weights = _candidates(model, x, known, seeds, condition)
    hidden = tf.reduce_sum(tf.where(known, 0.0, model.observation.log_probs(raw, x)), [-3, -2, -1])
    return tf.reduce_logsumexp(tf.nn.log_softmax(weights, axis=0) + hidden, axis=0)


def _candidates(model, x, known, seeds, condition):
    """Returns what a decoder says of each candidate, [candidates, batch, ...], and log p(known x, z) - log q(z|filled
    x), [candidates, batch]."""
    filled = _chain(model, x, known, seeds, condition)
    z, log_q = model.approximate(filled, condition)(model.noise(random.fold_in_rows(seeds, 0), _number(model)))
    raw = model.parameters(z, condition)
    of_known = tf.reduce_sum(tf.where(known, model.observation.log_probs(raw, x), 0.0), [-3, -2, -1])
    return raw, of_known + model.log_prior(z, condition) - log_q


def _chain(model, x, known, seeds, condition):
    def step(number, filled):
        its = random.fold_in_rows(seeds, 3, number)
        z, _ = model.approximate(filled, condition)(random.normal_rows(random.fold_in_rows(its, 0), [model.noise_size]))
        drawn = model.draw_image(model.parameters(z, condition), random.fold_in_rows(its, 1))
        return number + 1, tf.ensure_shape(tf.where(known, x, drawn), x.shape)

    sampled = model._sample(random.fold_in_rows(seeds, 4), condition=condition)
    start = tf.ensure_shape(tf.where(known, x, sampled), x.shape)
    return tf.while_loop(lambda number, _: number < ROUNDS, step, (0, start), parallel_iterations=1)[1]


def _number(model):
    return max(4, min(CANDIDATES, _ENTRIES // model.observation.size(model.shape)))
