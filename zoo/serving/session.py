"""A SavedModel that answers its examples, in a process of its own: what `zoo.serving.check` starts, as `python -P
zoo/serving/session.py FOLDER`, with {signature: {"batchable": ..., "inputs": {name: tensor}, "outputs": the same}} as
JSON on standard input.

The SavedModel is loaded through TensorFlow's C API from the shared library in the installed wheel, with XLA switched
off, which is the loader and the session of TensorFlow Serving. TensorFlow's Python, Keras and zoo are not there, and so
this file imports none of them.

Exit code: 0 with a line for each signature, or 1 with one sentence on a mismatch.
"""

import ctypes
import faulthandler
import importlib.util
import json
import os
import pathlib
import sys

import numpy as np

TOLERANCE = 1e-5  # relative to max(1, |value|)
# {DT_FLOAT ...: type}
DTYPES = {1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16, 6: np.int8, 9: np.int64, 10: np.bool_,
          19: np.float16}
NUMBERS = {np.dtype(dtype): number for number, dtype in DTYPES.items()}
# the row that is run alone, and the other order; rows are drawn by seed, so neither place nor company counts
ALONE, ORDER = 2, (2, 0, 1)


class Mismatch(ValueError):
    """An exported folder does not answer as its model did, or holds what a server should not run."""


class Session:
    """A SavedModel's session, through `libtensorflow_cc`. Raises Mismatch where TensorFlow refuses to load or to run
    it.
    """

    class Output(ctypes.Structure):
        _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]

    def __init__(self, folder):
        self.library = library = _library()
        self.status, self.graph = ctypes.c_void_p(library.TF_NewStatus()), ctypes.c_void_p(library.TF_NewGraph())
        options, tags = ctypes.c_void_p(library.TF_NewSessionOptions()), (ctypes.c_char_p * 1)(b"serve")
        self.session = ctypes.c_void_p(library.TF_LoadSessionFromSavedModel(
            options, None, os.fsencode(folder), tags, 1, self.graph, None, self.status))
        self._raise("loading it")

    def run(self, inputs, outputs):
        """Runs {tensor's name: array} to the list of the tensors named in `outputs`."""
        library = self.library
        given = (ctypes.c_void_p * len(inputs))(*map(self._tensor, inputs.values()))
        results = (ctypes.c_void_p * len(outputs))()
        library.TF_SessionRun(self.session, None, self._places(inputs), given, len(inputs), self._places(outputs),
                              results, len(outputs), None, 0, None, self.status)
        for tensor in given:
            library.TF_DeleteTensor(ctypes.c_void_p(tensor))
        self._raise("running it")
        return [self._array(ctypes.c_void_p(tensor)) for tensor in results]

    def _places(self, names):
        places = (self.Output * len(names))()
        for place, name in zip(places, names):
            operation, _, index = name.partition(":")
            place.operation = self.library.TF_GraphOperationByName(self.graph, operation.encode())
            place.index = int(index or 0)
            if not place.operation:
                raise Mismatch(f"a signature names the tensor {name!r}, which the graph does not have.")
        return places

    def _tensor(self, array):
        array = np.ascontiguousarray(array).reshape(array.shape)
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self.library.TF_AllocateTensor(NUMBERS[array.dtype], shape, array.ndim, array.nbytes)
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


def _library():
    """Loads TensorFlow's library from the installed wheel, and switches XLA off, as the server does."""
    wheel = importlib.util.find_spec("tensorflow").submodule_search_locations[0]
    # ctypes' default mode: with RTLD_GLOBAL the library's own cryptography replaces Python's.
    library = ctypes.CDLL(str(pathlib.Path(wheel) / "libtensorflow_cc.so.2"))
    library._ZN10tensorflow21DisableXlaCompilationEv()  # tensorflow::DisableXlaCompilation()
    for name in ("NewStatus", "NewGraph", "NewSessionOptions", "LoadSessionFromSavedModel", "GraphOperationByName",
                 "AllocateTensor", "TensorData"):
        getattr(library, f"TF_{name}").restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    library.TF_Dim.restype = ctypes.c_int64
    library.TF_AllocateTensor.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_int, ctypes.c_size_t]
    return library


def read_examples(folder):
    """Reads {signature: {"inputs" and "outputs": {name: array}}} of an exported version folder."""
    examples = {}
    with np.load(pathlib.Path(folder) / "assets.extra" / "examples.npz", allow_pickle=False) as arrays:
        for key in arrays.files:
            name, side, field = key.split("/")
            examples.setdefault(name, {"inputs": {}, "outputs": {}})[side][field] = arrays[key]
    return examples


def difference(found, wanted):
    """Computes the largest difference, relative to max(1, |wanted|): infinite if shapes, types, or the places of
    non-finite numbers differ.
    """
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return np.inf
    if not np.issubdtype(found.dtype, np.floating):
        return 0.0 if np.array_equal(found, wanted) else np.inf
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        away = np.where(same, 0.0, np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted)))
    return float(np.max(np.where(np.isnan(away), np.inf, away), initial=0.0))


def requests(batchable, example):
    """Yields (how it is put, inputs, outputs that they must give) of a signature's example, in several ways."""
    inputs, outputs = example["inputs"], example["outputs"]
    if batchable:
        for how, rows in {"in a batch of 3": [0, 1, 2], "alone": [ALONE], "in another order": list(ORDER)}.items():
            yield how, _take(inputs, rows), _take(outputs, rows)
    else:  # not a batch of rows: one seed for `num_samples` of them, of which fewer must be the first ones
        for how, num in {"three": 3, "one": 1}.items():
            yield how, inputs | {"num_samples": np.array(num, np.int32)}, _take(outputs, range(num))


def _take(arrays, rows):
    return {name: array[list(rows)] for name, array in arrays.items()}


def compare(session, name, signature, example):
    """Runs one signature; returns the largest difference from what the model said. Raises Mismatch, naming it, beyond
    the tolerance.
    """
    worst, inputs, outputs = 0.0, signature["inputs"], signature["outputs"]
    for how, given, wanted in requests(signature["batchable"], example):
        try:
            found = session.run({inputs[key]: value for key, value in given.items()}, list(outputs.values()))
        except Mismatch as error:
            raise Mismatch(f"signature {name!r}: {error}") from None
        for key, value in zip(outputs, found):
            away = difference(value, wanted[key])
            if away > TOLERANCE:
                raise Mismatch(f"signature {name!r}, rows {how}: {key!r} differs from what the model said by "
                               f"{away:.2g}, more than {TOLERANCE:g}.")
            worst = max(worst, away)
    return worst


def main(folder, signatures):
    """Lets every signature answer its examples, and prints a line of each; `signatures`: JSON, as above."""
    examples = read_examples(folder)
    session = Session(folder)
    for name, signature in sorted(json.loads(signatures).items()):
        print(f"{name}: agrees with the model to {compare(session, name, signature, examples[name]):.1g}")


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the examples were computed on a CPU
    # The library logs to descriptor 2 whatever its level is: that goes nowhere, so that standard error is our sentence,
    # or a traceback.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.enable(sys.stderr)
    try:
        main(sys.argv[1], sys.stdin.read())
    except Mismatch as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
