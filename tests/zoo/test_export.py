"""Export: every model's folder answers in TensorFlow's C API as the model does, says what it holds, and takes a number
of its own."""

import concurrent.futures
import json
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tests.support import cases
from tests.support.exports import EVERY, exported, gan, spoil  # noqa: F401 (fixtures)
from zoo import random
from zoo.capabilities import capabilities, likelihood_kind
from zoo.serving import check, graph
from zoo.serving import export as exporting
from zoo.serving.export import export
from zoo.serving.signatures import signatures


def card(folder):
    return json.loads((folder / "assets.extra" / "card.json").read_text())


@pytest.mark.parametrize("name", EVERY)
def test_the_folder_answers_as_the_model(exported, name):
    model, folder = exported(name)
    report = check.check(folder).splitlines()
    expected = {*capabilities(model), "serving_default"} | ({"sample_n"} if "sample" in capabilities(model) else set())
    assert {line.split(":")[0] for line in report[:-1]} == expected == set(card(folder)["signatures"])


@pytest.mark.parametrize("name", EVERY)
def test_card_and_examples_describe_the_graph_and_the_model(exported, name):
    model, folder = exported(name)
    found = graph.signatures(graph.parse((folder / "saved_model.pb").read_bytes()))
    _, _, said, examples = check.read(folder)
    assert said["config"] == json.loads(json.dumps(model.get_config())) and said["protocol"] == {"steps": 3}
    assert said["likelihood"] == likelihood_kind(model)
    for signature, definition in found.items():
        for side, fields in (("inputs", definition.inputs), ("outputs", definition.outputs)):
            assert set(said["signatures"][signature][side]) == set(fields)
            for key, info in fields.items():
                entry, example = said["signatures"][signature][side][key], examples[signature][side][key]
                dtype, shape = tf.as_dtype(info.dtype), [dim.size for dim in info.tensor_shape.dim]
                assert entry["dtype"] == dtype.name
                assert [-1 if isinstance(size, str) else size for size in entry["shape"]] == shape
                assert entry["meaning"] and entry["unit"] and example.dtype == dtype.as_numpy_dtype
                low, high = entry["range"] or (None, None)
                assert (low is None or example.min() >= low - 1e-6) and (high is None or example.max() <= high + 1e-6)
    assert said["serving_default"] == ("sample" if "sample" in found else "reconstruct")
    assert said["signatures"]["serving_default"] == said["signatures"][said["serving_default"]]
    if "sample_n" in found:
        given = {key: tf.constant(value) for key, value in examples["sample_n"]["inputs"].items()}
        condition = tf.repeat(given["condition"][None], 3, axis=0) if "condition" in given else None
        rows = model.sample(random.rows(given["seed"], 3), condition)
        np.testing.assert_allclose(rows, examples["sample_n"]["outputs"]["sample"], atol=1e-5)
    if "denoise" in found:
        given, answer = (tf.constant(*examples["denoise"][side].values()) for side in ("inputs", "outputs"))
        np.testing.assert_allclose(model.denoise(given), answer, atol=1e-5)
    if said["likelihood"] == "exact":
        given = {key: tf.constant(value) for key, value in examples["log_prob"]["inputs"].items()}
        np.testing.assert_allclose(examples["log_prob"]["outputs"]["log_prob"], model.log_prob(**given), rtol=1e-5)
        assert (
            "exact" in said["signatures"]["log_prob"]["outputs"]["log_prob"]["meaning"]
            and said["importance_samples"] is None
        )
    elif "log_prob" in found:
        assert (
            "5 draws" in said["signatures"]["log_prob"]["outputs"]["log_prob"]["meaning"]
            and said["importance_samples"] == 5
        )


