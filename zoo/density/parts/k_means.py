"""k-means++: centres among the examples, each drawn with probability proportional to its squared distance from the
nearest one before it; by scikit-learn.

D. Arthur, S. Vassilvitskii, k-means++: The Advantages of Careful Seeding, 2007.
"""

import numpy as np
import tensorflow as tf

from zoo import random


def choose(x, num, seed):
    """Chooses `num` of the rows of x [N, D] as centres, [num, D], by the seed int32 [2]. Raises ValueError if there are
    fewer examples than that."""
    if num > x.shape[0]:
        raise ValueError(f"{num} components need as many examples, found {x.shape[0]}.")
    from sklearn.cluster import kmeans_plusplus  # its import takes a second, and only a fit needs it

    generator = np.random.RandomState(np.asarray(random.fold_in(seed, 0)).view(np.uint32))
    # One trial for each centre, as in the paper: more, of which the best stands, would cost as many times the work.
    centres, _ = kmeans_plusplus(np.asarray(x), num, random_state=generator, n_local_trials=1)
    return tf.convert_to_tensor(centres)


def nearest(x, centres):
    """Finds the nearest of `centres` [K, D] for every row of x [N, D]: its index, int32 [N]."""
    scores = tf.matmul(x, centres, transpose_b=True) - 0.5 * tf.reduce_sum(centres**2, axis=1)
    return tf.argmax(scores, axis=1, output_type=tf.int32)
