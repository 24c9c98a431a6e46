"""Cached against naive sampling: both compiled without XLA, on the same noise, in one run.

    python -m benchmarks.sampling [NAME ...] [--out=benchmarks/SAMPLING.md] [--readme=README.md]

The naive sampler evaluates the whole network once for every place (and channel). Where that takes minutes, so many
steps of it are timed and the rest is a multiplication; the table says so. WaveNet's is given a window of the receptive
field, not the whole sound. Each side runs in a process of its own, with one thread and with as many as there are cores,
in turns, and the faster of the two counts: small operations are slower with several, large ones faster.
"""

import json
import math
import os
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf

import zoo
from benchmarks import command
from benchmarks.naive import naive_sample
from trainers import recipes
from zoo import random

_IMAGE = dict(shape=(28, 28, 1))


def _recipe(model, dataset):
    return _IMAGE | recipes.find(model, dataset).arguments


# What is drawn: the model's arguments, the ratio to reach, and what the naive side has in the place of its own shape. A
# name may say which size.
CASES = {
    "fvsbn": (_IMAGE, None, {}),
    "nade": (_IMAGE | dict(hidden=500), None, {}),
    "made": (_IMAGE | dict(hidden=(500,)), None, {}),
    "pixel_cnn": (_IMAGE, 100, {}),
    "pixel_cnn/recipe": (_recipe("pixel_cnn", "binarized_mnist"), 100, {}),
    "gated_pixel_cnn": (_IMAGE, 100, {}),
    "gated_pixel_cnn/recipe": (_recipe("gated_pixel_cnn", "mnist"), 100, {}),
    "row_lstm": (_IMAGE, None, {}),
    "diagonal_bilstm": (_IMAGE, None, {}),
    "pixel_cnn_pp": (dict(shape=(32, 32, 3), levels=256), 100, {}),
    "pixel_snail": (_IMAGE, 100, {}),
    "pixel_snail/recipe": (_recipe("pixel_snail", "mnist"), 100, {}),
    "image_gpt": (_IMAGE, 100, {}),  # which is its recipe for MNIST
    "image_gpt/any": (_recipe("image_gpt", recipes.ANY) | dict(levels=2), 100, {}),
    "wavenet": (dict(shape=(8000,)), 100, dict(shape=(1024,))),
    "gpt": (dict(shape=(256,), levels=65), 10, {}),
}
_AT_MOST = 20.0  # seconds of the naive sampler that are run whole


def seconds(function):
    start = time.perf_counter()
    tf.nest.flatten(function())[0].numpy()
    return time.perf_counter() - start


def one_side(name, side, rows, threads, drawn):
    """Measures a side in this process and prints what it found; writes what it drew to the file `drawn`, if that is all
    of it."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    arguments, _, window = CASES[name]
    keras.utils.set_random_seed(0)
    model = zoo.create(name.split("/")[0], **arguments)
    seeds = random.rows(random.seed(0), rows)
    steps = run = math.prod(model.domain.places) * model.passes
    if side == "cached":
        sample = tf.function(lambda: model.sample(seeds))
        sample()
        found = statistics.median(seconds(sample) for _ in range(3))
    else:
        textbook = model
        if window:
            textbook = zoo.create(name.split("/")[0], **(arguments | window))
            textbook.set_weights(model.get_weights())
        noise = textbook.noise(seeds)
        sample = tf.function(lambda number: naive_sample(textbook, noise, steps=number))
        sample(tf.constant(1))
        few = max(2, min(steps, math.prod(textbook.domain.places), 8))
        each = seconds(lambda: sample(tf.constant(few))) / few
        run = steps if not window and each * steps < _AT_MOST else max(few, min(steps, int(5.0 / each)))
        found = seconds(lambda: sample(tf.constant(run))) * steps / run
    if run == steps:
        np.save(drawn, sample() if side == "cached" else sample(tf.constant(steps)))
    print(json.dumps(dict(seconds=found, threads=threads, steps=steps, run=run, weights=model.count_params())))


def compare(name, rows, repeats):
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        files = {side: pathlib.Path(folder, f"{side}.npy") for side in ("naive", "cached")}
        runs = {(side, threads): [] for side in files for threads in sorted({1, os.cpu_count()})}
        for _ in range(repeats):  # in turns: what else the machine does meets both
            for (side, threads), found in runs.items():
                found.append(command.process("benchmarks.sampling", name, f"--side={side}", f"--rows={rows}",
                                             f"--threads={threads}", f"--drawn={files[side]}"))
        whole = all(file.exists() for file in files.values())
        differing = int(np.count_nonzero(np.load(files["naive"]) != np.load(files["cached"]))) if whole else None
    best = {}
    for (side, threads), found in runs.items():
        median = statistics.median(run["seconds"] for run in found)
        best[side] = min(best.get(side, (math.inf, 0)), (median, threads))
    (naive, naive_threads), (cached, cached_threads) = best["naive"], best["cached"]
    last = runs["naive", naive_threads][-1]
    return dict(model=name, rows=rows, shape=CASES[name][0]["shape"], weights=last["weights"], cached_seconds=cached,
                cached_threads=cached_threads, naive_seconds=naive, naive_threads=naive_threads, ratio=naive / cached,
                bar=CASES[name][1], naive="whole" if last["run"] == last["steps"]
                else f"{last['run']} of {last['steps']} steps", differing=differing)


def table(rows):
    lines = ["| model | drawn | weights | cached, s (threads) | naive, s (threads) | ratio | bar | naive run | entries "
             "that differ |", "|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        lines.append(f"| `{r['model']}` | {r['rows']} x {'x'.join(map(str, r['shape']))} | {r['weights']:,} | "
                     f"{r['cached_seconds']:.3g} ({r['cached_threads']}) | "
                     f"{r['naive_seconds']:.3g} ({r['naive_threads']}) | **{r['ratio']:.0f}** | {r['bar'] or ''} | "
                     f"{r['naive']} | {'' if r['differing'] is None else r['differing']} |")
    return "\n".join(lines) + "\n"


def main():
    parser = command.parser("Cached against naive sampling.", CASES)
    parser.add_argument("--rows", type=int, default=16, help="examples drawn at once")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each side and number of threads")
    parser.add_argument("--side", choices=["cached", "naive"],
                        help="measure one side of one model in this process (what the others start)")
    parser.add_argument("--threads", type=int, default=1, help="of that side")
    parser.add_argument("--drawn", help="file for what that side draws")
    arguments = parser.parse_args()
    names = command.chosen(parser, arguments, "sampling")
    if arguments.side:
        return one_side(names[0], arguments.side, arguments.rows, arguments.threads, arguments.drawn)
    rows = []
    for name in names:
        rows.append(compare(name, arguments.rows, arguments.repeats))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    command.publish(arguments, "sampling", table(rows))


if __name__ == "__main__":
    main()
