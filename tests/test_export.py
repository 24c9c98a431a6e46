"""Export: every model's folder answers in TensorFlow's C API as the model does, and a folder that would not is refused."""

import concurrent.futures
import functools
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests import cases
from trainers import serving_check
from zoo import export as exporting
from zoo import random, serving_graph
from zoo.export import export
from zoo.model import Domain, GenerativeModel, Player, capabilities, likelihood_kind


class Labelled(GenerativeModel):
    """A model of every conditional capability in closed form: x = shift[condition] + eps, eps ~ N(0, I), and z = x - shift[condition]."""

    def __init__(self, classes=4, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.shift = self.add_weight(shape=(classes, 1), initializer="random_normal", name="shift")
        self.build()

    domain = property(lambda self: Domain("real", (2, 3), classes=self.classes))

    def get_config(self):
        return dict(classes=self.classes)

    def where(self, condition):
        return tf.gather(tf.convert_to_tensor(self.shift), condition)[:, None]  # [B, 1, 1]

    def players(self):
        return (Player("model", self.trainable_weights, lambda batch, seed: {"nll": -self.log_prob(*batch)}),)

    def call(self, batch):
        return self.log_prob(*batch)

    def log_prob(self, x, condition=None):
        return tfp.distributions.Independent(tfp.distributions.Normal(self.where(condition), tf.ones([2, 3])), 2).log_prob(x)

    def encode(self, x, condition=None):
        return x - self.where(condition)

    def decode(self, z, condition=None):
        return z + self.where(condition)

    def sample(self, seeds, condition=None):
        return self.decode(random.normal_rows(seeds, [2, 3]), condition)

    def complete(self, x, mask, seeds, condition=None):
        return tf.where(mask, x, self.sample(seeds, condition))


MAKERS = {name: functools.partial(cases.make, name) for name in cases.CASES} | {"labelled": Labelled}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function of a model's name that exports it once: (model, folder)."""

    @functools.cache
    def make(name):
        model = MAKERS[name]()
        return model, export(model, tmp_path_factory.mktemp(name) / "export", importance_samples=5, protocol={"steps": 3})

    return make


@pytest.fixture
def gan():
    """A small model to spoil, and its folder's place."""
    return cases.make("gan")


def card(folder):
    return json.loads((folder / "assets.extra" / "card.json").read_text())


@pytest.mark.parametrize("name", MAKERS)
def test_the_folder_answers_as_the_model(exported, name):
    model, folder = exported(name)
    report = serving_check.check(folder).splitlines()
    expected = {*capabilities(model), "serving_default", "sample_n"}
    assert {line.split(":")[0] for line in report[:-1]} == expected == set(card(folder)["signatures"])


@pytest.mark.parametrize("name", MAKERS)
def test_card_and_examples_describe_the_graph_and_the_model(exported, name):
    model, folder = exported(name)
    found = serving_graph.signatures((folder / "saved_model.pb").read_bytes())
    _, _, said, examples = serving_check.read(folder)
    assert said["config"] == json.loads(json.dumps(model.get_config())) and said["protocol"] == {"steps": 3}
    assert said["likelihood"] == likelihood_kind(model)
    for signature, sides in found.items():
        for side, fields in zip(("inputs", "outputs"), sides):
            assert set(said["signatures"][signature][side]) == set(fields)
            for key, (_, dtype, shape) in fields.items():
                entry, example = said["signatures"][signature][side][key], examples[signature][side][key]
                assert (entry["dtype"], [-1 if isinstance(n, str) else n for n in entry["shape"]]) == (tf.as_dtype(dtype).name, list(shape))
                assert entry["meaning"] and entry["unit"] and example.dtype == tf.as_dtype(dtype).as_numpy_dtype
                low, high = entry["range"] or (None, None)
                assert (low is None or example.min() >= low - 1e-6) and (high is None or example.max() <= high + 1e-6)
    given = {key: tf.constant(value) for key, value in examples["sample_n"]["inputs"].items()}
    condition = tf.repeat(given["condition"], 3) if "condition" in given else None
    rows = model.sample(random.rows(given["seed"], 3), condition)
    np.testing.assert_allclose(rows, examples["sample_n"]["outputs"]["sample"], atol=1e-5)
    if said["likelihood"] == "exact":
        given = {key: tf.constant(value) for key, value in examples["log_prob"]["inputs"].items()}
        np.testing.assert_allclose(examples["log_prob"]["outputs"]["log_prob"], model.log_prob(**given), rtol=1e-5)
        assert "exact" in said["signatures"]["log_prob"]["outputs"]["log_prob"]["meaning"] and said["importance_samples"] is None
    elif "log_prob" in found:
        assert "5 draws" in said["signatures"]["log_prob"]["outputs"]["log_prob"]["meaning"] and said["importance_samples"] == 5


@pytest.mark.parametrize("name", MAKERS)
def test_warm_up_holds_one_request_per_signature(exported, name):
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    model, folder = exported(name)
    found = serving_graph.signatures((folder / "saved_model.pb").read_bytes())
    requests = {}
    for record in tf.data.TFRecordDataset(str(folder / "assets.extra" / "tf_serving_warmup_requests")):
        request = logs.PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.signature_name not in requests
        requests[request.model_spec.signature_name] = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
    assert set(requests) == set(found) and card(folder)["warmup"] is True
    examples = serving_check.read(folder)[3]
    for signature, inputs in requests.items():
        rows = examples[signature]["inputs"]
        wanted = rows | {"num_samples": np.int32(1)} if signature == "sample_n" else {key: value[:1] for key, value in rows.items()}
        assert set(inputs) == set(found[signature][0])
        for key, value in wanted.items():
            np.testing.assert_array_equal(inputs[key], value, strict=True)


def test_without_the_serving_protocol_there_is_no_warm_up_file(gan, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    said = []
    folder = export(gan, tmp_path, log=said.append)
    assert len(said) == 1 and "tensorflow-serving-api" in said[0] and card(folder)["warmup"] is False
    assert {p.name for p in (folder / "assets.extra").iterdir()} == {"card.json", "examples.npz"}


def test_the_reader_agrees_with_tensorflow(exported):
    from tensorflow.core.protobuf import saved_model_pb2

    data = (exported("vae")[1] / "saved_model.pb").read_bytes()
    meta = saved_model_pb2.SavedModel.FromString(data).meta_graphs[0]
    functions = {f.signature.name for f in meta.graph_def.library.function}
    nodes = [*meta.graph_def.node, *(node for f in meta.graph_def.library.function for node in f.node_def)]
    assert serving_graph.check(data) == {node.op for node in nodes} - functions
    assert {"RestoreV2", "SaveV2", "StatelessWhile"} <= serving_graph.check(data)

    def tensors(infos):
        return {key: (info.name, info.dtype, tuple(d.size for d in info.tensor_shape.dim)) for key, info in infos.items()}

    assert serving_graph.signatures(data) == {name: (tensors(s.inputs), tensors(s.outputs)) for name, s in meta.signature_def.items()
                                              if name != serving_graph.INIT}
    for broken in (data[:len(data) // 2], data[1:], b"", b"\xff" * 50):
        with pytest.raises(ValueError, match="saved_model.pb"):
            serving_graph.check(broken)


def test_weights_are_stored_once(exported):
    model, folder = exported("vae")
    names = [name for name, _ in tf.train.list_variables(str(folder / "variables" / "variables")) if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert len(names) == len(model.weights)


def test_listed_ops_exist_and_hold_no_state_but_known():
    """A typing error in the list would never match; an op that TensorFlow calls stateful must be there for a reason."""
    from tensorflow.python.framework import op_def_registry

    ops = {name: op_def_registry.get(name) for name in serving_graph.ALLOWED | serving_graph.LOADER}
    assert [name for name, op in ops.items() if op is None] == []
    assert {name for name in serving_graph.ALLOWED if ops[name].is_stateful} == {
        "VarHandleOp", "ReadVariableOp", "ResourceGather", "ResourceGatherNd", "StatefulPartitionedCall", "If", "While", "Case", "Assert", "CheckNumerics",
        "StatelessRandomGetAlg"}
    assert not serving_graph.ALLOWED & serving_graph.LOADER


def spoil(model, how):
    """Puts an op that a server should not run behind the model's `sample`."""
    sample = model.sample
    ways = {
        "EagerPyFunc": lambda x: tf.ensure_shape(tf.py_function(lambda x: x, [x], tf.float32), x.shape),
        "WriteFile": lambda x: _after(tf.io.write_file("/tmp/never", "x"), x),
        "ReadFile": lambda x: x + 0.0 * tf.cast(tf.strings.length(tf.io.read_file("/dev/null")), tf.float32),
        "RestoreV2": lambda x: x + 0.0 * tf.raw_ops.RestoreV2(prefix="x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])[0],
        "RandomStandardNormal": lambda x: x + tf.random.normal(tf.shape(x)),
        "jit_compile=True": tf.function(lambda x: 2.0 * x, jit_compile=True),
    }
    model.sample = lambda seeds, condition=None: ways[how](sample(seeds, condition=condition))


def _after(operation, x):
    with tf.control_dependencies([operation]):
        return tf.identity(x)


@pytest.mark.parametrize("how", ["EagerPyFunc", "WriteFile", "ReadFile", "RestoreV2", "RandomStandardNormal", "jit_compile=True"])
def test_export_refuses_what_a_server_should_not_run_and_leaves_nothing(gan, tmp_path, how):
    spoil(gan, how)
    with pytest.raises(ValueError, match=how):
        export(gan, tmp_path / "new" / "export")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["EagerPyFunc", "jit_compile=True"])
def test_check_refuses_it_too(gan, tmp_path, monkeypatch, how):
    spoil(gan, how)
    monkeypatch.setattr(serving_graph, "check", lambda data: None)
    folder = export(gan, tmp_path)
    with pytest.raises(ValueError, match=how):
        serving_check.check(folder)


@pytest.mark.parametrize("wrong, says", [
    (lambda x, seeds: x + tf.reduce_mean(x, axis=0), "alone"),
    (lambda x, seeds: x + tf.cast(tf.range(tf.shape(x)[0]), tf.float32)[:, None, None, None], "alone"),
    # Rows that go by their place from the front, where the last of three and an only row agree: seen in another order alone.
    (lambda x, seeds: x + tf.cast(tf.range(tf.shape(x)[0]) % 2, tf.float32)[:, None, None, None], "another order"),
])
def test_check_refuses_rows_that_are_not_independent(gan, tmp_path, wrong, says):
    sample = gan.sample
    gan.sample = lambda seeds, condition=None: wrong(sample(seeds), seeds)
    with pytest.raises(ValueError, match=f"'sample'.*rows.*{says}"):
        serving_check.check(export(gan, tmp_path))


@pytest.mark.parametrize("name, output, change", [("sample", "sample", 1), ("log_prob", "log_prob", 1e-3), ("encode", "z", np.nan)])
def test_a_tampered_example_is_found(exported, tmp_path, name, output, change):
    folder = shutil.copytree(exported("vae")[1], tmp_path / "1")
    path = folder / "assets.extra" / "examples.npz"
    arrays = dict(np.load(path))
    arrays[f"{name}/outputs/{output}"][1] += np.asarray(change, arrays[f"{name}/outputs/{output}"].dtype)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=f"'{name}'.*'{output}'"):
        serving_check.check(folder)


@pytest.mark.parametrize("found, wanted, away", [
    ([100.0, 1.0], [100.0, 1.0], 0.0), ([100.1, 1.0], [100.0, 1.0], 1e-3), ([0.001, 1.0], [0.0, 1.0], 1e-3), ([np.nan, np.inf], [np.nan, np.inf], 0.0),
    ([np.nan], [1.0], np.inf), ([1.0], [np.nan], np.inf), ([np.inf], [-np.inf], np.inf), ([1.0], [np.inf], np.inf), ([1.0, 2.0], [1.0], np.inf), ([], [], 0.0)])
def test_difference(found, wanted, away):
    assert serving_check.difference(np.float64(found), np.float64(wanted)) == pytest.approx(away)
    assert serving_check.difference(np.float32(wanted), np.float64(wanted)) == np.inf


def test_difference_of_integers_is_all_or_nothing():
    assert serving_check.difference(np.int32([1, 2]), np.int32([1, 2])) == 0 and serving_check.difference(np.int32([1, 2]), np.int32([1, 3])) == np.inf


def test_damaged_weights_are_found(exported, tmp_path):
    folder = shutil.copytree(exported("gan")[1], tmp_path / "1")
    weights = next((folder / "variables").glob("*data*"))
    data = bytearray(weights.read_bytes())
    data[8] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ValueError, match="failed while loading it.*[Cc]hecksum"):
        serving_check.check(folder)


@pytest.mark.parametrize("broken, code", [("no folder", 2), ("no card", 2), ("card of others", 2), ("cut examples", 2), ("cut graph", 1), ("no weights", 1)])
def test_exit_codes_and_one_sentence(exported, tmp_path, broken, code):
    folder = shutil.copytree(exported("gan")[1], tmp_path / "1")
    extra, graph = folder / "assets.extra", folder / "saved_model.pb"
    {
        "no folder": lambda: shutil.rmtree(folder), "no card": lambda: (extra / "card.json").unlink(),
        "card of others": lambda: (extra / "card.json").write_text("[]"), "no weights": lambda: shutil.rmtree(folder / "variables"),
        "cut examples": lambda: (extra / "examples.npz").write_bytes((extra / "examples.npz").read_bytes()[:300]),
        "cut graph": lambda: graph.write_bytes(graph.read_bytes()[:5000]),
    }[broken]()
    done = subprocess.run([sys.executable, "-m", "trainers.serving_check", str(folder)], capture_output=True, text=True,
                          cwd=pathlib.Path(__file__).parents[1])
    assert done.returncode == code and len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr, done.stderr


def test_the_checker_imports_no_tensorflow(exported):
    """Also: the folder above the versions stands for the newest of them."""
    code = "import sys; from trainers import serving_check; serving_check.main(sys.argv[1]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(exported("gan")[1].parent)], capture_output=True, text=True, check=True,
                          cwd=pathlib.Path(__file__).parents[1], env={"TF_CPP_MIN_LOG_LEVEL": "3", "PATH": ""})
    assert not {"tensorflow", "zoo", "keras", "google.protobuf"} & set(done.stdout.split())
    assert f"{exported('gan')[1]}: 3 signatures" in done.stdout


def test_a_model_made_for_two_replicas(tmp_path):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = cases.make("gan")
    serving_check.check(export(model, tmp_path))


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
