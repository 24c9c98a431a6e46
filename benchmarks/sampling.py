"""Cached against naive sampling: both compiled without XLA, on the same noise, in one run.

    python -m benchmarks.sampling [NAME ...] [--out=benchmarks/SAMPLING.md] [--readme=README.md]

The naive sampler evaluates the whole network once for every place (and channel). Where that takes minutes, so many steps of it are timed and the rest
is a multiplication; the table says so. WaveNet's is given a window of the receptive field, not the whole sound.
"""

import math
import statistics
import time

import keras
import tensorflow as tf

import zoo
from benchmarks import command
from benchmarks.naive import naive_sample
from zoo import random

# What is drawn: the model's arguments, the ratio to reach, and what the naive side has in the place of its own shape.
_IMAGE = dict(shape=(28, 28, 1))
CASES = {
    "fvsbn": (_IMAGE, None, {}),
    "nade": (_IMAGE | dict(hidden=500), None, {}),
    "made": (_IMAGE | dict(hidden=(500,)), None, {}),
    "pixel_cnn": (_IMAGE, 100, {}),
    "gated_pixel_cnn": (_IMAGE, 100, {}),
    "row_lstm": (_IMAGE, None, {}),
    "diagonal_bilstm": (_IMAGE, None, {}),
    "pixel_cnn_pp": (dict(shape=(32, 32, 3), levels=256), 100, {}),
    "pixel_snail": (_IMAGE, 100, {}),
    "image_gpt": (_IMAGE, 100, {}),
    "wavenet": (dict(shape=(8000,)), 100, dict(shape=(1024,))),
    "gpt": (dict(shape=(256,), levels=65), 10, {}),
}
_AT_MOST = 20.0  # seconds of the naive sampler that are run whole


def seconds(function):
    start = time.perf_counter()
    tf.nest.flatten(function())[0].numpy()
    return time.perf_counter() - start


def compare(name, rows, repeats):
    """A row of the table."""
    arguments, bar, window = CASES[name]
    keras.utils.set_random_seed(0)
    model = zoo.create(name, **arguments)
    textbook = model
    if window:
        textbook = zoo.create(name, **(arguments | window))
        textbook.set_weights(model.get_weights())
    seeds = random.rows(random.seed(0), rows)
    steps = math.prod(model.domain.places) * model.passes
    sample = tf.function(model.sample)
    naive = tf.function(lambda number: naive_sample(textbook, textbook.noise(seeds), steps=number))
    drawn = sample(seeds)
    naive(tf.constant(1))
    few = max(2, min(steps, math.prod(textbook.domain.places), 8))
    each = seconds(lambda: naive(tf.constant(few))) / few
    whole = not window and each * steps < _AT_MOST
    if not whole:
        few = max(few, min(steps, int(5.0 / each)))
    differing = int(tf.math.count_nonzero(drawn != naive(tf.constant(steps)))) if whole else None
    fast, slow = [], []
    for _ in range(repeats):  # in turns: what else the machine does meets both
        slow.append(seconds(lambda: naive(tf.constant(steps if whole else few))) * (1 if whole else steps / few))
        fast += [seconds(lambda: sample(seeds)) for _ in range(3)]
    fast, slow = statistics.median(fast), statistics.median(slow)
    return dict(model=name, rows=rows, shape=arguments["shape"], weights=model.count_params(), cached_seconds=fast, naive_seconds=slow, ratio=slow / fast,
                bar=bar, naive="whole" if whole else f"{few} of {steps} steps", differing=differing)


def table(rows):
    lines = ["| model | drawn | weights | cached, s | naive, s | ratio | bar | naive run | entries that differ |", "|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        lines.append(f"| `{r['model']}` | {r['rows']} x {'x'.join(map(str, r['shape']))} | {r['weights']:,} | {r['cached_seconds']:.3g} | "
                     f"{r['naive_seconds']:.3g} | **{r['ratio']:.0f}** | {r['bar'] or ''} | {r['naive']} | {'' if r['differing'] is None else r['differing']} |")
    return "\n".join(lines) + "\n"


def main():
    parser = command.parser("Cached against naive sampling.", CASES)
    parser.add_argument("--rows", type=int, default=16, help="examples drawn at once")
    parser.add_argument("--repeats", type=int, default=3, help="runs of the naive sampler; the cached one runs three times as often")
    arguments = parser.parse_args()
    rows = []
    for name in command.chosen(parser, arguments, "sampling"):
        rows.append(compare(name, arguments.rows, arguments.repeats))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    command.publish(arguments, "sampling", table(rows))


if __name__ == "__main__":
    main()
