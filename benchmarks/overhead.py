"""What the trainer costs: the dense VAE at batch 128 by the engine with its input pipeline and reports, against a bare
compiled step on one batch that is already there. The two take turns; the median ratio of their rates is what counts.

    python -m benchmarks.overhead --data_dir=DIR    (mnist; without --data_dir, digits)
"""

import argparse
import pathlib
import statistics
import tempfile
import time

import keras
import tensorflow as tf

from trainers.data import open_dataset, training_batches
from trainers.runs import config as configs
from trainers.runs.workdir import Workdir
from trainers.training import strategies
from trainers.training.engine import Engine
from trainers.training.reporting import Reporter
from zoo import random
from zoo.training.game import losses_and_gradients


def bare_step(config, shape, batch):
    """A training step as a notebook would write it: one compiled function, one batch, nothing else."""
    model = configs.make_model("vae", config, shape)
    player, = model.players()
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(list(player.weights))

    @tf.function
    def step(number):
        terms, gradients = losses_and_gradients(player, batch, random.fold_in(random.seed(0), number))
        optimizer.apply(gradients, list(player.weights))
        return tf.reduce_mean(tf.add_n(list(terms.values())))

    return step


def measure(data_dir, steps, rounds, batch_size):
    dataset = open_dataset("mnist" if data_dir else "digits", data_dir)
    config = configs.default("vae", "mnist")
    config.schedule.name = "constant"
    engine = Engine(lambda: configs.make_model("vae", config, dataset.shape), config, strategies.make("one_device"),
                    seed=0)
    batches = training_batches(dataset, engine.model.domain, batch_size, 0, config.data)
    iterator = iter(batches)
    bare = bare_step(config, dataset.shape, next(iterator))
    with tempfile.TemporaryDirectory() as folder:
        reporter = Reporter(Workdir(pathlib.Path(folder)), 0, 2 * steps * rounds, batch_size, every=100)
        done, rates = 0, {"bare": [], "trainer": []}
        engine.advance(iterator, 2), bare(tf.constant(0))
        for _ in range(rounds):
            began = time.perf_counter()
            for number in range(steps):
                loss = bare(tf.constant(number))
            float(loss)
            rates["bare"].append(steps * batch_size / (time.perf_counter() - began))
            began = time.perf_counter()
            for _ in range(steps // 100):
                means, _ = engine.advance(iterator, 100)
                done += 100
                reporter.add(done, means)
            rates["trainer"].append(steps * batch_size / (time.perf_counter() - began))
        reporter.close()
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir")
    parser.add_argument("--steps", type=int, default=500, help="of each turn, a multiple of 100")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch_size", type=int, default=128)
    options = parser.parse_args()
    rates = measure(options.data_dir, options.steps, options.rounds, options.batch_size)
    for name, values in rates.items():
        print(f"{name:8s} median {statistics.median(values):8.0f} examples/s  (min {min(values):.0f}, max "
              f"{max(values):.0f})")
    ratios = [b / a for a, b in zip(rates["bare"], rates["trainer"])]
    print(f"ratio    median {statistics.median(ratios):.3f}  (min {min(ratios):.3f}, max {max(ratios):.3f})")


if __name__ == "__main__":
    main()
