"""Records: a number with all that it takes to trust and to make it again.

A record is a JSON object with the keys of `FIELDS`. A run's `results.json` is a list of them; a folder of published
results (`results/`) holds a file for each run, `MODEL/DATASET[-VARIANT].json`, from which the tables of README.md are
made: what all numbers of the run share, and `numbers`, each with what is its own.
"""

import json
import math
import os
import pathlib
import platform
import re
import shlex
import subprocess

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from trainers import recipes
from trainers.errors import BadInput
from trainers.runs import config as configs
from trainers.runs.workdir import storage_errors, write_json

# value in `unit`, per example; kind: `exact`, `upper_bound`, `lower_bound` or `estimate`, of the metric itself (the
# mean over test examples always has the standard error `stderr`, null where there is none); published: {value, source}
# or null; hardware: where it was evaluated, and trained; variant: of the recipe, only where one was chosen;
# train_seconds: of the whole run; seed, steps, batch_size: of the training; commit: null outside a checkout.
FIELDS = ("model", "dataset", "split", "metric", "value", "unit", "kind", "stderr", "protocol", "published", "seed",
          "steps", "batch_size",
          "train_seconds", "hardware", "versions", "commit", "command")
KINDS = ("exact", "upper_bound", "lower_bound", "estimate")
# of what is estimated to the value
RELATIONS = {"exact": "", "upper_bound": "<= ", "lower_bound": ">= ", "estimate": ""}


def make(run, split, metric, value, unit, kind, stderr, protocol, command, whole=True):
    """Makes the record of one number of a run; `whole`: made on the whole split, as a published number is."""
    description = run.description
    name, dataset = description["model"], description["dataset"]
    published = _published(run, metric, unit) if whole and split == "test" else None
    return dict(
        model=name, dataset=dataset, split=split, metric=metric, value=float(value), unit=unit, kind=kind,
        stderr=None if stderr is None or math.isnan(stderr) else float(stderr),
        protocol=protocol, published=published and dict(value=published.value, source=published.source),
        seed=description["seed"], steps=run.step, batch_size=run.config.batch_size, train_seconds=round(run.seconds, 1),
        hardware=dict(evaluation=hardware(), training=description.get("hardware")),
        versions=dict(evaluation=versions(), training=description.get("versions")),
        commit=dict(evaluation=commit(), training=description.get("commit")), command=command,
        **({"variant": description["variant"]} if description.get("variant") else {}))


def _published(run, metric, unit):
    """Returns the recipe's published number of this metric, if the run's data are the recipe's: binarized, split and
    labelled alike; else None."""
    name, dataset, variant = (run.description.get(key, "") for key in ("model", "dataset", "variant"))
    ours, recipes_own = run.config, configs.default(name, dataset, variant)
    # Where there is a tokenizer, it decides the levels.
    counted = ("classes",) if run.description.get("data", {}).get("tokenizer") else ("levels", "classes")
    alike = ours.data == recipes_own.data and all(ours.model.get(key) == recipes_own.model.get(key) for key in counted)
    recipe = recipes.find(name, dataset, variant)
    if not alike or recipe.dataset == recipes.ANY:
        return None
    for number in recipe.published:
        if (number.metric, number.unit) == (metric, unit):
            return number
    return None


def hardware():
    """Describes the processors of this machine: {cpu, cores, gpus}."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = named[0] if named else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tf.config.list_physical_devices("GPU")]
    return dict(cpu=model, cores=cores, gpus=gpus)


def versions():
    """Returns the versions of what computes."""
    return dict(python=platform.python_version(), tensorflow=tf.__version__, keras=keras.__version__,
                tensorflow_probability=tfp.__version__)


def commit():
    """Returns the git commit of the checkout that this package sits in, with `-dirty` where the code differs from it;
    None outside one."""
    root = pathlib.Path(__file__).resolve().parents[2]

    def git(*arguments):
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True,
                              check=True).stdout.strip()

    try:
        # installed somewhere below another project
        if pathlib.Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return None
        head = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "zoo", "trainers")
        return f"{head}-dirty" if changed else head
    except (OSError, subprocess.CalledProcessError):
        return None


def command_line(program, options):
    """Returns the command that gives a program the options that were given to it."""
    return shlex.join([program, *(options[name].serialize() for name in sorted(options) if options[name].present)])


def write_results(path, records):
    """Writes a run's records; a reader finds the old file or the new one, whole."""
    with storage_errors(pathlib.Path(path).parent):
        write_json(path, records)


