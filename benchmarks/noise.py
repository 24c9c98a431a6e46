"""Noise of rows: all rows at once (`zoo.random`) against a loop over them that draws each by TensorFlow's stateless
generator.

    python -m benchmarks.noise [--rounds=21]

Both are compiled and take turns in one process; what counts is the median of each and the median of their ratios. The
same for both in a SavedModel, for the rows' seeds (of one seed, and of a seed for each row), and for 1,000 samples of a
RealNVP of points.
"""

import argparse
import functools
import statistics
import tempfile
import time

import keras
import tensorflow as tf

import zoo
from zoo import random

_SIZES = ((1, 10), (16, 10), (256, 10), (1000, 10), (16, 256), (64, 64), (1000, 128), (1000, 256), (256, 784),
          (64, 3072), (16, 12288), (16, 50176))
_SEED, _SEEDS = tf.TensorSpec([2], tf.int32), tf.TensorSpec([None, 2], tf.int32)


@functools.cache
def loop(draw, size):
    """The compiled loop over rows of `draw(shape, seed)`."""
    spec = tf.TensorSpec([size], tf.float32)

    @tf.function(input_signature=[_SEEDS])
    def draw_rows(seeds):
        return tf.map_fn(lambda seed: draw([size], seed), seeds, fn_output_signature=spec)

    return draw_rows


@tf.function(reduce_retracing=True)
def loop_seeds(seeds, item):
    """A loop over rows that folds `item` into each one's seed."""
    return tf.map_fn(lambda seed: tf.random.fold_in(seed, item), seeds, fn_output_signature=_SEED)


def exported(function):
    """The function of seeds, written as a SavedModel and read back."""
    with tempfile.TemporaryDirectory() as folder:
        module = tf.Module()
        module.draw = tf.function(lambda seeds: function(seeds), input_signature=[_SEEDS])
        tf.saved_model.save(module, folder, signatures={"draw": module.draw.get_concrete_function()})
        served = tf.saved_model.load(folder).signatures["draw"]
        served(tf.zeros([1, 2], tf.int32))
        return lambda seeds: next(iter(served(seeds).values()))


def turns(one, other, rounds):
    """Milliseconds of each, [rounds] of both, measured in turns after two runs that don't count."""
    found = ([], [])
    for number in range(rounds + 2):
        for times, function in zip(found, (one, other)):
            began = time.perf_counter()
            function()
            if number > 1:
                times.append(1e3 * (time.perf_counter() - began))
    return found


def report(name, one, other, rounds):
    before, after = turns(one, other, rounds)
    ratio = statistics.median(b / a for a, b in zip(before, after))
    loops, at_once = statistics.median(before), statistics.median(after)
    print(f"{name:42s} loop {loops:7.2f} ms   at once {at_once:7.2f} ms   ratio {ratio:5.2f}", flush=True)


_KINDS = (("normals", tf.random.stateless_normal, random.normal_rows),
          ("uniforms", tf.random.stateless_uniform, random.uniform_rows))


def measure_draws(rounds):
    for batch, size in _SIZES:
        seeds = random.rows(random.seed(batch), batch)
        for kind, stateless, by_rows in _KINDS:
            pair = loop(stateless, size), functools.partial(by_rows, shape=[size])
            report(f"{batch} x {size} {kind}", *(functools.partial(draw, seeds) for draw in pair), rounds)
            served = [functools.partial(exported(draw), seeds) for draw in pair]
            report(f"{batch} x {size} {kind}, SavedModel", *served, rounds)


def measure_seeds(rounds):
    one, num = random.seed(0), 1000
    many = random.rows(one, num)
    normals = loop(tf.random.stateless_normal, 10)

    @tf.function
    def loop_index():
        return tf.map_fn(functools.partial(tf.random.fold_in, one), tf.range(num), fn_output_signature=_SEED)

    @tf.function
    def both_in_a_loop():
        return normals(loop_index())

    @tf.function
    def both_at_once():
        return random.normal_rows(random.rows(one, num), [10])

    report(f"{num} seeds of one", loop_index, functools.partial(random.rows, one, num), rounds)
    folds = functools.partial(loop_seeds, many, tf.constant(3)), functools.partial(random.fold_in_rows, many, 3)
    report(f"{num} seeds, each folded", *folds, rounds)
    report(f"{num} x 10 normals with their seeds", both_in_a_loop, both_at_once, rounds)


def measure_samples(rounds):
    keras.utils.set_random_seed(0)
    model, num = zoo.create("real_nvp"), 1000
    index = random.rows(random.seed(0), num)
    normals = loop(tf.random.stateless_normal, model.size)

    @tf.function
    def in_a_loop():
        return model.decode(normals(index))

    @tf.function
    def at_once():
        return model.sample(index)

    report(f"{num} samples of real_nvp", in_a_loop, at_once, rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    measure_seeds(rounds)
    measure_samples(rounds)
    measure_draws(rounds)


if __name__ == "__main__":
    main()
