"""The importance-weighted bound of many samples against a plain loop over them: the same network, data and number of
samples, in one run.

    python -m benchmarks.bound [--samples=5000] [--images=10000] [--readme=README.md]

The loop is the textbook's: one compiled call of encoder and decoder a sample, the log-weights collected. As it takes
long, it is timed on so many of the samples, and multiplied. Peak memory is that of the whole process after our side,
libraries included.
"""

import argparse
import resource
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

import zoo
from benchmarks import command
from zoo import random

_BATCH = 100  # as zoo-evaluate has it
_LOOPED = 50  # samples of the loop that are run


def looped(model):
    """The function (x, seeds, samples) -> the bound, [batch], a sample at a time."""
    @tf.function(reduce_retracing=True)
    def weight(x, seeds):
        z, log_q = model.approximate(x)(random.normal_rows(seeds, [model.noise_size]))
        return model.likelihood(z).log_prob(x) + model.log_prior(z) - log_q

    def bound(x, seeds, samples):
        weights = np.stack([weight(x, random.fold_in_rows(seeds, k)).numpy() for k in range(samples)])
        return np.log(np.mean(np.exp(weights - weights.max(0)), 0)) + weights.max(0)

    return bound


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--images", type=int, default=10_000,
                        help="whose bound takes the seconds that are quoted; a batch of 100 is timed")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = command.placed(parser).parse_args()
    command.check_place(parser, arguments, "bound")
    keras.utils.set_random_seed(0)
    model = zoo.create("vae", shape=(28, 28, 1), latent_size=50, hidden=(200, 200))
    x = tf.cast(tf.random.stateless_uniform([_BATCH, 28, 28, 1], [0, 1]) < 0.2, tf.float32)
    seeds = random.rows(random.seed(0), _BATCH)
    ours = tf.function(lambda x, seeds: model.log_prob(x, seeds, num_samples=arguments.samples))
    few = tf.function(lambda x, seeds: model.log_prob(x, seeds, num_samples=_LOOPED))
    ours(x, seeds), few(x, seeds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    loop = looped(model)
    difference = abs(float(np.mean(few(x, seeds)) - np.mean(loop(x, seeds, _LOOPED))))
    mine, theirs = [], []
    for _ in range(arguments.rounds):
        mine.append(seconds(lambda: ours(x, seeds).numpy()))
        theirs.append(seconds(lambda: loop(x, seeds, _LOOPED)) * arguments.samples / _LOOPED)
    ratios = sorted(b / a for a, b in zip(mine, theirs))
    batches = arguments.images / _BATCH
    table = "\n".join([f"| {arguments.samples:,} samples of {arguments.images:,} images, dense VAE | seconds | ratio "
                       "(lowest-highest) | peak GiB |", "|---|---|---|---|",
                       f"| `log_prob` | {statistics.median(mine) * batches:.0f} | **{statistics.median(ratios):.1f}** "
                       f"({ratios[0]:.1f}-{ratios[-1]:.1f}) | {peak:.2f} |",
                       f"| a loop over samples | {statistics.median(theirs) * batches:.0f} | 1 | |"])
    print(table)
    print(f"mean bounds of {_LOOPED} samples differ by {difference:.2f} nats (other noise)")
    command.publish(arguments, "bound", table)


if __name__ == "__main__":
    main()
