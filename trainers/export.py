"""Writes a run's SavedModel, or checks one: python -m trainers.export --workdir=DIR, or --check=DIR.

The next free version folder below DIR/export is written; --check loads a version (or the newest below DIR) in a process
without TensorFlow's Python and without the zoo, through the loader and session that TensorFlow Serving uses, and runs
every signature.
"""

import contextlib
import json
import pathlib
import sys

from absl import flags

from trainers import cli
from trainers.errors import BadInput

_SAMPLES = 100


def define(options):
    flags.DEFINE_string("workdir", None, "Folder of the run to export.", flag_values=options)
    flags.DEFINE_integer("importance_samples", None, "Importance samples of the exported log_prob, where it is such a "
                                                     f"bound; {_SAMPLES} if not given.",
                         flag_values=options)
    flags.DEFINE_string("check", None,
                        "Check this exported folder (a version, or the newest version below it) and write nothing.",
                        flag_values=options)


def versions(folder):
    """Lists the version folders below `folder`, oldest first."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))


def exported_step(folder):
    """Returns the step of the newest version below `folder`, or None."""
    made = versions(folder)
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):  # none yet, or somebody else's
        return json.loads((made[-1] / "assets.extra" / "card.json").read_text())["protocol"]["step"]
    return None


def export_run(model, workdir, description, step, importance_samples=_SAMPLES, log=print):
    """Exports the model of a run as the next version; returns its folder."""
    from zoo.serving.export import export

    protocol = dict(description["data"])
    if description.get("class_names"):
        protocol["class_names"] = description["class_names"]
    protocol |= {"step": step, "seed": description["seed"], "command": description["command"]}
    return export(model, workdir.export, importance_samples=importance_samples, protocol=protocol, log=log)


def main(options):
    if bool(options.check) == bool(options.workdir):
        raise BadInput("--workdir=DIR or --check=DIR: one of the two is needed.")
    if options.importance_samples is not None:
        cli.positive(options, "importance_samples")
    if options.check:
        if options.importance_samples:
            raise BadInput("--importance_samples: --check takes an export as it is.")
        return check(options.check)
    import tensorflow as tf

    from trainers.runs import run as runs
    from trainers.runs.workdir import storage_errors
    from zoo.capabilities import ImportanceWeighted

    run = runs.load(options.workdir)
    if options.importance_samples and not isinstance(run.model, ImportanceWeighted):
        raise BadInput(f"--importance_samples: model {run.description['model']!r} has no importance-weighted bound.")
    with storage_errors(options.workdir, tf.errors.OpError):
        print(export_run(run.model, run.workdir, run.description, run.step, options.importance_samples or _SAMPLES))


def check(folder):
    """Checks a version, or the newest below `folder`; prints a line per signature, and returns the exit code."""
    from zoo.serving import check as serving_check

    try:
        print(serving_check.check(folder))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, serving_check.NoExport) else 1
    return 0


def run(argv=None):
    """Runs the program; returns its exit code."""
    return cli.execute(define, main, argv)


if __name__ == "__main__":
    sys.exit(run())