@pytest.mark.parametrize("name", EVERY)
def test_warm_up_holds_one_request_per_signature(exported, name):
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    model, folder = exported(name)
    found = graph.signatures(graph.parse((folder / "saved_model.pb").read_bytes()))
    requests = {}
    for record in tf.data.TFRecordDataset(str(folder / "assets.extra" / "tf_serving_warmup_requests")):
        request = logs.PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.signature_name not in requests
        requests[request.model_spec.signature_name] = {key: tf.make_ndarray(value) for key,
                                                       value in request.inputs.items()}
    assert set(requests) == set(found) and card(folder)["warmup"] is True
    examples = check.read(folder)[3]
    for signature, inputs in requests.items():
        rows = examples[signature]["inputs"]
        wanted = (
            rows | {"num_samples": np.int32(1)}
            if signature == "sample_n"
            else {key: value[:1] for key, value in rows.items()}
        )
        assert set(inputs) == set(found[signature].inputs)
        for key, value in wanted.items():
            np.testing.assert_array_equal(inputs[key], value, strict=True)


def test_without_the_serving_protocol_there_is_no_warm_up_file(gan, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    said = []
    folder = export(gan, tmp_path, log=said.append)
    assert len(said) == 1 and "tensorflow-serving-api" in said[0] and card(folder)["warmup"] is False
    assert {p.name for p in (folder / "assets.extra").iterdir()} == {"card.json", "examples.npz"}


def test_every_op_of_the_graph_and_of_its_functions_is_looked_at(exported):
    data = (exported("vae")[1] / "saved_model.pb").read_bytes()
    meta = graph.parse(data)
    functions = {f.signature.name for f in meta.graph_def.library.function}
    nodes = [*meta.graph_def.node, *(node for f in meta.graph_def.library.function for node in f.node_def)]
    assert graph.check(meta) == {node.op for node in nodes} - functions
    assert {"RestoreV2", "SaveV2", "BitwiseXor"} <= graph.check(meta)
    assert graph.INIT in meta.signature_def and set(graph.signatures(meta)) == set(meta.signature_def) - {graph.INIT}
    for broken in (data[:len(data) // 2], data[1:], b"", b"\xff" * 50):
        with pytest.raises(ValueError, match="saved_model.pb"):
            graph.parse(broken)


@pytest.mark.parametrize("where", ["node", "function", "loader's function", "unused function"])
def test_an_op_is_refused_wherever_it_is(where):
    """What loads the weights may read files, but only with the loader's own ops."""
    meta = meta_graph_pb2.MetaGraphDef()
    meta.saver_def.restore_op_name = "restore"
    meta.graph_def.node.add(name="restore", op="PartitionedCall").attr["f"].func.name = "loading"
    called = "serving" if where == "function" else "another"
    meta.graph_def.node.add(name="y", op="PartitionedCall").attr["f"].func.name = called
    meta.signature_def["sample"].outputs["y"].name = "y:0"
    for name in ("loading", "serving", "unused"):
        meta.graph_def.library.function.add().signature.name = name
    loading, serving, unused = meta.graph_def.library.function
    loading.node_def.add(name="read", op="RestoreV2")
    assert graph.check(meta) == {"PartitionedCall", "RestoreV2"}
    place = {"node": meta.graph_def.node, "function": serving.node_def, "loader's function": loading.node_def,
             "unused function": unused.node_def}[where]
    place.add(name="bad", op="ReadFile" if where == "loader's function" else "RestoreV2")
    with pytest.raises(ValueError, match="op .* of '.*bad' is not on the list"):
        graph.check(meta)


def test_the_graph_is_read_as_its_loader_reads_it():
    """Of a field that is written twice the last counts, and messages merge."""
    node = node_def_pb2.NodeDef(name="a", op="Identity").SerializeToString()
    node += node_def_pb2.NodeDef(op="ReadFile").SerializeToString()
    data = node
    for field in (1, 2, 2):  # GraphDef.node, MetaGraphDef.graph_def, SavedModel.meta_graphs
        data = bytes([field << 3 | 2, len(data)]) + data
    with pytest.raises(ValueError, match="op 'ReadFile' of 'a'"):
        graph.check(graph.parse(data))


def test_examples_of_a_grammars_strings_are_derivations():
    model = cases.shared("grammar_vae")
    inputs = signatures(model, 3)["arithmetic"].example(np.random.default_rng(0))
    assert set(inputs) == set("abc")
    for x in inputs.values():
        assert tf.gather(model.derivations.allowed(x), x, batch_dims=2).numpy().all()
    assert not np.array_equal(inputs["a"], inputs["b"])  # else a server that swaps them would not be noticed


def test_weights_are_stored_once(exported):
    model, folder = exported("vae")
    names = [name for name, _ in tf.train.list_variables(str(folder / "variables" / "variables"))
             if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert len(names) == len(model.weights)


def test_listed_ops_exist_and_hold_no_state_but_known():
    """A typing error in the list would never match; an op that TensorFlow calls stateful must be there for a reason."""
    from tensorflow.python.framework import op_def_registry

    ops = {name: op_def_registry.get(name) for name in graph.ALLOWED | graph.LOADER}
    assert [name for name, op in ops.items() if op is None] == []
    assert {name for name in graph.ALLOWED if ops[name].is_stateful} == {
        "VarHandleOp", "ReadVariableOp", "ResourceGather", "ResourceGatherNd", "StatefulPartitionedCall", "If", "While",
        "Case", "Assert", "CheckNumerics",
        "StatelessRandomGetAlg"}
    assert not graph.ALLOWED & graph.LOADER


@pytest.mark.parametrize("how",
                         ["EagerPyFunc", "WriteFile", "ReadFile", "RestoreV2", "RandomStandardNormal",
                          "jit_compile=True"])
def test_export_refuses_what_a_server_should_not_run_and_leaves_nothing(gan, tmp_path, how):
    spoil(gan, how)
    with pytest.raises(ValueError, match=how):
        export(gan, tmp_path / "new" / "export")
    assert list(tmp_path.iterdir()) == []


def test_a_model_made_for_two_replicas(tmp_path):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = cases.make("gan")
    check.check(export(model, tmp_path))


def test_the_next_number_and_never_over_another(gan, tmp_path):
    for taken in ("1", "7", "old", ".export-1-dead"):
        (tmp_path / taken).mkdir()
    (tmp_path / "7" / "file").write_text("mine")
    assert export(gan, tmp_path) == tmp_path / "8" and export(gan, str(tmp_path)) == tmp_path / "9"
    assert (tmp_path / "7" / "file").read_text() == "mine" and sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["1", "7", "8", "9", "old", ".export-1-dead"])


def test_exports_at_the_same_time_take_different_numbers(tmp_path):
    def one(index):
        with exporting._version_folder(tmp_path / "export") as (folder, publish):
            (folder / "who").write_text(str(index))
            return publish()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        done = list(pool.map(one, range(64)))
    assert sorted(int(p.name) for p in done) == list(range(1, 65))
    assert [p.joinpath("who").read_text() for p in done] == [str(i) for i in range(64)]


def test_a_number_that_is_taken_at_the_last_moment(tmp_path, monkeypatch):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "file").write_text("mine")
    (tmp_path / "2").write_text("a file")
    with exporting._version_folder(tmp_path) as (folder, publish):
        (folder / "who").write_text("late")
        monkeypatch.setattr(pathlib.Path, "iterdir", lambda self: iter(()))  # as it was before the others came
        assert publish() == tmp_path / "3"
    assert (tmp_path / "1" / "file").read_text() == "mine" and (tmp_path / "2").read_text() == "a file"


@pytest.mark.parametrize("part", ["savez", "replace"])
def test_a_failure_leaves_what_was_there(gan, tmp_path, monkeypatch, part):
    (tmp_path / "1").mkdir()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*{"savez": (np, "savez", full), "replace": (pathlib.Path, "rename", full)}[part])
    with pytest.raises(OSError, match="No space"):
        export(gan, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["1"]


def test_importance_samples_must_be_positive(gan, tmp_path):
    with pytest.raises(ValueError, match="importance_samples must be at least 1, found 0"):
        export(gan, tmp_path, importance_samples=0)
