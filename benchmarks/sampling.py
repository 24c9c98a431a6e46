"""Cached against naive sampling of PixelCNN: both compiled without XLA, on the same noise, in one run.

The naive sampler evaluates the network on the whole images once for every pixel and channel.

    python -m benchmarks.sampling --rows 16 --blocks 15 --channels 32
"""

import argparse
import json
import statistics
import time

import tensorflow as tf

import zoo
from benchmarks.naive import naive_sample
from zoo import random


def seconds(function):
    start = time.perf_counter()
    function().numpy()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description="Cached against naive sampling of PixelCNN.")
    parser.add_argument("--rows", type=int, default=16, help="images drawn at once")
    parser.add_argument("--shape", type=int, nargs=3, default=(28, 28, 1), help="height, width and channels of an image")
    parser.add_argument("--levels", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--channels", type=int, default=32, help="features between blocks, 2h")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each; the cached sampler runs ten times as often")
    arguments = parser.parse_args()
    model = zoo.create("pixel_cnn", shape=tuple(arguments.shape), levels=arguments.levels, blocks=arguments.blocks, channels=arguments.channels)
    seeds = random.rows(random.seed(0), arguments.rows)
    sample = tf.function(model.sample)
    # Noise is part of both.
    naive = tf.function(lambda seeds: naive_sample(model, model.noise(seeds)))
    differing = int(tf.math.count_nonzero(sample(seeds) != naive(seeds)))
    cached, slow = [], []
    for _ in range(arguments.repeats):  # in turns: what else the machine does meets both
        slow.append(seconds(lambda: naive(seeds)))
        cached += [seconds(lambda: sample(seeds)) for _ in range(10)]
    fast, slow = statistics.median(cached), statistics.median(slow)
    print(json.dumps(dict(**vars(arguments), cached_seconds=fast, naive_seconds=slow, ratio=slow / fast, differing_pixels=differing)))


if __name__ == "__main__":
    main()
