"""Measures a trained model: python -m trainers.evaluate --workdir=DIR writes DIR/results.json, each number with its
protocol.

What is measured follows from what the model can do: an exact likelihood, or the bounds that it has (a bound is marked
as one), how far its samples are from test examples (energy distance), or its reconstructions where it can't be sampled,
and, where a data set's modes are known, how many of them its samples cover.
"""

import os
import sys

from absl import flags

from trainers import cli
from trainers.errors import BadInput

_BESIDES = ("ais",)
_ANNEALING = ("ais_steps", "ais_chains", "ais_examples")
_FEWEST = 3  # examples of which an energy distance has a standard error


def define(options):
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=options)
    flags.DEFINE_string("split", "test", "Split to evaluate on.", flag_values=options)
    flags.DEFINE_integer("importance_samples", None,
                         "Samples per example of the importance-weighted bound; the recipe's if not given, 5,000 "
                         "unless it says fewer. The time is in proportion.", flag_values=options)
    flags.DEFINE_list("metrics", [], "What is measured besides what always is: ais, annealed importance sampling of "
                                     "log p(x) of a model with latents.",
                      flag_values=options)
    flags.DEFINE_integer("ais_steps", 1000, "Distributions between the prior and the posterior, of --metrics=ais.",
                         flag_values=options)
    flags.DEFINE_integer("ais_chains", 10, "Chains of an example, of --metrics=ais.", flag_values=options)
    flags.DEFINE_integer("ais_examples", 100, "How many of the first examples --metrics=ais is measured on.",
                         flag_values=options)
    flags.DEFINE_integer("num_examples", None, "Evaluate on the first so many examples; all if not given.",
                         flag_values=options)
    flags.DEFINE_integer("batch_size", 100, "Examples in memory at once.", flag_values=options)
    flags.DEFINE_integer("seed", 0, "Seed of the evaluation's own noise.", flag_values=options)
    flags.DEFINE_string("data_dir", None, "Folder with the prepared data sets; the run's own if not given.",
                        flag_values=options)
    flags.DEFINE_string("publish", None, "Folder, such as results, into which to write the numbers, too, as its file "
                                         "MODEL/DATASET[-VARIANT].json.", flag_values=options)


def main(options):
    """Measures the run and writes its records. Raises BadInput for flags that do not fit it or one another."""
    from trainers.runs import records
    from trainers.runs.run import load

    _check(options)
    run = load(options.workdir)
    evaluation, whole = _evaluation(options, run)
    numbers = _numbers(options, evaluation)
    line = records.command_line("zoo-evaluate", options)
    if run.description.get("command"):
        line = f"{run.description['command']} && {line}"
    found = [records.make(run, options.split, number.metric, number.estimate.value, number.unit, number.kind,
                          number.estimate.stderr, evaluation.protocol | number.protocol, line, whole)
             for number in numbers]
    records.write_results(run.workdir.results, found)
    print(f"\n{run.description['model']} on {run.description['dataset']}, {options.split} split, step "
          f"{run.step}\n{report(found)}\n{run.workdir.results}")
    for path in records.publish(found, options.publish) if options.publish else []:
        print(path)


def _check(options):
    """Raises BadInput for flags that are wrong whatever the run is."""
    if options.workdir is None:
        raise BadInput("--workdir is needed: the folder of a run, as zoo-train makes it.")
    unknown = sorted(set(options.metrics) - set(_BESIDES))
    if unknown:
        from zoo import nearest

        raise BadInput(f"--metrics={','.join(options.metrics)}: {unknown[0]} is unknown; "
                       f"{nearest(unknown[0], _BESIDES)}")
    for name in _ANNEALING:
        if options[name].present and "ais" not in options.metrics:
            raise BadInput(f"--{name}: goes with --metrics=ais.")
    for name in ("importance_samples", "num_examples", "batch_size", *_ANNEALING):
        if options[name].value is not None:
            cli.positive(options, name)
    if options.publish:
        _check_publish(options)


def _check_publish(options):
    """Raises BadInput for a folder that can't be published to, or numbers that should not be."""
    if os.path.exists(options.publish) and not os.path.isdir(options.publish):
        raise BadInput(f"--publish={options.publish}: is a file, not a folder.")
    if not os.path.isdir(os.path.dirname(os.path.abspath(options.publish))):
        raise BadInput(f"--publish={options.publish}: no such folder as {os.path.dirname(options.publish)}.")
    if options.num_examples or options.split != "test":
        raise BadInput("--publish: takes numbers on the whole test split, without --num_examples or another --split.")


def _evaluation(options, run):
    """Makes (the evaluation that the flags ask for, whether it is of the whole split)."""
    from trainers.data import num_examples
    from trainers.evaluation.evaluation import Evaluation
    from trainers.runs.examples import dataset_of
    from zoo import nearest
    from zoo.capabilities import ImportanceWeighted

    if options.importance_samples and not isinstance(run.model, ImportanceWeighted):
        raise BadInput(f"--importance_samples: model {run.description['model']!r} has no importance-weighted bound.")
    dataset = dataset_of(run, options.data_dir)
    available = dataset.sizes.get(options.split, 0) and num_examples(dataset, options.split, run.model.domain)
    if not available:
        raise BadInput(f"--split: {dataset.name} has no split {options.split!r}; "
                       f"{nearest(options.split, [s for s, n in dataset.sizes.items() if n])}")
    num = options.num_examples or available
    if not _FEWEST <= num <= available:
        raise BadInput(f"--num_examples must be between {_FEWEST} and the {available} of {dataset.name}'s "
                       f"{options.split} split, found {num}.")
    importance_samples = options.importance_samples or run.config.evaluation.importance_samples
    return Evaluation(run, dataset, options.split, num, options.batch_size, options.seed,
                      importance_samples), num == available


def _numbers(options, evaluation):
    """Measures what is always measured, and what the flags ask for besides."""
    from trainers.evaluation import annealing, registry

    besides = []  # first: what a model can't do is said before anything takes long
    if "ais" in options.metrics:
        num = min(evaluation.num, options.ais_examples)
        besides = annealing.measure(evaluation, options.ais_steps, options.ais_chains, num)
    return registry.everything(evaluation) + besides


def report(found):
    """Puts the records into an aligned table."""
    from trainers.runs import records

    rows = [(r["metric"], records.text(r), r["unit"], r["kind"].replace("_", " "),
             f"{r['published']['value']:g}" if r["published"] else "-") for r in found]
    return records.table(rows, ("metric", "value", "unit", "kind", "published"))


def run(argv=None):
    """Runs the program; returns its exit code."""
    return cli.execute(define, main, argv)


if __name__ == "__main__":
    sys.exit(run())
