"""Dropout with its randomness as an argument: the same seed drops the same features, on every machine and in every
process.

N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, Dropout: A Simple Way to Prevent Neural
Networks from Overfitting, 2014.
"""

import tensorflow as tf


def dropout(x, rate, seed=None):
    """Computes x / (1 - rate) where a coin of probability 1 - rate says so, else 0; x itself if `rate` is 0 or `seed`
    (int32 [2]) is None.

    Each layer needs a seed of its own (`zoo.random.fold_in`). Raises ValueError for a rate outside of [0, 1).
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"dropout's rate must be in [0, 1), found {rate}.")
    if seed is None or not rate:
        return x
    # in float32: a bfloat16's uniforms are too coarse for a small rate
    kept = tf.random.stateless_uniform(tf.shape(x), seed) >= rate
    return tf.where(kept, x * tf.cast(1.0 / (1.0 - rate), x.dtype), tf.zeros([], x.dtype))
