"""Sums of codes: `zoo-sample --mode=arithmetic`."""

import numpy as np
import tensorflow as tf

from trainers.modes import operands
from trainers.modes.mode import shown
from trainers.runs.drawing import map_rows
from trainers.runs.examples import dataset_of
from zoo.domain import take_rows


def arithmetic(run, num, options, controls):
    """Draws a, b, c and a + b - c by their codes, [4, *shape]: `--terms`, each a file, or a class, whose first `num`
    test examples' codes are averaged."""
    asked, dataset = operands.parse(options.terms), dataset_of(run, options.data_dir)
    found = [operands.read(term, run, dataset, num, options.seed) for term in asked]
    encode = tf.function(lambda x, c: run.model.encode(x, condition=c), reduce_retracing=True)
    a, b, c = (map_rows(encode, x, condition).mean(0) for x, condition in found)
    condition = found[0][1]
    z = tf.constant(np.stack([a, b, c, a + b - c]), tf.float32)
    x = run.model.decode(z, condition=take_rows(condition, tf.zeros([4], tf.int32))).numpy()
    return x, shown(x, run, columns=4)
