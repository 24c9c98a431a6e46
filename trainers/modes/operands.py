"""What `zoo-sample --mode=arithmetic` adds and takes away: examples from files, and the first test examples of a
class."""

import dataclasses
import pathlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from trainers.data import evaluation_batches
from trainers.errors import BadInput

_WHOLE = ("binary", "levels", "tokens")  # kinds of domains of whole numbers


def parse(terms):
    """Parts the three terms of A + B - C. Raises BadInput for another number of them."""
    if not terms or len(terms) != 3 or not all(terms):
        raise BadInput(f"--terms={','.join(terms or [])}: three terms A,B,C are needed, of which A + B - C is drawn: "
                       "classes or files.")
    return terms


def read(term, run, dataset, num, seed):
    """Reads (examples [n, *shape] as the model takes them, their conditions or None): of a file by its ending, else the
    first `num` test examples of a class."""
    path = pathlib.Path(term).expanduser()
    if path.suffix in _READERS:
        return _of_file(term, path, run, dataset, seed)
    return _of_class(term, run, dataset, num, seed)


def _of_class(term, run, dataset, num, seed):
    names = [name.lower() for name in dataset.class_names]
    if not dataset.classes:
        raise BadInput(f"--terms: {term!r} is no file ({', '.join(_READERS)}), and --dataset={dataset.name} has no "
                       "classes.")
    number = -1
    if term.lower() in names:
        number = names.index(term.lower())
    elif term.isdecimal():
        number = int(term)
    if not 0 <= number < dataset.classes:
        known = f"{', '.join(dataset.class_names[:20])}, or " if names else ""
        raise BadInput(f"--terms: {term!r} is no file ({', '.join(_READERS)}) and no class of "
                       f"--dataset={dataset.name}: {known}0 to {dataset.classes - 1}.")
    rows = np.flatnonzero(dataset.decoded("test", ["label"])["label"] == number)[:num]
    if not len(rows):
        raise BadInput(f"--terms: the test split of --dataset={dataset.name} has no example of class {term!r}.")
    return _encoded({name: values[rows] for name, values in dataset.decoded("test").items()}, run, dataset, seed)


def _of_file(term, path, run, dataset, seed):
    domain = run.model.domain
    if domain.conditional:
        raise BadInput(f"--terms: the model is conditional, and {term} does not say on what; take classes.")
    try:
        x = _READERS[path.suffix](path, run, dataset)
    except (OSError, ValueError) as error:
        raise BadInput(f"--terms: {term} can't be read: {getattr(error, 'strerror', None) or error}.") from error
    if x.shape[1:] != tuple(domain.shape):
        raise BadInput(f"--terms: {term} has an example of shape {x.shape[1:]}, the model takes {tuple(domain.shape)}.")
    if path.suffix == ".npy":
        return _checked(term, x, domain), None
    return _encoded({"x": x}, run, dataset, seed)


def _checked(term, x, domain):
    """Checks the numbers of a file, which no data set has checked, and casts them as the model takes them."""
    allowed, fine = "finite numbers", len(x) and x.dtype.kind in "buif" and np.isfinite(x).all()
    if domain.kind in _WHOLE:
        allowed = f"whole numbers from 0 to {domain.levels - 1}"
        fine = fine and not ((x < 0) | (x >= domain.levels) | (x != np.round(x))).any()
    if not fine:
        raise BadInput(f"--terms: {term} has other entries than the model's, {allowed}, or no example.")
    return x.astype(domain.dtype.as_numpy_dtype)


def _encoded(stored, run, dataset, seed):
    """Turns stored examples, {field: array}, into what the model takes, with their conditions."""
    num, domain = len(stored["x"]), dataclasses.replace(run.model.domain, partner=None)
    chosen = dataclasses.replace(dataset, source=None, sizes={"terms": num}, cache={"terms": stored})
    x, condition, _ = domain.split(next(iter(evaluation_batches(chosen, "terms", domain, num, seed, run.config.data))))
    return x, condition


def _png(path, run, dataset):
    if dataset.kind != "image":
        raise ValueError(f"--dataset={dataset.name} has no images")
    try:
        image = np.asarray(Image.open(path).convert("L" if dataset.shape[-1] == 1 else "RGB"), np.float64)
    except UnidentifiedImageError:
        raise ValueError("it is no picture") from None
    return np.round(image * ((dataset.levels - 1) / 255)).astype(np.uint8).reshape(1, *image.shape[:2],
                                                                                   dataset.shape[-1])


def _txt(path, run, dataset):
    tokenizer, length = run.medium.tokenizer, dataset.shape[0]
    if tokenizer is None or tokenizer.end is None:
        raise ValueError(f"--dataset={dataset.name} has no lines of text")
    tokens = tokenizer.encode(path.read_text().rstrip("\n"))
    if len(tokens) >= length:
        raise ValueError(f"it has {len(tokens)} tokens, of which the model takes {length - 1}")
    return np.pad(tokens, (0, length - len(tokens)), constant_values=tokenizer.end)[None].astype(np.int32)


def _npy(path, run, dataset):
    x = np.load(path, allow_pickle=False)
    return x[None] if x.ndim == len(run.model.domain.shape) else x


_READERS = {".png": _png, ".txt": _txt, ".npy": _npy}
