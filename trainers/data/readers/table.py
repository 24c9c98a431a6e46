"""`table:PATH`: rows of numbers from a .csv, .npy or .npz file. A table of zeros and ones alone is binary, any other
one real.

An .npz file may hold the splits (`train_data`, `valid_data`, `test_data`, or `train`, `validation`, `test`). Of one
array 10 % of the rows are held out to test and 10 % for validation, by a hash of the row, so that equal rows stay
together.
"""

import csv
import hashlib
import math
import pathlib
import zipfile

import numpy as np

from trainers.data import options, sizes
from trainers.data.dataset import DataSet, Field, hold_out_by_content, said_of_hold_out
from trainers.errors import BadInput
from zoo import nearest

SPLITS = {"train": ("train", "train_data"), "validation": ("validation", "valid", "validation_data", "valid_data"),
          "test": ("test", "test_data")}


def open_table(name, entries, log):
    """Opens a table. Raises BadInput where the file is missing or broken, or holds anything but finite numbers."""
    asked = options.take(options.Rows, name, entries)
    path = pathlib.Path(name.partition(":")[2]).expanduser()
    if not name.partition(":")[2]:
        raise BadInput(f"--dataset={name} lacks the path of a file: table:PATH.")
    if path.suffix.lower() not in READERS:
        raise BadInput(f"--dataset={name}: ends in {path.suffix or 'nothing'!r}; {nearest(path.suffix, READERS)}")
    try:
        version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        log(f"Reading {path}.")
        parts = READERS[path.suffix.lower()](name, path)
    except OSError as error:
        raise BadInput(
            f"--dataset={name}: {path} can't be read: {error.strerror or error}; give the path of a table."
        ) from error
    facts = {}
    if None in parts:
        parts = {None: _checked(name, parts[None])}
        rows = hold_out_by_content(name, [row.tobytes() for row in parts[None]], "rows", asked.held_out)
        parts = {split: parts[None][index] for split, index in rows.items()}
        facts["hold_out"] = said_of_hold_out("rows", " of their contents", asked.held_out)
    else:
        asked = options.take(options.SplitRows, name, entries)
        facts["hold_out"] = "the file's own splits"
        if asked.validation:
            facts["hold_out"] += f", validation the last {asked.validation} training rows"
        parts = {split: _checked(name, part, split) for split, part in parts.items()}
        widths = {part.shape[1] for part in parts.values()}
        if len(widths) > 1:
            raise BadInput(f"--dataset={name}: the splits have {' and '.join(map(str, sorted(widths)))} columns; one "
                           "number is needed.")
    if asked.validation:
        parts = _with_validation(name, parts, asked.validation)
    levels = 2 if all(np.isin(part, (0, 1)).all() for part in parts.values()) else None
    if asked.standardize:
        parts, facts["standardized"] = _standardized(name, parts, levels)
    field = Field("points", (parts["train"].shape[1],), levels)
    cache = {split: {"x": part.astype(field.dtype)} for split, part in parts.items()}
    return DataSet(name, f"sha256:{version}", {"x": field}, {split: len(part) for split, part in parts.items()},
                   cache=cache, facts=facts, options=asked)


def _csv(name, path):
    """Reads {None: the rows of the file}. A first row without any number is a header."""
    rows, width, header = [], None, False
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for cells in filter(None, reader):  # blank lines are none
                width, numbers = width or len(cells), [_number(cell) for cell in cells]
                if len(cells) != width:
                    raise BadInput(f"--dataset={name}: row {reader.line_num} has {len(cells)} columns, the first one "
                                   f"has {width}.")
                if not rows and not header and not any(number is not None for number in numbers):
                    header = True
                    continue
                if None in numbers:
                    column = numbers.index(None)
                    raise BadInput(f"--dataset={name}: row {reader.line_num}, column {column + 1} has "
                                   f"{cells[column]!r}; a finite number is needed.")
                rows.append(numbers)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"--dataset={name}: {path} is no table of numbers parted by commas: {error}.") from error
    return {None: np.array(rows, np.float64)}


def _number(cell):
    """Returns the finite number in a cell, or None."""
    try:
        return float(cell) if math.isfinite(float(cell)) else None
    except ValueError:
        return None


def _npy(name, path):
    return {None: _load(name, path)}


def _npz(name, path):
    """Reads the file's splits, or {None: its one array}."""
    with _load(name, path) as file:
        found = {}
        for split, keys in SPLITS.items():
            found[split] = [key for key in keys if key in file.files]
        if len(file.files) == 1 and not found["train"]:
            return {None: _member(name, file, file.files[0])}
        if not found["train"] or not found["test"] or any(len(keys) > 1 for keys in found.values()):
            raise BadInput(f"--dataset={name}: holds the arrays {', '.join(file.files) or '(none)'}; train_data, "
                           "test_data and perhaps valid_data "
                           "are needed, or one array alone.")
        return {split: _member(name, file, keys[0]) for split, keys in found.items() if keys}


def _load(name, path):
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"--dataset={name}: {path} can't be read as an array of numbers: {error}.") from error


def _member(name, file, key):
    try:
        return file[key]
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"--dataset={name}: array {key!r} can't be read as numbers: {error}.") from error


READERS = {".csv": _csv, ".npy": _npy, ".npz": _npz}


def _checked(name, array, split=None):
    """Returns the array as float32 rows [n, D]; one of rank 1 is a column."""
    of = f"split {split!r}" if split else "the table"
    if array.dtype.kind not in "buif":
        raise BadInput(f"--dataset={name}: {of} holds {array.dtype}; numbers are needed.")
    if array.ndim == 0 or 0 in array.shape:
        raise BadInput(f"--dataset={name}: {of} is empty.")
    if array.ndim > 2:
        raise BadInput(f"--dataset={name}: {of} has shape {array.shape}; rows and columns are needed.")
    with np.errstate(over="ignore"):
        # -0 becomes 0, so that equal rows have equal bytes
        array = array.reshape(len(array), -1).astype(np.float32) + np.float32(0.0)
    finite = np.isfinite(array)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise BadInput(f"--dataset={name}: {of} has {array[row, column]} in row {row + 1}, column {column + 1}; finite "
                       "numbers are needed.")
    return array


def _with_validation(name, parts, num):
    """Returns the splits with the last `num` training rows held out."""
    kept = sizes.hold_out(name, {split: len(part) for split, part in parts.items()}, num)["train"]
    return parts | {"train": parts["train"][:kept], "validation": parts["train"][kept:]}


def _standardized(name, parts, levels):
    """Returns (the splits less the training rows' mean, divided by their standard deviation; what a record says of it).
    """
    if levels:
        raise BadInput(f"--config.data.standardize=true: --dataset={name} is binary; leave it false.")
    mean, std = parts["train"].mean(0, dtype=np.float64), parts["train"].std(0, dtype=np.float64)
    if not std.all():
        raise BadInput(f"--config.data.standardize=true: column {int(np.argmin(std)) + 1} of --dataset={name} is "
                       f"{mean[np.argmin(std)]:g} in every training "
                       "row; take it out.")
    parts = {split: ((part - mean) / std).astype(np.float32) for split, part in parts.items()}
    return parts, dict(measure="density of (x - mean) / std, the training split's", mean=mean.tolist(),
                       std=std.tolist())
