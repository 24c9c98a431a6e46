"""Mu-law companding: amplitudes on [-1, 1] as a few hundred codes that are fine near silence and coarse where it is
loud.

ITU-T Recommendation G.711, Pulse code modulation of voice frequencies, 1988; a network predicts the codes as categories
in A. van den Oord et al., WaveNet: A Generative Model for Raw Audio, 2016, arXiv:1609.03499, section 2.2.
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def compand(x, levels):
    """Computes f(x) = sign(x) log(1 + mu |x|) / log(1 + mu), mu = levels - 1: [-1, 1] onto itself; what is outside is
    clipped.
    """
    mu = levels - 1.0
    x = tf.clip_by_value(x, -1.0, 1.0)
    return tf.sign(x) * tf.math.log1p(mu * tf.abs(x)) / math.log1p(mu)


def encode(x, levels):
    """Returns the code of an amplitude, int32 0..levels-1: the nearest of `levels` equally spaced values of f(x)."""
    return tf.cast(tf.floor((compand(x, levels) + 1.0) * (0.5 * (levels - 1)) + 0.5), tf.int32)


def decode(codes, levels):
    """Returns the amplitude in the middle of a code's bin, float32: y = 2 k / mu - 1, x = sign(y) ((1 + mu)^|y| - 1) /
    mu; encode(decode(k)) = k.
    """
    y = np.linspace(-1.0, 1.0, levels)
    # A table, so that a code's amplitude is the same number wherever it stands.
    return tf.gather(tf.constant(np.sign(y) * np.expm1(np.abs(y) * math.log(levels)) / (levels - 1), tf.float32), codes)


class MuLaw(tfd.Distribution):
    """P(x) = softmax(logits)[encode(x)]: categorical codes behind amplitudes; every amplitude of a bin has the
    probability of its code.

    Args:
        logits: [..., levels].
    """

    def __init__(self, logits, name="MuLaw"):
        self.logits = logits
        super().__init__(dtype=tf.float32, reparameterization_type=tfd.NOT_REPARAMETERIZED, validate_args=False,
                         allow_nan_stats=True, name=name)

    @property
    def levels(self):
        return self.logits.shape[-1]

    def codes(self):
        """Returns the distribution of the codes themselves."""
        return tfd.Categorical(logits=self.logits)

    def _batch_shape(self):
        return self.logits.shape[:-1]

    def _batch_shape_tensor(self):
        return tf.shape(self.logits)[:-1]

    def _event_shape(self):
        return tf.TensorShape([])

    def _event_shape_tensor(self):
        return tf.constant([], tf.int32)

    def _log_prob(self, x):
        return self.codes().log_prob(encode(x, self.levels))

    def _sample_n(self, n, seed=None):
        return decode(self.codes().sample(n, seed=seed), self.levels)


def from_noise(logits, noise):
    """Returns the code k at which p(0) + ... + p(k) first exceeds the uniform number, int32 [...], for logits [...,
    levels] and noise [...].

    In two stages, the group of codes and then the code in it: small products, where a cumulative sum of one row at a
    time, a softmax and a count over all codes would take longer than a layer of the network.
    """
    levels = logits.shape[-1]
    width = math.isqrt(levels - 1) + 1
    groups = -(-levels // width)
    p = tf.reshape(logits, [-1, levels])
    p = tf.exp(p - tf.reduce_max(p, -1, keepdims=True))
    p = tf.pad(p, [[0, 0], [0, groups * width - levels]]) if groups * width > levels else p
    # within: [N * groups, width], each code with those before it in its group
    within = tf.matmul(tf.reshape(p, [-1, width]), _sums(width))
    total = tf.reshape(within[:, -1:], [-1, groups])
    upto = tf.matmul(total, _sums(groups))  # [N, groups], each group with those before it
    wanted = tf.reshape(noise, [-1, 1]) * upto[:, -1:]
    group = tf.reduce_sum(tf.cast(upto <= wanted, tf.int32), -1, keepdims=True)  # [N, 1]
    left = wanted - tf.gather(upto - total, group, batch_dims=1)
    row = tf.gather(tf.reshape(within, [-1, groups, width]), group, batch_dims=1)  # [N, 1, width]
    code = tf.reduce_sum(tf.cast(row <= left[:, None], tf.int32), -1)
    return tf.reshape(tf.minimum(width * group + tf.minimum(code, width - 1), levels - 1), tf.shape(noise))


def _sums(size):
    """Returns the matrix that adds up: column j holds ones down to row j."""
    return tf.constant(np.triu(np.ones([size, size])), tf.float32)
