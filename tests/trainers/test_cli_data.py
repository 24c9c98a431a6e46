"""The user's own images and labelled data through every program: trained, evaluated, drawn from and exported, and every
bad folder."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from trainers import evaluate, export, sample, train

TRAINED = ["--steps=2", "--batch_size=8", "--sample_every=0", "--config.schedule.name=constant",
           "--config.schedule.warmup_steps=0", "--config.ema=0.0"]
VAE = [*TRAINED, "--noexport", "--config.model.network=dense", "--config.model.hidden=(16,)",
       "--config.model.latent_size=2", "--config.model.levels=2",
       "--config.evaluation.importance_samples=5", "--config.evaluation.samples=10"]
PIXEL_CNN = ["--model=pixel_cnn", "--dataset=digits", *TRAINED, "--config.model.classes=10",
             "--config.model.channels=4", "--config.model.blocks=1",
             "--config.model.kernel_size=3", "--config.model.head_channels=4", "--config.evaluation.samples=20"]


def write_images(folder, num=20, size=lambda i: (9 + i, 20 - i % 5)):
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(num):
        (folder / f"{i}.png").write_bytes(tf.io.encode_png(rng.integers(0, 256, (*size(i), 3), np.uint8)).numpy())
    return folder


def numbers(run):
    return {record["metric"]: record for record in json.loads((run / "results.json").read_text())}


def test_a_folder_of_images_of_any_size(tmp_path):
    photos, run = write_images(tmp_path / "photos"), tmp_path / "run"
    assert train.run(["zoo-train", f"--workdir={run}", f"--dataset=image_folder:{photos}", "--config.data.image_size=8",
                      *VAE]) == 0
    description = json.loads((run / "config.json").read_text())
    assert description["shape"] == [8, 8, 3] and description["data"]["held_out"]["test"] >= 3
    assert evaluate.run(["zoo-evaluate", f"--workdir={run}"]) == 0
    found = numbers(run)
    assert {"negative_elbo", "energy_distance"} <= set(found)
    for record in found.values():
        assert (
            np.isfinite(record["value"])
            and record["dataset"] == f"image_folder:{photos}"
            and record["protocol"]["num_examples"] >= 3
        )
    out = tmp_path / "out.npy"
    assert sample.run(["zoo-sample", f"--workdir={run}", "--mode=reconstruct", "--num_samples=3", f"--out={out}"]) == 0
    x = np.load(out)
    assert x.shape == (3, 2, 8, 8, 3) and set(np.unique(x[:, 0])) == {0, 1} and np.all((x[:, 1] > 0) & (x[:, 1] < 1))
    again = tmp_path / "again.npy"  # the same test images, whatever was asked before
    assert sample.run(["zoo-sample", f"--workdir={run}", "--mode=reconstruct", "--num_samples=3",
                       f"--out={again}"]) == 0
    np.testing.assert_array_equal(np.load(again), x)


def corrupt(folder):
    file = write_images(folder) / "7.png"
    file.write_bytes(file.read_bytes()[:40])


@pytest.mark.parametrize("make, arguments, words", [
    (corrupt, ["--config.data.image_size=8"], ["1 of 20 images", "7.png", "remove or replace"]),
    (lambda folder: folder.mkdir(), ["--config.data.image_size=8"], ["0 images among 0 files"]),
    (write_images, [], ["sizes", "--config.data.image_size="]),
    (write_images, ["--config.data.image_size=8x8"], ["image_size", "8x8"]),
    (write_images, ["--config.data.image_size=-8"], ["--config.data.image_size=-8", "at least 1"]),
    (write_images, ["--config.data.image_size=8", "--config.data.validation=20"],
     ["--config.data.validation=20", "at most"]),
    (write_images, ["--config.data.image_size=8", "--config.model.levels=256", "--config.data.binarization=dynamic"],
     ["--config.data.binarization=dynamic", "256 levels"])],
    ids=["corrupt", "empty", "mixed", "unreadable size", "negative size", "validation", "binarization"])
def test_bad_folders_are_one_sentence_and_nothing_written(tmp_path, capfd, make, arguments, words):
    make(tmp_path / "photos")
    code = train.run(["zoo-train", f"--workdir={tmp_path / 'run'}", f"--dataset=image_folder:{tmp_path / 'photos'}",
                      *VAE, *arguments])
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert code == 2 and len(errors) == 1 and all(word in errors[0] for word in words), errors
    assert os.listdir(tmp_path) == ["photos"]


@pytest.mark.slow
def test_a_conditional_model_of_labelled_images(tmp_path, capfd):
    run, out = tmp_path / "run", tmp_path / "out.npy"
    assert train.run(["zoo-train", f"--workdir={run}", f"--data_dir={tmp_path / 'tfds'}", *PIXEL_CNN]) == 0
    assert evaluate.run(["zoo-evaluate", f"--workdir={run}", "--num_examples=20", "--batch_size=20"]) == 0
    exact = numbers(run)["negative_log_likelihood"]
    assert (
        exact["kind"] == "exact" and exact["protocol"]["given"] == "class label" and exact["protocol"]["levels"] == 17
    )
    assert 0 < exact["value"] < 64 * np.log(17) * 1.5
    assert sample.run(["zoo-sample", f"--workdir={run}", "--num_samples=10", f"--out={out}"]) == 0
    x = np.load(out)
    assert x.shape == (10, 8, 8, 1) and 0 <= x.min() and x.max() <= 16
    assert sample.run(["zoo-sample", f"--workdir={run}", "--mode=complete", "--num_samples=2", f"--out={out}"]) == 0
    x = np.load(out)  # [examples, completions and the example itself, ...]
    np.testing.assert_array_equal(x[:, :-1, :4], np.repeat(x[:, -1:, :4], x.shape[1] - 1, axis=1))
    card = json.loads((run / "export/1/assets.extra/card.json").read_text())
    assert "condition" in json.dumps(card["signatures"]["sample"])
    assert export.run(["zoo-export", f"--workdir={run}"]) == 0 and sorted(os.listdir(run / "export")) == ["1", "2"]
    capfd.readouterr()
    assert export.run(["zoo-export", f"--check={run / 'export'}"]) == 0
    assert "sample" in capfd.readouterr().out


def test_a_conditional_model_of_the_wrong_number_of_classes(tmp_path, capfd):
    arguments = [*PIXEL_CNN, "--config.model.classes=9"]
    assert train.run(["zoo-train", f"--workdir={tmp_path / 'run'}", f"--data_dir={tmp_path / 'tfds'}", *arguments]) == 2
    assert "10 classes, the model is conditional on 9; set --config.model.classes=10." in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


FVSBN = ["--model=fvsbn", *TRAINED, "--noexport", "--config.evaluation.samples=10", "--config.evaluation.completions=5"]
GPT = ["--model=gpt", *TRAINED, "--noexport", "--config.model.width=8", "--config.model.heads=2",
       "--config.model.layers=1",
       "--config.evaluation.completions=5", "--config.schedule.end=0.0"]


def test_a_binary_table(tmp_path, capfd, monkeypatch):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz",
             **{key: rng.integers(0, 2, (20, 5), np.uint8) for key in ("train_data", "valid_data", "test_data")})
    run = tmp_path / "run"
    monkeypatch.chdir(tmp_path)  # the path is kept as an absolute one
    assert train.run(["zoo-train", f"--workdir={run}", "--dataset=table:rows.npz", *FVSBN]) == 0
    monkeypatch.chdir("/")
    description = json.loads((run / "config.json").read_text())
    assert (
        description["shape"] == [5]
        and description["dataset"] == f"table:{tmp_path}/rows.npz"
        and description["data"]["binarization"] == "stored"
    )
    assert evaluate.run(["zoo-evaluate", f"--workdir={run}"]) == 0
    exact = numbers(run)["negative_log_likelihood"]
    assert (
        exact["kind"] == "exact"
        and exact["protocol"]["num_examples"] == 20
        and abs(exact["value"] - 5 * np.log(2)) < 1.0
    )
    capfd.readouterr()
    arguments = ["--dataset=toy2d/two_moons", f"--data_dir={tmp_path / 'tfds'}", f"--workdir={tmp_path / 'no'}"]
    assert train.run(["zoo-train", *arguments, *FVSBN]) == 2
    assert (
        "has real points of shape (2,), the model reads binary rows of shape (2,)" in capfd.readouterr().err
        and not (tmp_path / "no").exists()
    )


def test_a_text(tmp_path, capfd):
    (tmp_path / "text.txt").write_text("".join(f"Line {i} of a text.\n" for i in range(300)))
    (tmp_path / "words.txt").write_text("".join(f"name{i}\n" for i in range(100)))
    text, names = ("--dataset=" + kind for kind in (f"text_file:{tmp_path}/text.txt", f"lines:{tmp_path}/words.txt"))
    run = tmp_path / "run"
    assert train.run(["zoo-train", f"--workdir={run}", text, *GPT, "--config.data.length=12",
                      "--config.data.tokenizer=bpe",
                      "--config.data.vocabulary=270"]) == 0
    description = json.loads((run / "config.json").read_text())  # the vocabulary is the tokenizer's
    assert (
        description["data"]["tokenizer"] == dict(name="bpe", size=270, end=None)
        and description["config"]["model"]["levels"] == 270
    )
    assert evaluate.run(["zoo-evaluate", f"--workdir={run}", "--num_examples=5"]) == 0
    record = numbers(run)["negative_log_likelihood"]
    assert record["protocol"]["text_bytes"]["test"] > record["protocol"]["tokens"]["test"] and record["value"] > 0
    assert train.run(["zoo-train", f"--workdir={tmp_path / 'lines'}", names, *GPT,
                      "--config.data.tokenizer=characters"]) == 0
    description = json.loads((tmp_path / "lines/config.json").read_text())
    assert description["shape"] == [7] and (
        description["config"]["model"]["levels"],
        description["config"]["model"]["end"],
    ) == (15, 14)
    capfd.readouterr()
    for argument, words in (("--config.model.levels=9", "--config.model.levels=9: the tokenizer"),
                            ("--config.data.length=3", "--config.data.length=3: line 11 of"),
                            ("--config.data.tokenizer=word", "--config.data.tokenizer=word is unknown"),
                            ("--config.data.rate=8", "--config.data.rate=8")):
        assert train.run(["zoo-train", f"--workdir={tmp_path / 'no'}", names, *GPT, argument]) == 2
        assert words in capfd.readouterr().err and not (tmp_path / "no").exists()


@pytest.mark.parametrize("content, arguments, words", [
    ("1,2\n3,x\n", [], "row 2, column 2 has 'x'"), ("", [], "the table is empty"),
    ("1,2\n3,4\n5,6\n", ["--config.data.standardize=true"], "--config.data.standardize=true: column 1")])
def test_bad_tables_are_one_sentence_and_nothing_written(tmp_path, capfd, content, arguments, words):
    (tmp_path / "x.csv").write_text(content)
    code = train.run(["zoo-train", f"--workdir={tmp_path / 'run'}", f"--dataset=table:{tmp_path}/x.csv",
                      "--model=rnade", *TRAINED, *arguments])
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert code == 2 and len(errors) == 1 and words in errors[0], errors
    assert os.listdir(tmp_path) == ["x.csv"]


def test_a_standardized_table(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in rng.normal(50, 9, (60, 2))))
    run = tmp_path / "run"
    arguments = [f"--workdir={run}", f"--dataset=table:{tmp_path}/x.csv", "--model=rnade", *TRAINED, "--noexport",
                 "--config.data.standardize=true"]
    assert train.run(["zoo-train", *arguments, "--config.evaluation.completions=5"]) == 0
    assert evaluate.run(["zoo-evaluate", f"--workdir={run}"]) == 0
    record = numbers(run)["negative_log_likelihood"]
    np.testing.assert_allclose(record["protocol"]["standardized"]["mean"], [50, 50], atol=5)
    assert record["protocol"]["standardized"]["measure"].startswith("density of (x - mean) / std")