def portable(command):
    """Returns the command without the places of the machine that it ran on: data in DIR, runs in runs/, whatever the
    folders were."""
    for flag, place in (("data_dir", "DIR"), ("workdir", r"runs/\2"), ("publish", r"\2"),
                        (r"dataset[= ]\w+:", r"DIR/\2")):
        separator = "" if ":" in flag else "[= ]"
        command = re.sub(rf"(--{flag}{separator})\S*?([^/\s]+)/?(?=\s|$)", rf"\1{place}", command)
    return command


def publish(records, folder):
    """Writes the records of a run to its file in `folder`, in the place of older ones of the same metrics; returns the
    paths.

    Where the publisher keeps data is left out: it is no part of how the number is made. Raises BadInput for a file
    there that holds no records, or where nothing can be written.
    """
    files = {}
    for record in records:
        dataset = re.sub(r"^(\w+):.*/([^/]+)$", r"\1:\2", record["dataset"])
        protocol = record["protocol"] | ({"dataset": dataset} if "dataset" in record["protocol"] else {})
        name = "-".join(filter(None, (dataset.replace("/", "-").replace(":", "-"), record.get("variant"))))
        files.setdefault(pathlib.Path(folder, record["model"], f"{name}.json"), []).append(
            record | dict(command=portable(record["command"]), dataset=dataset, protocol=protocol))
    try:
        for path, new in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            by_metric = {record["metric"]: record for record in [*_read(path), *new]}
            write_json(path, _joined([by_metric[metric] for metric in sorted(by_metric)]))
    except OSError as error:
        raise BadInput(f"--publish={folder}: cannot write there: {error.strerror or error}.") from error
    return list(files)


def _joined(records):
    """Joins records to one object: what all share, of the protocol too, and `numbers`, what is each one's own."""
    shared, protocol = _shared(records), _shared([record["protocol"] for record in records])
    numbers = []
    for record in records:
        own = {key: value for key, value in record.items() if key not in shared and key != "protocol"}
        rest = {key: value for key, value in record["protocol"].items() if key not in protocol}
        numbers.append(own | ({"protocol": rest} if rest else {}))
    return shared | dict(protocol=protocol, numbers=numbers)


def _shared(dictionaries):
    """Returns the entries that all dictionaries have alike, but for the metric, which is always a number's own."""
    first, *others = dictionaries
    return {key: value for key, value in first.items() if key not in ("metric", "value", "protocol")
            and all(key in other and other[key] == value for other in others)}


def _parted(joined):
    """Returns the records of an object that `_joined` made."""
    shared = {key: value for key, value in joined.items() if key not in ("protocol", "numbers")}
    return [shared | number | dict(protocol=joined["protocol"] | number.get("protocol", {}))
            for number in joined["numbers"]]


def _read(path):
    """Reads the records of a published file, none of a missing one. Raises BadInput where it holds something else."""
    if not path.exists():
        return []
    try:
        found = _parted(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read as JSON: {error}.") from None
    except (AttributeError, KeyError, TypeError):
        raise BadInput(f"{path}: holds no records: an object with protocol and numbers is needed.") from None
    for record in found:
        missing = [field for field in FIELDS if field not in record]
        if missing:
            raise BadInput(f"{path}: is not a record: {missing[0]!r} is missing.")
        if record["kind"] not in KINDS:
            raise BadInput(f"{path}: kind must be one of {', '.join(KINDS)}, found {record['kind']!r}.")
    return [{field: record[field] for field in FIELDS} | record for record in found]  # in the order of FIELDS


def load_results(folder):
    """Reads the records of a folder, in the order of model, data set, variant and metric. Raises BadInput for a file
    that holds none; a missing folder has none."""
    flat = sorted(pathlib.Path(folder).glob("*.json"))
    if flat:
        raise BadInput(f"{flat[0]}: stands directly in the folder; a run's numbers are in MODEL/DATASET.json there.")
    records = [record for path in sorted(pathlib.Path(folder).glob("*/*.json")) for record in _read(path)]
    return sorted(records, key=lambda r: (r["model"], r["dataset"], r.get("variant", ""), r["metric"]))


def text(record):
    """Writes a record's number as it is printed: a bound with its sign, the standard error where there is one."""
    short = record["unit"] in ("count", "fraction") or abs(record["value"]) < 10
    value = f"{record['value']:.4g}" if short else f"{record['value']:.2f}"
    error = f" ± {record['stderr']:.2g}" if record["stderr"] is not None else ""
    return f"{RELATIONS[record['kind']]}{value}{error}"


def table(rows, header):
    """Writes rows of strings as lines with aligned columns."""
    rows = [header, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
