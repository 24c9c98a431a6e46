"""Training throughput beside the peers, each model in a process of its own, the two sides in turns in one run.

    python -m benchmarks.training [NAME ...]                   a table on the screen
    python -m benchmarks.training --out=benchmarks/TRAINING.md --readme=README.md    and into files

A step is the loss, its gradient and Adam on one batch of random data that is already there; with --jit, as in
`zoo-train --jit`, loss and gradient are compiled by XLA. What is quoted is the median step, its ratio in every round,
and the peak memory of the whole process, libraries included.
"""

import functools
import json
import math
import resource
import statistics
import time

from benchmarks import command
from benchmarks.shapes import SHAPES


def ours(name, seconds):
    """Trains the zoo's model for some seconds in this process; prints a line of JSON."""
    import keras
    import tensorflow as tf

    import zoo
    from tests.support import cases
    from zoo import random
    from zoo.layers import following
    from zoo.training import adam
    from zoo.training.game import measure

    shape = SHAPES[name]
    keras.utils.set_random_seed(0)
    model = zoo.create(shape.model or name, **shape.arguments)
    players = [player for player in model.players() if player.moves_at(0)]
    optimizers = [adam.Adam(1e-3) for _ in players]
    for player, optimizer in zip(players, optimizers):
        optimizer.build(list(player.weights))
    batch = cases.batch(model, shape.batch)

    def gradients(player, number):
        terms, found, values = measure(player, batch, random.fold_in(random.seed(0), number), number)
        return tf.reduce_mean(tf.add_n(list(terms.values()))), found, values

    compiled = [tf.function(functools.partial(gradients, player), jit_compile=shape.jit or None) for player in players]

    @tf.function
    def step(number):
        for player, optimizer, its_gradients in zip(players, optimizers, compiled):
            value, found, values = its_gradients(number)
            optimizer.apply(found, list(player.weights))
            following.assign(following.followed(player.follows), values)
        return value

    number = 0
    for number in range(2):
        step(tf.constant(number)).numpy()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < seconds or len(times) < 3:
        start, number = time.perf_counter(), number + 1
        step(tf.constant(number)).numpy()
        times.append(time.perf_counter() - start)
    print(json.dumps(dict(seconds=statistics.median(times), steps=len(times),
                          weights=sum(math.prod(w.shape) for player in players for w in player.weights),
                          peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))


def compare(name, seconds, rounds):
    """A row of the table: both sides' medians over the rounds, and the median of the rounds' ratios."""
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(command.process("benchmarks.training", "--ours", name, f"--seconds={seconds}"))
        theirs.append(command.process("benchmarks.twins", name, seconds))
    ratios = sorted(b["seconds"] / a["seconds"] for a, b in zip(mine, theirs))
    batch = SHAPES[name].batch

    def rate(found):
        return batch / statistics.median(run["seconds"] for run in found)

    return dict(model=name + (", --jit" if SHAPES[name].jit else ""), batch=batch, peer=SHAPES[name].peer,
                examples_per_second=rate(mine), peer_examples_per_second=rate(theirs), ratio=statistics.median(ratios),
                ratios=ratios, bar=SHAPES[name].bar, weights=mine[0]["weights"], peer_weights=theirs[0]["weights"],
                peak_mib=max(run["peak_mib"] for run in mine), peer_peak_mib=max(run["peak_mib"] for run in theirs))


def table(rows):
    lines = ["| model | batch | examples/s | peer | its examples/s | ratio (lowest-highest) | bar | weights, its | "
             "peak MiB, its |",
             "|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        lines.append(f"| `{r['model']}` | {r['batch']} | {r['examples_per_second']:.4g} | {r['peer']} | "
                     f"{r['peer_examples_per_second']:.4g} | "
                     f"**{r['ratio']:.2f}** ({r['ratios'][0]:.2f}-{r['ratios'][-1]:.2f}) | {r['bar']:g} | "
                     f"{r['weights']:,}, {r['peer_weights']:,} | "
                     f"{r['peak_mib']:.0f}, {r['peer_peak_mib']:.0f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = command.parser("Training throughput beside the peers.", SHAPES)
    parser.add_argument("--seconds", type=float, default=10.0, help="of training in each process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ours", action="store_true",
                        help="measure our side of one model in this process (what the others start)")
    arguments = parser.parse_args()
    names = command.chosen(parser, arguments, "training")
    if arguments.ours:
        return ours(names[0], arguments.seconds)
    rows = []
    for name in names:
        rows.append(compare(name, arguments.seconds, arguments.rounds))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    command.publish(arguments, "training", table(rows))


if __name__ == "__main__":
    main()
