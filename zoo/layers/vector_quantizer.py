"""A codebook: each vector is replaced by the nearest of K entries, which follow the vectors by moving averages and are
revived when nobody uses them.

A. van den Oord, O. Vinyals, K. Kavukcuoglu, Neural Discrete Representation Learning, 2017, arXiv:1711.00937, section 3
and appendix A.1. Counts and sums are weights that follow a loss (`zoo.layers.following`). Both are means over examples,
so the mean of the replicas' values is the value of the joined batch.
"""

import keras
import tensorflow as tf

from zoo import random
from zoo.layers.following import Followed

_EPSILON = 1e-5  # of the Laplace smoothing, in uses an example


class VectorQuantizer(keras.layers.Layer):
    """q(z) = e_k, k = argmin_j ||z - e_j||^2; e_k = m_k / N_k of N_k <- decay N_k + (1 - decay) n_k, m_k <- decay m_k +
    (1 - decay) sum of the z at k.

    N_k and n_k are uses an example, and N_k in e_k is smoothed: (N_k + eps) / (N + K eps) N, with N their sum.

    Args:
        entries: K, at least 2.
        size: of an entry.
        places: vectors that an example has.
        decay: of the moving averages, in [0, 1).
        revival: an entry that has less than this share of an even use, places / K, is put where a vector of the batch
            is; 0: none is.

    Raises:
        ValueError: if there are fewer than two entries, they have no size, or decay or revival is not in [0, 1).
    """

    def __init__(self, entries, size, places, decay=0.99, revival=0.05, **kwargs):
        super().__init__(**kwargs)
        if entries < 2 or size < 1:
            raise ValueError("a codebook needs at least 2 entries, of at least 1 number each, found "
                             f"codebook_size={entries} and embedding_size={size}.")
        if not 0.0 <= decay < 1.0 or not 0.0 <= revival < 1.0:
            raise ValueError(f"decay and revival must be in [0, 1), found {decay} and {revival}.")
        self.entries, self.size, self.places, self.decay, self.revival = entries, size, places, decay, revival
        followed, even = dict(dtype="float32", autocast=False, trainable=False), places / entries
        self.counts = self.add_weight((entries,), keras.initializers.Constant(even), name="counts", **followed)
        self.sums = self.add_weight((entries, size), keras.initializers.RandomNormal(0, even), name="sums", **followed)

    def codebook(self):
        """Returns the entries e, float32 [K, size]."""
        counts = tf.convert_to_tensor(self.counts)
        total = tf.reduce_sum(counts)
        return tf.convert_to_tensor(self.sums) / ((counts + _EPSILON) * (total
                                                                         / (total + self.entries * _EPSILON)))[:, None]

    def codes(self, z):
        """Returns the number of the nearest entry, int32 [...], of z [..., size]; the first of several."""
        flat, codebook = tf.reshape(z, [-1, self.size]), self.codebook()
        distance = tf.reduce_sum(codebook**2, -1) - 2.0 * tf.matmul(flat, codebook, transpose_b=True)  # but for ||z||^2
        return tf.reshape(tf.argmin(distance, -1, output_type=tf.int32), tf.shape(z)[:-1])

    def embed(self, codes):
        """Computes e_k of codes k, float32 [..., size]."""
        return tf.gather(self.codebook(), codes)

    def replace(self, z):
        """Returns (q(z), codes): q's gradient is passed on to z as it is, and none reaches the codebook."""
        codes = self.codes(tf.stop_gradient(z))
        return z + tf.stop_gradient(self.embed(codes) - z), codes

    def usage(self):
        """Returns the share of each entry in all uses, by the moving average, [K]."""
        counts = tf.maximum(tf.convert_to_tensor(self.counts), 0.0)
        return tf.math.divide_no_nan(counts, tf.reduce_sum(counts))

    def dead(self, step=None):
        """Returns which entries are to be revived, bool [K]; at step 0 all: a codebook begins where vectors are."""
        rare = tf.convert_to_tensor(self.counts) < self.revival * self.places / self.entries
        return rare if step is None or not self.revival else rare | tf.equal(step, 0)

    def averages(self):
        """Counts N and sums m, which follow: a vector that revives an entry has no mean over parts of a batch."""
        return [Followed(weight, parts=not self.revival) for weight in (self.counts, self.sums)]

    def moved(self, z, codes, seed, step=None):
        """Returns the values that `averages()` shall take, of z [batch, ..., size] and its codes [batch, ...].

        n_k and the sum of the z at k are of each example. An entry that is dead before gets N_k = places / K and m_k =
        N_k z, at a vector z drawn from the batches of all replicas. The replicas' mean is what the joined batch gives,
        where `seed` is the same on all.
        """
        batch, z = tf.cast(tf.shape(z)[0], tf.float32), tf.stop_gradient(tf.reshape(z, [-1, self.size]))
        codes, dead = tf.reshape(codes, [-1]), self.dead(step)
        n = tf.math.unsorted_segment_sum(tf.ones_like(z[:, 0]), codes, self.entries) / batch
        sums = tf.math.unsorted_segment_sum(z, codes, self.entries) / batch
        even = self.places / self.entries
        return [tf.where(dead, even, self._average(self.counts, n)),
                tf.where(dead[:, None], even * _drawn(z, self.entries, seed), self._average(self.sums, sums))]

    def _average(self, weight, value):
        return self.decay * tf.convert_to_tensor(weight) + (1.0 - self.decay) * value


def perplexity(usage):
    """Computes exp(-sum_k p_k log p_k) of shares p [K]: how many entries, equally used, would say as much."""
    return tf.exp(-tf.reduce_sum(tf.math.xlogy(usage, usage)))


def _drawn(z, num, seed):
    """Returns `num` of the vectors that all replicas have together, z [N, size] being a replica's own: R z on the one
    that has it, zeros elsewhere, R replicas.

    So their mean over the replicas is the vectors, and those are the same however the vectors are parted.
    """
    context = tf.distribute.get_replica_context()  # None in a strategy's scope, where a loss is only traced
    replica, replicas = (context.replica_id_in_sync_group, context.num_replicas_in_sync) if context else (0, 1)
    own = tf.shape(z)[0]
    index = random.integers(seed, [num], own * replicas) - own * tf.cast(replica, tf.int32)
    here = (index >= 0) & (index < own)
    return tf.where(here[:, None], float(replicas) * tf.gather(z, tf.clip_by_value(index, 0, own - 1)), 0.0)
