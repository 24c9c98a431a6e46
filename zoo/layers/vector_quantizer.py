"""A codebook: each vector is replaced by the nearest of K entries, which follow the vectors by moving averages and are revived when nobody uses them.

A. van den Oord, O. Vinyals, K. Kavukcuoglu, Neural Discrete Representation Learning, 2017, arXiv:1711.00937, section 3 and appendix A.1.
The moving averages are written as what they are, gradient descent: N <- N - (1 - decay) (N - n) minimises the squared distance to the counts n of each
example. So a training loop that averages gradients over replicas and checkpoints weights does for a codebook all that it does for a network.
"""

import keras
import tensorflow as tf

from zoo import random

_EPSILON = 1e-5  # of the Laplace smoothing, in uses an example


class VectorQuantizer(keras.layers.Layer):
    """q(z) = e_k, k = argmin_j ||z - e_j||^2; e_k = m_k / N_k of N_k <- decay N_k + (1 - decay) n_k, m_k <- decay m_k + (1 - decay) sum of the z at k.

    N_k and n_k are uses an example, and N_k in e_k is smoothed: (N_k + eps) / (N + K eps) N, with N their sum.

    Args:
        entries: K, at least 2.
        size: of an entry.
        places: vectors that an example has.
        decay: of the moving averages, in [0, 1).
        revival: an entry that has less than this share of an even use, places / K, is put where a vector of the batch is; 0: none is.

    Raises:
        ValueError: if there are fewer than two entries, they have no size, or decay or revival is not in [0, 1).
    """

    def __init__(self, entries, size, places, decay=0.99, revival=0.05, **kwargs):
        super().__init__(**kwargs)
        if entries < 2 or size < 1:
            raise ValueError(f"a codebook needs at least 2 entries, of at least 1 number each, found codebook_size={entries} and embedding_size={size}.")
        if not 0.0 <= decay < 1.0 or not 0.0 <= revival < 1.0:
            raise ValueError(f"decay and revival must be in [0, 1), found {decay} and {revival}.")
        self.entries, self.size, self.places, self.decay, self.revival = entries, size, places, decay, revival
        self.counts = self.add_weight((entries,), keras.initializers.Constant(places / entries), dtype="float32", autocast=False, name="counts")
        self.sums = self.add_weight((entries, size), keras.initializers.RandomNormal(stddev=places / entries), dtype="float32", autocast=False, name="sums")

    def codebook(self):
        """The entries e, float32 [K, size]."""
        counts = tf.convert_to_tensor(self.counts)
        total = tf.reduce_sum(counts)
        return tf.convert_to_tensor(self.sums) / ((counts + _EPSILON) * (total / (total + self.entries * _EPSILON)))[:, None]

    def codes(self, z):
        """The number of the nearest entry, int32 [...], of z [..., size]; the first of several."""
        flat, codebook = tf.reshape(z, [-1, self.size]), self.codebook()
        distance = tf.reduce_sum(codebook**2, -1) - 2.0 * tf.matmul(flat, codebook, transpose_b=True)  # but for ||z||^2
        return tf.reshape(tf.argmin(distance, -1, output_type=tf.int32), tf.shape(z)[:-1])

    def embed(self, codes):
        """e_k of codes k, float32 [..., size]."""
        return tf.gather(self.codebook(), codes)

    def replace(self, z):
        """(q(z), codes): q's gradient is passed on to z as it is, and none reaches the codebook."""
        codes = self.codes(tf.stop_gradient(z))
        return z + tf.stop_gradient(self.embed(codes) - z), codes

    def usage(self):
        """The share of each entry in all uses, by the moving average, [K]."""
        counts = tf.maximum(tf.convert_to_tensor(self.counts), 0.0)
        return tf.math.divide_no_nan(counts, tf.reduce_sum(counts))

    def dead(self, step=None):
        """Which entries are to be revived, bool [K]; at step 0 all: a codebook begins where vectors are."""
        rare = tf.convert_to_tensor(self.counts) < self.revival * self.places / self.entries
        return rare if step is None or not self.revival else rare | tf.equal(step, 0)

    def objective(self, z, seed, step=None):
        """{counts, sums, revival}, [batch] each, of z [batch, ..., size]: of which a step of plain gradient descent at the rate 1 - decay is the update.

        counts: sum_k N_k^2 / 2 - N_k n_k, of the entries in use, with n_k of each example: ||N - n||^2 / 2 but for a constant. sums: the same of m_k and the
        sum of the z at k. revival: of the others, such that the same step takes them all the way to N_k = places / K and m_k = N_k z at a vector drawn from the
        batches of all replicas, where `seed` is the same on all.
        """
        batch = tf.shape(z)[0]
        z = tf.stop_gradient(tf.reshape(z, [batch, self.places, self.size]))
        counts, sums = tf.convert_to_tensor(self.counts), tf.convert_to_tensor(self.sums)
        codes, dead = self.codes(z), self.dead(step)
        used = tf.cast(~dead, tf.float32)
        ours, own = counts * used, sums * used[:, None]  # the product makes the gradient dense, as an all-reduce wants it
        even = self.places / self.entries
        target = even * _drawn(tf.reshape(z, [-1, self.size]), self.entries, seed)
        gone, lost = counts * (1.0 - used), sums * (1.0 - used)[:, None]
        jump = tf.reduce_sum(gone * (0.5 * gone - even)) + tf.reduce_sum(lost * (0.5 * lost - target))
        return {"counts": 0.5 * tf.reduce_sum(ours**2) - tf.reduce_sum(tf.gather(ours, codes), -1),
                "sums": 0.5 * tf.reduce_sum(own**2) - tf.reduce_sum(tf.gather(own, codes) * z, [1, 2]),
                "revival": tf.broadcast_to(jump / (1.0 - self.decay), [batch])}

    def optimizer(self):
        """The one for which `objective` is made."""
        return keras.optimizers.SGD(1.0 - self.decay)


def perplexity(usage):
    """exp(-sum_k p_k log p_k) of shares p [K]: how many entries, equally used, would say as much."""
    return tf.exp(-tf.reduce_sum(tf.math.xlogy(usage, usage)))


def _drawn(z, num, seed):
    """`num` of the vectors that all replicas have together, z [N, size] being a replica's own: R z on the one that has it, zeros elsewhere, R replicas.

    So their mean over the replicas is the vectors, and those are the same however the vectors are parted.
    """
    context = tf.distribute.get_replica_context()  # None in a strategy's scope, where a loss is only traced
    replica, replicas = (context.replica_id_in_sync_group, context.num_replicas_in_sync) if context else (0, 1)
    own = tf.shape(z)[0]
    index = random.integers(seed, [num], own * replicas) - own * tf.cast(replica, tf.int32)
    here = (index >= 0) & (index < own)
    return tf.where(here[:, None], float(replicas) * tf.gather(z, tf.clip_by_value(index, 0, own - 1)), 0.0)
