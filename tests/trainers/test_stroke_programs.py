"""Drawings through the programs: trained, evaluated, drawn at a temperature, reconstructed, completed; and bad
input."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.trainers.test_stroke_data import drawings, write
from trainers import evaluate, sample, train
from trainers.pictures import strokes
from trainers.runs import run as runs
from zoo import random

TRAINED = ["--steps=3", "--batch_size=8", "--sample_every=3", "--eval_every=3",
           "--config.evaluation.importance_samples=4", "--config.evaluation.completions=4",
           "--config.model.components=2", "--config.data.length=16", "--noexport"]
TINY = {"sketch_rnn": ["--config.model.latent_size=2", "--config.model.encoder_units=4",
                       "--config.model.decoder_units=5"],
        "sketch_rnn_unconditional": ["--config.model.units=5", "--config.model.classes=2"]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """{model: the folder of its run}."""
    root = tmp_path_factory.mktemp("strokes")
    path = write(root, drawings())
    for model, arguments in TINY.items():
        assert train.run(["zoo-train", f"--model={model}", f"--dataset=ndjson:{path}", f"--workdir={root / model}",
                          *TRAINED, *arguments]) == 0
    return {model: root / model for model in TINY}


def drawn(folder, out, *arguments):
    assert sample.run(["zoo-sample", f"--workdir={folder}", f"--out={out}", "--seed=3", *arguments]) == 0
    return np.load(out) if out.suffix == ".npy" else out.read_bytes()


@pytest.mark.parametrize("model", TINY)
def test_a_run_shows_its_samples_and_its_protocol(folders, model):
    folder = folders[model]
    assert {file.suffix for file in (folder / "samples").glob("step-*")} == {".png", ".svg"}
    assert np.asarray(Image.open(folder / "samples" / "step-00000003.png")).shape == (8 * strokes.CELL + 1,) * 2 + (3,)
    description = json.loads((folder / "config.json").read_text())
    assert (
        description["shape"] == [16, 5]
        and description["data"]["scale"] > 0
        and "Douglas" in description["data"]["simplification"]
    )


def test_bounds_are_measured_of_the_model_with_codes(folders):
    folder = folders["sketch_rnn"]
    assert evaluate.run(["zoo-evaluate", f"--workdir={folder}", "--num_examples=4"]) == 0
    found = {record["metric"]: record for record in json.loads((folder / "results.json").read_text())}
    assert (
        found["negative_log_likelihood"]["kind"] == found["negative_elbo"]["kind"] == "upper_bound"
        and "energy_distance" not in found
    )
    assert found["negative_elbo"]["protocol"]["measure"] == "density of offsets divided by scale"


def test_the_likelihood_and_the_completion_of_the_other_are_exact(folders):
    folder = folders["sketch_rnn_unconditional"]
    assert evaluate.run(["zoo-evaluate", f"--workdir={folder}", "--num_examples=4"]) == 0
    found = {record["metric"]: record for record in json.loads((folder / "results.json").read_text())}
    missing, whole = found["missing_negative_log_likelihood_first"], found["negative_log_likelihood"]
    assert missing["kind"] == whole["kind"] == "exact" and whole["protocol"]["given"] == "class label"
    steps = whole["protocol"]["steps"]
    # of its own steps and its end
    assert (
        missing["protocol"]["hidden_places"] == pytest.approx(steps / 2 + 1, abs=3)
        and "4" in missing["protocol"]["given"]
    )


@pytest.mark.parametrize("model", TINY)
def test_samples_at_a_temperature_are_the_models(folders, tmp_path, model):
    folder, its = folders[model], runs.load(folders[model]).model
    seeds, condition = random.rows(random.seed(3), 7), tf.range(7) % 2 if its.domain.conditional else None
    plain = drawn(folder, tmp_path / "x.npy", "--num_samples=7")
    np.testing.assert_allclose(plain, its.sample(seeds, condition), atol=1e-5)
    cold = drawn(folder, tmp_path / "y.npy", "--num_samples=7", "--temperature=0.2")
    np.testing.assert_allclose(cold, its.sample(seeds, condition, temperature=0.2), atol=1e-5)
    assert np.abs(cold - plain).max() > 0.01
    assert drawn(folder, tmp_path / "x.png", "--num_samples=7") == strokes.file(plain, ".png")
    assert drawn(folder, tmp_path / "x.svg", "--num_samples=7").decode() == strokes.svg(plain)


def test_reconstructions_and_paths(folders, tmp_path):
    folder = folders["sketch_rnn"]
    pairs = drawn(folder, tmp_path / "x.npy", "--mode=reconstruct", "--num_samples=3")
    model = runs.load(folder).model
    np.testing.assert_allclose(pairs[:, 1], model.decode(model.encode(pairs[:, 0])), atol=1e-5)
    assert drawn(folder, tmp_path / "x.svg", "--mode=reconstruct",
                 "--num_samples=3").decode() == strokes.svg(np.concatenate([pairs[:, 0], pairs[:, 1]]), 3)
    assert drawn(folder, tmp_path / "y.npy", "--mode=interpolate", "--num_samples=1").shape == (1, 10, 16, 5)


@pytest.mark.slow
def test_completions_keep_the_first_half_of_each_sketch(folders, tmp_path):
    folder = folders["sketch_rnn_unconditional"]
    x = drawn(folder, tmp_path / "x.npy", "--mode=complete", "--num_samples=3")
    assert x.shape == (3, 7, 16, 5)
    for candidates in x:
        half = int(candidates[-1, :, 4].argmax() + 1) // 2
        np.testing.assert_array_equal(candidates[:, :half], np.repeat(candidates[-1:, :half], 7, 0))
        assert len(np.unique(candidates[:6], axis=0)) > 1
    cold = drawn(folder, tmp_path / "y.npy", "--mode=complete", "--num_samples=3", "--temperature=0.1")
    assert np.any(cold != x) and np.all(cold[:, -1] == x[:, -1])
    assert drawn(folder, tmp_path / "x.png", "--mode=complete", "--num_samples=3")[1:4] == b"PNG"
    assert b"rgb(200, 40, 40)" in drawn(folder, tmp_path / "x.svg", "--mode=complete", "--num_samples=1")


@pytest.mark.parametrize("model, arguments, said", [
    ("sketch_rnn", ["--temperature=0"], "--temperature must be 0.0001 to 100, found 0."),
    ("sketch_rnn", ["--temperature=-1"], "--temperature must be 0.0001 to 100"),
    ("sketch_rnn", ["--mode=complete"], "it has sample, reconstruct, interpolate, traverse, arithmetic, manifold"),
    ("sketch_rnn", ["--mode=reconstruct", "--temperature=0.5"], "--temperature"),
    ("sketch_rnn", ["--prompt=x"], "goes on with no text"),
    ("sketch_rnn", ["--top_k=3", "--temperature=0.5"],
     "--top_k: model 'sketch_rnn' of this run has no such control; it has temperature."),
    ("sketch_rnn", ["--out={tmp}/x.wav"], "unknown ending '.wav'"),
    ("sketch_rnn_unconditional", ["--prompt=x"], "goes on with no text"),
    ("sketch_rnn_unconditional", ["--mode=complete", "--temperature=0"], "--temperature must be 0.0001 to 100"),
    ("sketch_rnn_unconditional", ["--mode=complete", "--mask=random"], "--mask=random"),
])
def test_bad_input_of_zoo_sample(folders, tmp_path, capsys, model, arguments, said):
    arguments = [argument.format(tmp=tmp_path) for argument in arguments]
    out = [] if any(argument.startswith("--out") for argument in arguments) else [f"--out={tmp_path / 'x.npy'}"]
    capsys.readouterr()
    assert sample.run(["zoo-sample", f"--workdir={folders[model]}", "--num_samples=3", *out, *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lines, arguments, words", [
    (["{\"drawing\": []}"], [], "line 61 has a drawing without strokes"), (["", "{}"], [], "line 61 is empty"),
    ([], ["--config.data.length=4"], "--config.data.length=4: line 3"),
    ([], ["--config.model.latent_size=0"], "latent_size"),
    ([], ["--config.model.classes=7"], "set --config.model.classes=2."),
    ([], ["--model=vae"], "shape must be an image's")])
def test_bad_input_of_zoo_train(tmp_path, capfd, lines, arguments, words):
    path = write(tmp_path, [*drawings(), *lines])
    code = train.run(["zoo-train", "--model=sketch_rnn", f"--dataset=ndjson:{path}", f"--workdir={tmp_path / 'run'}",
                      "--steps=2", *arguments])
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert code == 2 and len(errors) == 1 and words in errors[0], errors
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
