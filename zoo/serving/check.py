"""Checks an exported folder as a server sees it: `python zoo/serving/check.py DIR`, in a process without TensorFlow's
Python, Keras or zoo.

The SavedModel is loaded through TensorFlow's C API from the shared library in the installed wheel, with XLA switched
off, which is the loader and the session of TensorFlow Serving. Every op type is looked up in the list of
`zoo/serving/graph.py` before anything is loaded. Then every signature answers the examples that the folder holds, and
must say what the model itself said when it was exported: in a batch of three, one row alone, and the rows in another
order.

Exit code: 0, or 1 with one sentence on a mismatch, or 2 with one sentence where the folder is no export of ours.
"""

import ctypes
import faulthandler
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np

TOLERANCE = 1e-5  # relative to max(1, |value|)
# DT_FLOAT ...
DTYPES = {1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16, 6: np.int8, 9: np.int64, 10: np.bool_,
          19: np.float16}
# the row that is run alone, and the other order; rows are drawn by seed, so neither place nor company counts
ALONE, ORDER = 2, (2, 0, 1)


class NoExport(Exception):
    """The folder is no export of ours."""


class Mismatch(Exception):
    """The folder does not answer as its model did."""


def check(directory):
    """Checks an exported version folder in a process of its own; returns its report. Raises ValueError with the
    sentence that it gave."""
    done = subprocess.run([sys.executable, "-P", __file__, str(directory)], capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() if done.returncode in (1, 2) else []
        raise ValueError(said[-1] if said else f"{directory}: the check died with exit code {done.returncode}: "
                                               f"{done.stderr[-500:].strip()}")
    return done.stdout


class Session:
    """A SavedModel's session, through `libtensorflow_cc`. Raises Mismatch where TensorFlow refuses to load or to run
    it."""

    class Output(ctypes.Structure):
        _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]

    def __init__(self, folder):
        wheel = importlib.util.find_spec("tensorflow")
        if wheel is None:
            raise NoExport("TensorFlow is not installed: its library is what loads a SavedModel.")
        # ctypes' default mode: with RTLD_GLOBAL the library's own cryptography replaces Python's.
        self.library = library = ctypes.CDLL(
            str(pathlib.Path(wheel.submodule_search_locations[0]) / "libtensorflow_cc.so.2")
        )
        # tensorflow::DisableXlaCompilation(), as the server calls it
        library._ZN10tensorflow21DisableXlaCompilationEv()
        for name in ("NewStatus", "NewGraph", "NewSessionOptions", "LoadSessionFromSavedModel", "GraphOperationByName",
                     "AllocateTensor", "TensorData"):
            getattr(library, f"TF_{name}").restype = ctypes.c_void_p
        library.TF_Message.restype = ctypes.c_char_p
        library.TF_Dim.restype = ctypes.c_int64
        library.TF_AllocateTensor.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_int,
                                              ctypes.c_size_t]
        self.status, self.graph = ctypes.c_void_p(library.TF_NewStatus()), ctypes.c_void_p(library.TF_NewGraph())
        tags = (ctypes.c_char_p * 1)(b"serve")
        self.session = ctypes.c_void_p(library.TF_LoadSessionFromSavedModel(
            ctypes.c_void_p(library.TF_NewSessionOptions()), None, os.fsencode(folder), tags, 1, self.graph, None,
            self.status))
        self._raise("loading it")

    def run(self, inputs, outputs):
        """Runs {tensor's name: array} to the list of the tensors named in `outputs`."""
        library = self.library
        given = (ctypes.c_void_p * len(inputs))(*map(self._tensor, inputs.values()))
        results = (ctypes.c_void_p * len(outputs))()
        library.TF_SessionRun(self.session, None, self._places(inputs), given, len(inputs), self._places(outputs),
                              results, len(outputs),
                              None, 0, None, self.status)
        for tensor in given:
            library.TF_DeleteTensor(ctypes.c_void_p(tensor))
        self._raise("running it")
        return [self._array(ctypes.c_void_p(tensor)) for tensor in results]

    def _places(self, names):
        places = (self.Output * len(names))()
        for place, name in zip(places, names):
            operation, _, index = name.partition(":")
            place.operation, place.index = self.library.TF_GraphOperationByName(self.graph,
                                                                                operation.encode()), int(index or 0)
            if not place.operation:
                raise Mismatch(f"a signature names the tensor {name!r}, which the graph does not have.")
        return places

    def _tensor(self, array):
        kind = next(number for number, dtype in DTYPES.items() if dtype == array.dtype)
        array = np.ascontiguousarray(array).reshape(array.shape)
        tensor = self.library.TF_AllocateTensor(kind, (ctypes.c_int64 * array.ndim)(*array.shape), array.ndim,
                                                array.nbytes)
        ctypes.memmove(self.library.TF_TensorData(ctypes.c_void_p(tensor)), array.ctypes.data, array.nbytes)
        return tensor

    def _array(self, tensor):
        library = self.library
        dtype = DTYPES.get(library.TF_TensorType(tensor))
        if dtype is None:
            raise Mismatch(f"an output has the type number {library.TF_TensorType(tensor)}, which is not one of "
                           f"{sorted(DTYPES)}.")
        array = np.empty([library.TF_Dim(tensor, i) for i in range(library.TF_NumDims(tensor))], dtype)
        ctypes.memmove(array.ctypes.data, library.TF_TensorData(tensor), array.nbytes)
        library.TF_DeleteTensor(tensor)
        return array

    def _raise(self, doing):
        if self.library.TF_GetCode(self.status):
            raise Mismatch(f"TensorFlow failed while {doing}: "
                           f"{self.library.TF_Message(self.status).decode(errors='replace').splitlines()[0]}")


