"""Writes a trained model as a SavedModel that TensorFlow Serving runs: signatures from capabilities, with the proof
that it answers right.

A version folder holds, beside the graph and the weights, in `assets.extra/`: `card.json`, what every signature's inputs
and outputs mean; `examples.npz`, inputs and what the model itself answered to them at export, so that the folder can be
checked without the model (`zoo.serving.check`); and one warm-up request per signature, which a
server runs when it loads the folder.

The folder is written under a hidden name beside its place, and renamed when every byte of it is on disk: a server that
watches the place sees all of it or nothing.
"""

import contextlib
import dataclasses
import errno
import importlib.metadata
import json
import logging
import os
import pathlib
import platform
import secrets
import shutil

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import zoo
from zoo.capabilities import likelihood_kind
from zoo.serving import graph
from zoo.serving.signatures import signatures

FORMAT = "generative-zoo export 1"
PROMISES = (
    "A row of an answer depends on the same row of the inputs alone; a sample depends on its own seed, not on its "
    "batch.",
    "The same seed draws the same noise after a restart and in every batch size; floats are equal to about 1e-6, "
    "because matrix kernels differ with the batch size.",
    "The graph keeps no state, needs no XLA and no Python, and holds no op that reads or writes files or sockets, but "
    "for the weights' loader.",
)


def export(model, directory, importance_samples=100, protocol=None, log=logging.getLogger(__name__).warning):
    """Writes the model, with the weights that it holds now, as the next version folder of `directory`; returns that
    folder's path.

    Args:
        model: a built `zoo.model.Model`.
        directory: where version folders 1, 2, ... lie; made if it is missing.
        importance_samples: draws that an importance-weighted `log_prob` averages; at least 1.
        protocol: how the model was trained and measured, a dict for the card.
        log: a function of one string, told if the folder has no warm-up file.

    Raises:
        ValueError: if `importance_samples` is less than 1, or the model's graph holds an op that is not on the list of
            `zoo.serving.graph`.
        OSError: if the folder can't be written. Nothing is left behind by a failure.
    """
    if importance_samples < 1:
        raise ValueError(f"importance_samples must be at least 1, found {importance_samples}.")
    found = signatures(model, importance_samples)
    with _version_folder(pathlib.Path(directory)) as (folder, publish), _folded(model):
        functions = {name: signature.trace() for name, signature in found.items() if name != "serving_default"}
        _write_graph(functions, folder)
        examples = _examples(found, functions)
        extra = folder / "assets.extra"
        extra.mkdir()
        np.savez(extra / "examples.npz", **{f"{name}/{side}/{key}": value for name, sides in examples.items()
                                           for side, values in sides.items() for key, value in values.items()})
        warm = _write_warmup(model, examples, extra)
        if not warm:
            log("export: no warm-up file, because tensorflow-serving-api is not installed (extra `serving`).")
        card = _card(model, found, functions, importance_samples, protocol, warm)
        (extra / "card.json").write_text(json.dumps(card, indent=1, default=_plain) + "\n")
        return publish()


def _write_graph(functions, folder):
    """Saves the signatures, `serving_default` being the first of them, and refuses ops that a server should not run."""
    # The archive finds the weights that the signatures use by itself; `track(model)` would store each of them twice.
    archive = keras.export.ExportArchive()
    for name, function in functions.items():
        archive.add_endpoint(name, function)
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # it says where the assets are, which is not where they will be
    try:
        archive.write_out(str(folder), verbose=False)
    finally:
        logger.setLevel(level)
    graph.check(graph.parse((folder / "saved_model.pb").read_bytes()))


def _examples(found, functions):
    """Computes {signature: {"inputs": arrays, "outputs": arrays}}, on the CPU, whose arithmetic a checker elsewhere has
    too.
    """
    rng, examples = np.random.default_rng(0), {}
    with tf.device("CPU:0"):
        for name, signature in found.items():
            given = signature.example(rng)
            answer = functions[signature.name](**{key: tf.constant(value) for key, value in given.items()})
            examples[name] = {"inputs": given, "outputs": {key: value.numpy() for key, value in answer.items()}}
    return examples


