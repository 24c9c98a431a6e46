"""Numbers of runs that differ in their seeds alone, beside each other: means, standard deviations and differences.

    python -m benchmarks.spread beta_vae=runs/b4-0,runs/b4-1,... vae=runs/b1-0,... --metrics=mig,sap [--out=FILE]
    [--readme=README.md]

Each folder is a run of `zoo-train` that `zoo-evaluate` has seen. Those of a group must have the same model, data and
recipe, each another seed; all groups the same data and steps. The last column is the first group's mean less the
last's, and its standard error from the two spreads.
"""

import argparse
import json
import math
import pathlib
import statistics

from benchmarks import command


def load(folder):
    """(seed, what a group has in common, what all groups have in common, {metric: value}) of a run; ValueError if it
    was not evaluated."""
    try:
        stored = json.loads((folder / "config.json").read_text())
        results = json.loads((folder / "results.json").read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is no run that zoo-evaluate has seen: {error}.") from None
    config = stored["config"]
    return stored["seed"], (stored["model"], config), (stored["dataset"],
                                                       results[0]["steps"]), {r["metric"]: r["value"] for r in results
                                                                              if r["split"] == "test"}


def gather(group, metrics):
    """(name, what all groups have in common, {metric: values}) of `NAME=FOLDER,FOLDER,...`; ValueError if its runs
    differ in more than their seeds."""
    name, _, folders = group.partition("=")
    runs = [load(pathlib.Path(folder)) for folder in folders.split(",") if folder]
    if len(runs) < 2:
        raise ValueError(f"{group!r} must be NAME=FOLDER,FOLDER,... with two runs or more.")
    seeds, configs, common, values = zip(*runs)
    if len(set(seeds)) < len(seeds) or any(config != configs[0] for config in configs) or len(set(common)) > 1:
        raise ValueError(f"the runs of {name} must differ in their seeds and in nothing else, found seeds "
                         f"{', '.join(map(str, seeds))}.")
    if missing := [metric for metric in metrics if any(metric not in run for run in values)]:
        raise ValueError(f"the runs of {name} have no {', '.join(missing)} in their results.json.")
    return name, common[0], {metric: [run[metric] for run in values] for metric in metrics}


def difference(first, last):
    """The means' difference and its standard error."""
    return statistics.mean(first) - statistics.mean(last), math.sqrt(
        statistics.variance(first) / len(first) + statistics.variance(last) / len(last)
    )


def table(groups, metrics):
    """Markdown: a row for each metric, a column for each group."""
    (first, (dataset, steps), _), (last, _, _) = groups[0], groups[-1]
    lines = [f"| {dataset}, {steps:,} steps | "
             f"{' | '.join(f'{name} ({len(values[metrics[0]])} seeds)' for name, _, values in groups)} | {first} - "
             f"{last} |",
             "|---" * (len(groups) + 2) + "|"]
    for metric in metrics:
        cells = [f"{statistics.mean(values[metric]):.3f} ± {statistics.stdev(values[metric]):.3f}" for _, _,
                 values in groups]
        change, error = difference(groups[0][2][metric], groups[-1][2][metric])
        lines.append(f"| {metric.replace('_', ' ')} | {' | '.join(cells)} | {change:+.3f} ± {error:.3f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("groups", nargs="+", help="NAME=FOLDER,FOLDER,...")
    parser.add_argument("--metrics", required=True, help="names of results.json, parted by commas")
    arguments = command.placed(parser).parse_args()
    command.check_place(parser, arguments, "spread")
    metrics = arguments.metrics.split(",")
    try:
        groups = [gather(group, metrics) for group in arguments.groups]
        if len(groups) < 2 or len({common for _, common, _ in groups}) > 1:
            raise ValueError("two groups or more of the same data set and steps are needed.")
    except ValueError as error:
        parser.error(str(error))
    found = table(groups, metrics)
    print(found)
    command.publish(arguments, "spread", found)


if __name__ == "__main__":
    main()