def serving_graph():
    """The module zoo/serving/graph.py, loaded by its path: importing the package would import TensorFlow."""
    spec = importlib.util.spec_from_file_location("serving_graph", pathlib.Path(__file__).with_name("graph.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(directory):
    """Returns (version folder, bytes of its graph, card, examples as {signature: {side: {name: array}}}); DIR may hold
    version folders."""
    folder = pathlib.Path(directory)
    versions = [p for p in folder.iterdir() if p.name.isdecimal()] if folder.is_dir() else []
    if versions and not (folder / "saved_model.pb").exists():
        folder = max(versions, key=lambda p: int(p.name))
    try:
        graph = (folder / "saved_model.pb").read_bytes()
        card = json.loads((folder / "assets.extra" / "card.json").read_text())
        examples = {}
        with np.load(folder / "assets.extra" / "examples.npz", allow_pickle=False) as arrays:
            for key in arrays.files:
                name, side, field = key.split("/")
                examples.setdefault(name, {"inputs": {}, "outputs": {}})[side][field] = arrays[key]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise NoExport(f"{directory} is no export of ours: {' '.join(str(error).split())}.") from None
    if not (isinstance(card, dict) and str(card.get("format")).startswith("generative-zoo export")):
        raise NoExport(f"{directory} is no export of ours: its card.json has another format.")
    return folder, graph, card, examples


def difference(found, wanted):
    """The largest difference, relative to max(1, |wanted|); infinite if shapes, types, or the places of non-finite
    numbers differ."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return np.inf
    if not np.issubdtype(found.dtype, np.floating):
        return 0.0 if np.array_equal(found, wanted) else np.inf
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        away = np.where(same, 0.0, np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted)))
    return float(np.max(np.where(np.isnan(away), np.inf, away), initial=0.0))


def examine(session, name, signature, example):
    """Runs one signature; returns the largest difference from what the model said. Raises Mismatch, naming it, beyond
    the tolerance."""
    inputs, outputs = signature
    given, wanted = example["inputs"], example["outputs"]
    for side, has, needs in (("inputs", given, inputs), ("outputs", wanted, outputs)):
        if set(has) != set(needs):
            raise Mismatch(f"signature {name!r} has the {side} {sorted(needs)}, and its example {sorted(has)}.")
        wrong = [key for key, (_, dtype, _) in needs.items() if DTYPES.get(dtype) != has[key].dtype]
        if wrong:
            raise Mismatch(f"signature {name!r}: the example of {wrong[0]!r} is {has[wrong[0]].dtype}, which is not "
                           "the graph's type.")
    batchable = all(shape[:1] == (-1,) for _, _, shape in (*inputs.values(), *outputs.values()))
    if not batchable and name != "sample_n":
        raise Mismatch(f"signature {name!r} can't be batched: an input or output does not have the batch as dimension "
                       "0.")
    if batchable and {len(value) for value in (*given.values(), *wanted.values())} != {3}:
        raise Mismatch(f"signature {name!r}: its example does not have 3 rows.")

    def take(rows):
        if batchable:
            return [{key: value[rows] for key, value in side.items()} for side in (given, wanted)]
        # Not a batch of rows: one seed for `num_samples` of them, of which fewer must be the first ones.
        num = np.array(len(rows), np.int32)
        return given | {"num_samples": num}, {key: value[:len(rows)] for key, value in wanted.items()}

    runs = (
        {"in a batch of 3": [0, 1, 2], "alone": [ALONE], "in another order": list(ORDER)}
        if batchable
        else {"three": [0, 1, 2], "one": [0]}
    )
    worst = 0.0
    for how, rows in runs.items():
        some, expected = take(rows)
        found = dict(zip(outputs,
                         session.run({inputs[key][0]: value for key, value in some.items()},
                                     [place for place, *_ in outputs.values()])))
        for key, value in found.items():
            away = difference(value, expected[key])
            if away > TOLERANCE:
                raise Mismatch(f"signature {name!r}, rows {how}: {key!r} differs from what the model said by "
                               f"{away:.2g}, more than {TOLERANCE:g}.")
            worst = max(worst, away)
    return worst


def main(directory):
    folder, graph, card, examples = read(directory)
    rules = serving_graph()
    try:
        ops, found = rules.check(graph), rules.signatures(graph)
    except ValueError as error:
        raise Mismatch(str(error)) from None
    if not set(found) == set(examples) == set(card.get("signatures", ())):
        raise Mismatch(f"the graph has the signatures {sorted(found)}, and the examples and the card others.")
    session = Session(folder)
    for name in sorted(found):
        try:
            worst = examine(session, name, found[name], examples[name])
        except Mismatch as error:
            raise Mismatch(str(error) if f"{name!r}" in str(error) else f"signature {name!r}: {error}") from None
        print(f"{name}: agrees with the model to {worst:.1g}")
    print(f"{folder}: {len(found)} signatures, {len(ops)} op types, all on the list")


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the examples were computed on a CPU
    # The library logs to descriptor 2 whatever its level is: that goes nowhere, so that standard error is our sentence,
    # or a traceback.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.enable(sys.stderr)
    if len(sys.argv) != 2:
        print("usage: python -m zoo.serving.check DIR", file=sys.stderr)
        sys.exit(2)
    try:
        main(sys.argv[1])
    except (NoExport, Mismatch) as failure:
        print(failure, file=sys.stderr)
        sys.exit(2 if isinstance(failure, NoExport) else 1)
