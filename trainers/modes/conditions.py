"""On what zoo-sample draws: what --condition asks for, else all classes in turn, else conditions of test examples.

One class is asked for by its name or number, several by a list that comes again and again; other conditions are arrays
of a file, .npy, or .npz with an array for each part by its name: one for all rows, or one for each.
"""

import difflib
import math
import pathlib
import zipfile

import numpy as np

from trainers.errors import BadInput
from trainers.runs import drawing
from trainers.runs.examples import first_examples
from zoo import checks
from zoo.domain import describe

_NAMED = 20  # classes that a message names
_FILES = (".npy", ".npz")


def of_samples(run, num, options):
    """Finds the condition of `num` samples, None of a model that takes none."""
    domain = run.model.domain
    if options.condition:
        return asked(run, num, options)
    if not domain.conditional or domain.num_classes:
        return drawing.labels(domain, num)
    return first_examples(run, num, options.seed, options.data_dir)[1]


def asked(run, num, options):
    """Finds the condition that --condition asks for, of `num` rows. Raises BadInput for anything else."""
    domain, said = run.model.domain, ",".join(options.condition)
    if not domain.conditional:
        raise BadInput(f"--condition={said}: model {run.description['model']!r} takes no condition; leave it out.")
    file = len(options.condition) == 1 and pathlib.Path(said).suffix in _FILES
    if not file and not domain.num_classes:
        parts = domain.conditions()
        parts = [f"{name!r}, {describe(part)}" if name else describe(part) for name, part in parts.items()]
        ending = ".npz file with an array for each" if isinstance(domain.condition, dict) else ".npy file"
        raise BadInput(f"--condition={said}: the model is conditional on {' and '.join(parts)}; give a {ending}.")
    given = _of_file(said, domain, num) if file else _classes(run, num, options)
    try:
        return checks.condition(domain, given, num)
    except ValueError as error:
        raise BadInput(f"--condition={said}: {error}") from None


def columns(options, num):
    """Counts the columns of a picture of samples of asked classes, as good as a square, each class in columns of its
    own; None: as usual."""
    if not options.condition or pathlib.Path(options.condition[0]).suffix in _FILES:
        return None
    classes = len(options.condition)
    return math.ceil(math.sqrt(num)) if classes == 1 else classes * max(1, round(math.sqrt(num) / classes))


def told(run, options):
    """Says which classes are drawn, by their names; None where these are not known."""
    names, domain = run.description.get("class_names"), run.model.domain
    if not (names and domain.num_classes) or any(pathlib.Path(one).suffix in _FILES for one in options.condition or ()):
        return None
    drawn = [names[_number(run, one)] for one in options.condition] if options.condition else names
    return f"classes: {_listed(drawn)}"


def _listed(names):
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _classes(run, num, options):
    return np.resize(np.array([_number(run, one) for one in options.condition], np.int32), num)


def _number(run, one):
    """Finds the class of a name, or of a number. Raises BadInput, with the nearest right name, where it is neither."""
    names, num = run.description.get("class_names") or (), run.model.domain.num_classes
    lower = [name.lower() for name in names]
    if one.lower() in lower:
        return lower.index(one.lower())
    if one.isdecimal() and int(one) < num:
        return int(one)
    names = () if all(name.isdecimal() for name in names) else names  # that are numbers say no more than these
    close = difflib.get_close_matches(one.lower(), lower, n=1, cutoff=0.5) if names else ()
    meant = f"did you mean {names[lower.index(close[0])]!r}? " if close else ""
    known = f"{_listed(names)}, or " if names else ""
    raise BadInput(f"--condition={one}: no class of this run; {meant}Known: {known}0 to {num - 1}.")


def _of_file(path, domain, num):
    """Reads the arrays of a file: those that lack the dimension of the rows stand for all of them."""
    try:
        file = np.load(pathlib.Path(path).expanduser(), allow_pickle=False)
        found = {key: file[key] for key in file.files} if hasattr(file, "files") else {"": file}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"--condition={path}: can't be read: {getattr(error, 'strerror', None) or error}.") from None
    named = isinstance(domain.condition, dict)
    if named != ("" not in found):
        raise BadInput(f"--condition={path}: a {'.npz' if named else '.npy'} file is needed.")

    def rows(part, value):
        if value.ndim == len(part.example_shape):
            return np.repeat(value[None], num, axis=0)
        return value[:num]

    parts = domain.conditions()
    found = {key: rows(parts[key], value) if key in parts else value for key, value in found.items()}
    return found if named else found[""]
