"""Lower bounds of log p(x) from importance weights.

Y. Burda, R. Grosse, R. Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv:1509.00519.
"""

import math

import tensorflow as tf


def importance_weighted(log_weights, num_samples, chunk):
    """log 1/k sum_k w_k, [batch], with the weights made `chunk` at a time, so that memory does not grow with k.

    Args:
        log_weights: function (index, num) -> log w, [num, batch]; the index of a chunk is what its noise is derived
            from.
        num_samples: k, at least 1.
        chunk: how many weights are in memory at once.

    Raises:
        ValueError: if `num_samples` or `chunk` is less than 1.
    """
    if num_samples < 1 or chunk < 1:
        raise ValueError(f"num_samples and chunk must be at least 1, found {num_samples} and {chunk}.")
    full, rest = divmod(num_samples, chunk)
    total = tf.reduce_logsumexp(log_weights(full, rest), axis=0) if rest else None
    if full:
        first = tf.reduce_logsumexp(log_weights(0, chunk), axis=0)
        total = first if total is None else tf.experimental.numpy.logaddexp(total, first)

        def add(index, total):
            return index + 1, tf.experimental.numpy.logaddexp(
                total, tf.reduce_logsumexp(log_weights(index, chunk), axis=0)
            )

        total = tf.while_loop(lambda index, _: index < full, add, (1, total), parallel_iterations=1)[1]
    return total - math.log(num_samples)
