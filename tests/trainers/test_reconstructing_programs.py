"""The programs with models that can't be sampled: pictures while training, errors, modes of zoo-sample, one sentence
where a sample is asked for."""

import functools
import json
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from tests.support import runs
from tests.support.runs import draw
from trainers import evaluate, sample, train
from trainers.data import check, evaluation_batches, open_dataset
from trainers.modes import registry
from trainers.pictures import files, images
from trainers.runs import run as run_module
from trainers.training import previews
from zoo import operations, random

NUM = 50
CASES = {
    "autoencoder": dict(model="autoencoder", arguments=dict(latent_size=3, hidden=(6,), distortion="cross_entropy")),
    "denoising_autoencoder": dict(model="denoising_autoencoder",
                                  arguments=dict(levels=17, latent_size=9, hidden=(6,), distortion="categorical",
                                                 corruption="masking", level=0.25)),
}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """name -> (folder, model, its first 50 test examples)."""
    folder = tmp_path_factory.mktemp("runs")

    def make(name):
        path = runs.make(folder / name, **CASES[name])
        return path, *runs.load(path, NUM)[:2]

    return functools.cache(make)


def test_modes(case):
    assert registry.modes_of(case("autoencoder")[1]) == ["reconstruct", "interpolate", "traverse", "arithmetic"]
    assert registry.modes_of(case("denoising_autoencoder")[1]) == ["reconstruct", "interpolate", "traverse",
                                                                   "arithmetic",
                                                             "denoise"]


def test_reconstructions_and_paths(case, tmp_path):
    path, model, x = case("autoencoder")
    pairs = draw(path, tmp_path / "x.npy", "--mode=reconstruct", "--num_samples=12")
    np.testing.assert_allclose(pairs[:, 0], x[:12])
    np.testing.assert_allclose(pairs[:, 1], operations.reconstruct(model, x[:12]), atol=1e-5)
    paths = draw(path, tmp_path / "x.npy", "--mode=interpolate", "--num_samples=2", "--path=linear")
    np.testing.assert_allclose(paths, operations.interpolate(model, x[0:4:2], x[1:4:2], 10, "linear"), atol=1e-5)


@pytest.mark.parametrize("level", [None, 0.5])
def test_denoise_shows_clean_noisy_and_denoised(case, tmp_path, level):
    path, model, x = case("denoising_autoencoder")
    flags = ["--mode=denoise", "--num_samples=12"] + ([f"--level={level}"] if level else [])
    found = draw(path, tmp_path / "x.npy", *flags)
    noisy, denoised = operations.denoise(model, x[:12], random.rows(random.seed(3), 12), level=level)
    np.testing.assert_array_equal(found[:, 0], x[:12])
    np.testing.assert_allclose(found[:, 1], noisy, atol=1e-5)
    np.testing.assert_allclose(found[:, 2], denoised, atol=1e-4)
    assert np.mean((found[:, 1] != found[:, 0]).sum((1, 2, 3))) <= 64 * (level or 0.25)
    shown = draw(path, tmp_path / "x.png", *flags)
    stacks = [images.to_uint8(found[:, i], model.domain) for i in range(3)]
    blank = np.full((8, 8, 8, 1), images.SEPARATOR, np.uint8)
    lines = [stack[:10] for stack in stacks] + [np.concatenate([stack[10:], blank]) for stack in stacks]
    np.testing.assert_array_equal(shown, images.grid(np.concatenate(lines), columns=10)[..., 0])


