"""Writes a run's SavedModel, or checks one: python -m trainers.export --workdir=DIR, or --check=DIR.

The next free version folder below DIR/export is written; --check loads a version (or the newest below DIR) in a process without
TensorFlow's Python and without the zoo, through the loader and session that TensorFlow Serving uses, and runs every signature.
"""

import json
import pathlib
import sys

from absl import flags

from trainers import command
from trainers.errors import BadInput


def define(options):
    flags.DEFINE_string("workdir", None, "Folder of the run to export.", flag_values=options)
    flags.DEFINE_integer("importance_samples", 100, "Importance samples of the exported log_prob, where the model has such a bound.",
                         flag_values=options)
    flags.DEFINE_string("check", None, "Check this exported folder (a version, or the newest version below it) and write nothing.",
                        flag_values=options)


def versions(folder):
    """The version folders below `folder`, oldest first."""
    folder = pathlib.Path(folder)
    return sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name)) if folder.is_dir() else []


def exported_step(folder):
    """The step of the newest version below `folder`, or None."""
    made = versions(folder)
    return json.loads((made[-1] / "assets.extra" / "card.json").read_text())["protocol"].get("step") if made else None


def export_run(model, workdir, description, step, importance_samples=100, log=print):
    """Exports the model of a run as the next version; returns its folder."""
    from zoo.export import export

    protocol = description["data"] | {"step": step, "seed": description["seed"], "command": description["command"]}
    return export(model, workdir.export, importance_samples=importance_samples, protocol=protocol, log=log)


def main(options):
    if bool(options.check) == bool(options.workdir):
        raise BadInput("--workdir=DIR or --check=DIR: one of the two is needed.")
    if options.check:
        return check(options.check)
    command.positive(options, "importance_samples")
    from trainers import run as runs
    from trainers.workdir import storage_errors

    run = runs.load(options.workdir)
    with storage_errors(options.workdir):
        print(export_run(run.model, run.workdir, run.description, run.step, options.importance_samples))


def check(folder):
    """Checks a version, or the newest below `folder`; prints a line per signature, and returns the exit code."""
    from trainers import serving_check

    try:
        print(serving_check.check(folder))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if "is no export of ours" in str(error) else 1
    return 0


def run(argv=None):
    """The program; returns its exit code."""
    return command.execute(define, main, argv)


if __name__ == "__main__":
    sys.exit(run())