def _write_warmup(model, examples, extra):
    """Writes a request of one row per signature; returns False if the protocol buffers for that are not installed."""
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        return False
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for name, example in examples.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = _name(model), name
            for key, value in _one_row(name, example["inputs"]).items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())
    return True


def _one_row(name, inputs):
    """Returns the inputs of a signature's example that ask for one row."""
    if name == "sample_n":
        return inputs | {"num_samples": np.int32(1)}
    return {key: value[:1] for key, value in inputs.items()}


def _name(model):
    """Returns the model's name in the zoo, or of its class where it is none of the zoo's."""
    names = {cls: name for name, cls in zoo.MODELS.items()}
    return names.get(type(model), type(model).__name__)


def _card(model, found, functions, importance_samples, protocol, warm):
    """Returns what `card.json` says: the model, its signatures field by field, and what they promise."""
    kind, domain = likelihood_kind(model), model.domain
    return dict(
        format=FORMAT, model=_name(model), config=model.get_config(), parameters=model.count_params(),
        domain=dataclasses.asdict(domain), likelihood=kind,
        importance_samples=importance_samples if kind == "lower_bound" and "log_prob" in found else None,
        signatures={name: _entry(signature, functions[signature.name]) for name, signature in found.items()},
        serving_default=found["serving_default"].name,
        protocol=protocol or {}, warmup=warm, promises=PROMISES,
        versions={"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__,
                  "tensorflow_probability": tfp.__version__, "numpy": np.__version__,
                  "generative-zoo": _distribution()})


def _entry(signature, function):
    """Returns what the card says of a signature, whose outputs' types and shapes the traced function tells."""
    batch = "batch" if signature.batchable else "num_samples"

    def describe(item, dtype, shape):
        sizes = [batch if size is None else size for size in shape]
        return dict(dtype=dtype.name, shape=sizes, meaning=item.meaning, unit=item.unit, range=item.range)

    def describe_input(item):
        usual = {} if item.default is None else {"default": item.default}
        return describe(item, item.dtype, item.shape) | usual

    traced = function.get_concrete_function(**signature.specs()).structured_outputs
    return dict(meaning=signature.meaning, batchable=signature.batchable,
                inputs={item.name: describe_input(item) for item in signature.inputs},
                outputs={item.name: describe(item, traced[item.name].dtype, traced[item.name].shape)
                         for item in signature.outputs})


def _distribution():
    """Returns the version of the installed package, or None."""
    try:
        return importlib.metadata.version("generative-zoo")
    except importlib.metadata.PackageNotFoundError:
        return None


def _plain(value):
    """Returns what JSON stores of a configuration's entry that is no plain value: another model, numpy's arrays."""
    if hasattr(value, "get_config"):
        return {"class": type(value).__name__, "config": value.get_config()}
    return value.tolist() if hasattr(value, "tolist") else str(value)


@contextlib.contextmanager
def _folded(model):
    """Makes what is traced within read what layers with a `fold` compute as weights: spectrally normalised kernels."""
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "fold")]
    try:
        for layer in layers:
            layer.fold()
        yield
    finally:
        for layer in layers:
            layer.unfold()


@contextlib.contextmanager
def _version_folder(directory):
    """Gives (a hidden folder, a function that puts it in its place and returns that); leaves nothing behind if the
    block fails."""
    missing = [p for p in (directory, *directory.parents) if not p.exists()]
    hidden = directory / f".export-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        hidden.mkdir(parents=True)
        yield hidden, lambda: _publish(hidden, directory)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        with contextlib.suppress(OSError):  # another export may be using the folders that this one made
            for made in missing:
                made.rmdir()
        raise


def _publish(hidden, directory):
    """Renames the folder to the number after the last, once every byte of it is on disk."""
    for path in (*hidden.rglob("*"), hidden):
        _sync(path)
    number = 1 + max((int(p.name) for p in directory.iterdir() if p.name.isdecimal()), default=0)
    while True:
        # rename() never replaces a folder that holds something: whoever took the number first keeps it.
        try:
            hidden.rename(directory / str(number))
            break
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            number += 1
    _sync(directory)
    return directory / str(number)


def _sync(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