@pytest.mark.parametrize("name, arguments, said", [
    ("autoencoder", [], "--mode=sample: model 'autoencoder' of this run can't; it has reconstruct, interpolate, "
                        "traverse, arithmetic."),
    ("denoising_autoencoder", ["--mode=sample"], "--mode=sample: model 'denoising_autoencoder' of this run can't; it "
                                                 "has reconstruct, interpolate, traverse, arithmetic, denoise."),
    ("autoencoder", ["--mode=denoise"], "it has reconstruct, interpolate, traverse, arithmetic."),
    ("autoencoder", ["--mode=reconstruct", "--level=0.5"],
     "--level: model 'autoencoder' of this run has no such control; it has none."),
    ("denoising_autoencoder", ["--mode=denoise", "--level=1.5"], "error: --level must be 0 to 1, found 1.5."),
    ("denoising_autoencoder", ["--mode=reconstruct", "--level=0.5"],
     "--level: goes with --mode=denoise, not with --mode=reconstruct."),
    ("denoising_autoencoder", ["--mode=denoise", "--num_samples=361"], "error: --num_samples: 361 test examples"),
])
def test_bad_input(case, capsys, name, arguments, said):
    path, *_ = case(name)
    before = sorted(path.rglob("*"))
    capsys.readouterr()
    assert sample.run(["zoo-sample", f"--workdir={path}", f"--out={path}/x.png", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1 and "Traceback" not in error
    assert sorted(path.rglob("*")) == before


def error(x, y, top=1.0):
    return np.sum((np.asarray(x, np.float64) / top - np.asarray(y, np.float64) / top) ** 2, (1, 2, 3))


def test_errors_are_measured_in_the_place_of_samples(case):
    for name, top in (("autoencoder", 1.0), ("denoising_autoencoder", 16.0)):
        path, model, x = case(name)
        assert evaluate.run(["zoo-evaluate", f"--workdir={path}", f"--num_examples={NUM}", "--batch_size=16",
                             "--seed=3"]) == 0
        found = {record["metric"]: record for record in json.loads((path / "results.json").read_text())}
        assert set(found) == {"reconstruction_error",
                              "distortion"} | ({"denoising_error"} if name != "autoencoder" else set())
        lacking = error(x, operations.reconstruct(model, x), top)
        wanted = {"reconstruction_error": (lacking, "squared error", "exact"),
                  "distortion": (model.distortion(x).numpy(), "nats", "exact")}
        if "denoising_error" in found:
            noisy, denoised = operations.denoise(model, x, random.rows(random.fold_in(random.seed(3), 5), NUM))
            wanted["denoising_error"] = error(x, denoised, top), "squared error", "estimate"
            assert found["denoising_error"]["protocol"]["corruption"] == "masking noise, level 0.25"
            np.testing.assert_allclose(found["denoising_error"]["protocol"]["noisy_error"], error(x, noisy, top).mean(),
                                       rtol=1e-4)
        for metric, (values, unit, kind) in wanted.items():
            record = found[metric]
            assert (record["unit"], record["kind"]) == (unit, kind)
            np.testing.assert_allclose(record["value"], values.mean(), rtol=1e-4)
            np.testing.assert_allclose(record["stderr"], values.std(ddof=1) / np.sqrt(NUM), rtol=1e-3)
        assert found["reconstruction_error"]["protocol"]["scale"] == "pixels on [0, 1]"


@pytest.mark.parametrize("flags", [[], ["--config.data.validation=37"]])
@pytest.mark.parametrize("name", CASES)
def test_pictures_while_training_show_the_same_examples(name, flags, tmp_path, monkeypatch):
    command = ["zoo-train", f"--model={name}", "--dataset=digits", "--steps=2", "--sample_every=1", "--noexport",
               "--config.model.hidden=(4,)", *flags]
    monkeypatch.setattr(sys, "argv", command)
    given = []
    monkeypatch.setattr(files, "beneath", lambda stacks, *a, _plain=files.beneath, **k: given.append(stacks)
                        or _plain(stacks, *a, **k))
    assert train.run([*command, f"--workdir={tmp_path}/run"]) == 0
    run = run_module.load(tmp_path / "run")
    dataset = open_dataset("digits", None, run.config.data)
    x = next(iter(evaluation_batches(dataset, "validation" if flags else "train", run.model.domain, previews.EXAMPLES,
                                     0, run.config.data, limit=previews.EXAMPLES)))
    first, last = given
    assert len(first) == len(last) == (3 if name == "denoising_autoencoder" else 2)
    np.testing.assert_array_equal(first[0], x)
    for i in range(len(first) - 1):
        np.testing.assert_array_equal(first[i], last[i])  # the examples and their noise
    assert np.any(first[-1] != last[-1])
    shown = np.asarray(Image.open(tmp_path / "run" / "samples" / "step-00000002.png"))
    np.testing.assert_array_equal(shown,
                                  images.grid(np.concatenate([images.to_uint8(stack, run.model.domain)
                                                             for stack in last]), columns=10)[..., 0])


@pytest.mark.parametrize("distortion",
                         ["auto", "gaussian", "categorical", "discretized_logistic", "continuous_bernoulli",
                          "cross_entropy", "squared_error"])
def test_digits_fit_every_distortion(distortion):
    model = zoo.Autoencoder(shape=(8, 8, 1), levels=17, latent_size=2, hidden=(3,), distortion=distortion)
    dataset = open_dataset("digits")
    check(dataset, model.domain, {})
    x = next(iter(evaluation_batches(dataset, "test", model.domain, 4, 0, {}, limit=4)))
    assert np.all(np.isfinite(model.distortion(x)))


def test_rows_of_text_follow_one_another():
    class Tokenizer:
        decode = staticmethod(lambda row: "".join("abc"[i] for i in row))

    from zoo.model import Domain

    stacks = [np.array([[0, 0], [1, 1]]), np.array([[0, 1], [1, 2]])]
    assert files.beneath(stacks, Domain("tokens", (2,), 3), ".txt", files.Medium(Tokenizer())) == b"aa\nab\nbb\nbc\n"


def test_export_says_what_answers_by_default(case, tmp_path):
    from zoo.serving.export import export

    _, model, x = case("denoising_autoencoder")
    folder = export(model, tmp_path)
    card = json.loads((folder / "assets.extra" / "card.json").read_text())
    assert card["serving_default"] == "reconstruct" and card["likelihood"] is None
    assert not [name for name in card["signatures"] if "sample" in name]
    served = tf.saved_model.load(str(folder)).signatures
    noisy = model.corrupt(x[:3], random.rows(random.seed(0), 3))
    np.testing.assert_allclose(served["denoise"](noisy=noisy)["x"], model.denoise(noisy), atol=1e-4)
    np.testing.assert_allclose(served["serving_default"](x=x[:3])["x"], operations.reconstruct(model, x[:3]), atol=1e-4)
