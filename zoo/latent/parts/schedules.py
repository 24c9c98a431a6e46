"""Schedules of a bound's terms, functions of the step that a player is given (None: after all of them)."""

import tensorflow as tf


def warmup(step, steps, end=1.0):
    """Returns the weight of the KL term: from 0 to `end` in so many steps, in a straight line (C. K. Sonderby et al.,
    2016, arXiv:1602.02282)."""
    if step is None or not steps:
        return end
    return end * tf.minimum(1.0, tf.cast(step, tf.float32) / steps)


def at_least(kl, free):
    """Computes, for free bits, sum_d max(free, mean over the batch of kl_d) as [batch] terms of kl [batch, D] (D. P.
    Kingma et al., 2016, arXiv:1606.04934, equation 15).

    A part whose mean is below `free` costs just that and has no gradient. NOTE: the mean is a replica's own.
    """
    return tf.reduce_sum(tf.where(tf.reduce_mean(kl, 0) > free, kl, free * tf.ones_like(kl)), -1)
