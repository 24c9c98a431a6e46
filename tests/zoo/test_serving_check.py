"""The checker of exported folders: a folder that does not answer as its model did, or holds what a server should not
run, is refused."""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.support.exports import exported, gan, spoil  # noqa: F401 (fixtures)
from zoo.serving import check, graph, session
from zoo.serving.export import export


@pytest.mark.parametrize("how", ["EagerPyFunc", "jit_compile=True"])
def test_check_refuses_it_too(gan, tmp_path, monkeypatch, how):
    spoil(gan, how)
    with monkeypatch.context() as patched:
        patched.setattr(graph, "check", lambda meta: None)
        folder = export(gan, tmp_path)
    with pytest.raises(ValueError, match=how):
        check.check(folder)


@pytest.mark.parametrize("wrong, says", [
    (lambda x, seeds: x + tf.reduce_mean(x, axis=0), "alone"),
    (lambda x, seeds: x + tf.cast(tf.range(tf.shape(x)[0]), tf.float32)[:, None, None, None], "alone"),
    # Rows that go by their place from the front, where the last of three and an only row agree: seen in another order
    # alone.
    (lambda x, seeds: x + tf.cast(tf.range(tf.shape(x)[0]) % 2, tf.float32)[:, None, None, None], "another order"),
])
def test_check_refuses_rows_that_are_not_independent(gan, tmp_path, wrong, says):
    sample = gan._sample
    gan._sample = lambda seeds, condition=None: wrong(sample(seeds), seeds)
    with pytest.raises(ValueError, match=f"'(sample|interpolate)'.*rows.*{says}"):
        check.check(export(gan, tmp_path))


@pytest.mark.parametrize("name, output, change",
                         [("sample", "sample", 1), ("log_prob", "log_prob", 1e-3), ("encode", "z", np.nan)])
def test_a_tampered_example_is_found(exported, tmp_path, name, output, change):
    folder = shutil.copytree(exported("vae")[1], tmp_path / "1")
    path = folder / "assets.extra" / "examples.npz"
    arrays = dict(np.load(path))
    arrays[f"{name}/outputs/{output}"][1] += np.asarray(change, arrays[f"{name}/outputs/{output}"].dtype)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=f"'{name}'.*'{output}'"):
        check.check(folder)


@pytest.mark.parametrize("found, wanted, away", [
    ([100.0, 1.0], [100.0, 1.0], 0.0), ([100.1, 1.0], [100.0, 1.0], 1e-3), ([0.001, 1.0], [0.0, 1.0], 1e-3),
    ([np.nan, np.inf], [np.nan, np.inf], 0.0),
    ([np.nan], [1.0], np.inf), ([1.0], [np.nan], np.inf), ([np.inf], [-np.inf], np.inf), ([1.0], [np.inf], np.inf),
    ([1.0, 2.0], [1.0], np.inf), ([], [], 0.0)])
def test_difference(found, wanted, away):
    assert session.difference(np.float64(found), np.float64(wanted)) == pytest.approx(away)
    assert session.difference(np.float32(wanted), np.float64(wanted)) == np.inf


def test_difference_of_integers_is_all_or_nothing():
    assert (
        session.difference(np.int32([1, 2]), np.int32([1, 2])) == 0
        and session.difference(np.int32([1, 2]), np.int32([1, 3])) == np.inf
    )


def test_damaged_weights_are_found(exported, tmp_path):
    folder = shutil.copytree(exported("gan")[1], tmp_path / "1")
    weights = next((folder / "variables").glob("*data*"))
    data = bytearray(weights.read_bytes())
    data[8] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ValueError, match="failed while loading it.*[Cc]hecksum"):
        check.check(folder)


@pytest.mark.parametrize("broken, code",
                         [("no folder", 2), ("no card", 2), ("card of others", 2), ("cut examples", 2),
                          ("cut graph", 1), ("no weights", 1)])
def test_exit_codes_and_one_sentence(exported, tmp_path, capsys, broken, code):
    folder = shutil.copytree(exported("gan")[1], tmp_path / "1")
    extra, graph = folder / "assets.extra", folder / "saved_model.pb"
    {
        "no folder": lambda: shutil.rmtree(folder), "no card": lambda: (extra / "card.json").unlink(),
        "card of others": lambda: (extra / "card.json").write_text("[]"),
        "no weights": lambda: shutil.rmtree(folder / "variables"),
        "cut examples": lambda: (extra / "examples.npz").write_bytes((extra / "examples.npz").read_bytes()[:300]),
        "cut graph": lambda: graph.write_bytes(graph.read_bytes()[:5000]),
    }[broken]()
    capsys.readouterr()
    assert check.main(["check", str(folder)]) == code
    said = capsys.readouterr()
    assert len(said.err.strip().splitlines()) == 1 and "Traceback" not in said.err and not said.out


def test_a_process_that_dies_is_told_of(exported, monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import ctypes; ctypes.string_at(0)")
    monkeypatch.setattr(session, "__file__", str(program))
    with pytest.raises(check.Mismatch, match="the check died with exit code -11"):
        check.check(exported("gan")[1])


def test_it_is_a_program(exported):
    """Also: the folder above the versions stands for the newest of them."""
    done = subprocess.run([sys.executable, check.__file__, str(exported("gan")[1].parent)], capture_output=True,
                          text=True, check=True)
    assert f"{exported('gan')[1]}: 4 signatures" in done.stdout and done.stdout.startswith("interpolate: agrees")


def test_what_loads_the_folder_imports_no_tensorflow(exported):
    folder = exported("gan")[1]
    found = graph.signatures(graph.parse((folder / "saved_model.pb").read_bytes()))
    given = json.dumps({name: check.tensors(signature) for name, signature in found.items()})
    code = ("import runpy, sys; runpy.run_path(sys.argv[1])['main'](sys.argv[2], sys.stdin.read()); "
            "print(*sys.modules)")
    done = subprocess.run([sys.executable, "-c", code, session.__file__, str(folder)], input=given, capture_output=True,
                          text=True, check=True, cwd=pathlib.Path(__file__).parents[2],
                          env={"TF_CPP_MIN_LOG_LEVEL": "3", "PATH": ""})
    assert not {"tensorflow", "zoo", "keras", "google.protobuf"} & set(done.stdout.split())
    assert "sample: agrees with the model" in done.stdout
