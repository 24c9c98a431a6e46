"""Groups: tuples of k examples of one label.

An epoch puts each label's examples in a random order and cuts it into tuples, so that every example is in one tuple at
least, and in two only where the last tuple of a label is filled up from its first ones. The examples of a tuple are
different; of a label that has fewer than k they come again within it. Evaluation takes each label's examples in stored
order, a tuple of each label in turn.
"""

import numpy as np
import tensorflow as tf


def table(labels, k):
    """Returns where an epoch's tuples lie among examples sorted by label: int64 [tuples, k], each label's first one
    first."""
    counts = np.unique(np.asarray(labels), return_counts=True)[1]
    starts = np.append(0, np.cumsum(counts)[:-1])
    rows = [(number, start + (number * k + np.arange(k)) % count) for start, count in zip(starts, counts)
            for number in range(-(-count // k))]
    return np.stack([places for _, places in sorted(rows, key=lambda row: row[0])]).astype(np.int64)


def fewer(labels, k):
    """Returns how many labels have fewer than k examples: theirs come again within a tuple."""
    return int(np.sum(np.unique(np.asarray(labels), return_counts=True)[1] < k))


def visits(labels, k, position, key, permutation):
    """Returns which tuples are visited from `position` of the endless stream on.

    A `tf.data.Dataset` of the rest of an epoch's tuples each, int64 [tuples, k].
    `permutation(size, key, epoch, block)`: of 0..size-1, a function of its arguments.
    """
    places, num = table(labels, k), len(labels)
    with tf.device("CPU:0"):
        labels = tf.convert_to_tensor(labels)
    size = len(places)

    def rest(epoch):
        order = permutation(num, key, epoch, 0)
        # The labels in turn, each one's examples in a random order.
        by_label = tf.gather(order, tf.argsort(tf.gather(labels, order), stable=True))
        tuples = tf.gather(tf.gather(by_label, places), permutation(size, key, epoch, 1))
        return tuples[tf.where(epoch == position // size, np.int64(position % size), 0):]

    return tf.data.Dataset.range(position // size, np.iinfo(np.int64).max).map(rest).prefetch(1)


def in_order(labels, k):
    """Returns the tuples of a split that is evaluated, int64 [tuples, k]."""
    return np.argsort(np.asarray(labels), kind="stable")[table(labels, k)]
