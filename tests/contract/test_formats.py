"""Runs of the version before: read, with their averages, and never resumed."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from trainers import evaluate, export, sample, train
from trainers.errors import BadInput
from trainers.runs import run as runs
from trainers.runs.workdir import FORMAT

DATA = pathlib.Path(__file__).parents[1] / "data"


@pytest.fixture
def old(tmp_path):
    return pathlib.Path(shutil.copytree(DATA / "run-format-1", tmp_path / "run"))


@pytest.mark.parametrize("name", ["run-format-1", "run-format-1-ladder_vae", "run-format-1-vq_vae"])
def test_a_run_of_format_1_has_its_averages(name):
    """The weights, and what the model makes of six examples without noise, as the version that wrote the run recorded
    them.
    """
    model, expected = runs.load(DATA / name).model, np.load(DATA / name / "recorded.npz")
    raw = tf.train.load_checkpoint(str(DATA / name / "checkpoints"))
    differing = 0
    for index, weight in enumerate(model.get_weights()):
        np.testing.assert_array_equal(weight, expected[f"weight_{index:03d}"])
        differing += np.any(weight != raw.get_tensor(f"weights/{index}/.ATTRIBUTES/VARIABLE_VALUE"))
    assert differing > 5 and f"weight_{index + 1:03d}" not in expected
    code = model.encode(expected["x"])
    np.testing.assert_allclose(code, expected["encode"], atol=1e-5)
    np.testing.assert_allclose(model.decode(expected["encode"]), expected["decode"], atol=1e-5)
    if "elbo" in expected:
        np.testing.assert_allclose(model.elbo(expected["x"], 0), expected["elbo"], rtol=1e-5)


def test_a_run_of_format_1_is_evaluated_sampled_and_exported(old, tmp_path):
    assert evaluate.run(["zoo-evaluate", f"--workdir={old}"]) == 0
    assert "negative_elbo" in (old / "results.json").read_text()
    assert sample.run(["zoo-sample", f"--workdir={old}", f"--out={tmp_path / 'samples.npy'}", "--num_samples=3"]) == 0
    assert np.load(tmp_path / "samples.npy").shape == (3, 8, 8, 1)
    assert export.run(["zoo-export", f"--workdir={old}"]) == 0
    recorded = np.load(old / "recorded.npz")
    found = tf.saved_model.load(str(old / "export" / "1")).signatures["decode"](z=tf.constant(recorded["encode"]))
    np.testing.assert_allclose(next(iter(found.values())), recorded["decode"], atol=1e-5)


def test_a_run_of_format_1_is_not_resumed(old, capfd):
    command = json.loads((old / "config.json").read_text())["command"].replace("'", "").split()[1:]
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    assert train.run(["zoo-train", *command, f"--workdir={old}", "--steps=40"]) == 2
    error = capfd.readouterr().err
    assert "evaluated, sampled and exported, but not resumed; choose another folder" in error
    assert "Traceback" not in error
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file() and path.name != ".lock"} == before


def test_a_format_of_a_later_version_is_not_guessed_at(old):
    description = json.loads((old / "config.json").read_text()) | dict(format=FORMAT + 1)
    (old / "config.json").write_text(json.dumps(description))
    with pytest.raises(BadInput, match=f"of format {FORMAT + 1}, of a later version"):
        runs.load(old)


def test_a_checkpoint_of_another_model_is_refused_in_a_sentence(old):
    description = json.loads((old / "config.json").read_text())
    description["config"]["model"]["hidden"] = [9]
    (old / "config.json").write_text(json.dumps(description))
    with pytest.raises(BadInput, match="the checkpoint of step 30 is not one of this model"):
        runs.load(old)
