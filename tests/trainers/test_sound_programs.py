"""Samples of sound through the programs: the files that a run and zoo-sample write, conditions from the data, and what
is measured."""

import io
import json
import math
import wave

import numpy as np
import pytest
from PIL import Image

from trainers import evaluate, sample, train
from trainers.data import open_dataset
from trainers.runs import run as runs

WAVENET = ["--model=wavenet", "--dataset=tones", "--config.model.channels=4", "--config.model.layers=3",
           "--config.model.skip_channels=4", "--batch_size=4",
           "--config.model.head_channels=4", "--config.data.length=128", "--steps=2", "--sample_every=2", "--noexport",
           "--config.evaluation.completions=3"]


def sound(data):
    with wave.open(io.BytesIO(data)) as file:
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


@pytest.mark.slow
def test_sound(tmp_path):
    folder = tmp_path / "run"
    assert train.run(["zoo-train", f"--workdir={folder}", *WAVENET]) == 0
    rate, x = sound((folder / "samples" / "step-00000002.wav").read_bytes())
    assert rate == open_dataset("tones").rate and x.shape == (8 * 128,)
    assert np.asarray(Image.open(folder / "samples" / "step-00000002.png")).shape[-1] == 3
    assert sample.run(["zoo-sample", f"--workdir={folder}", "--num_samples=3", f"--out={tmp_path / 'x.npy'}"]) == 0
    assert sample.run(["zoo-sample", f"--workdir={folder}", "--num_samples=3", f"--out={tmp_path / 'x.wav'}"]) == 0
    numbers = np.load(tmp_path / "x.npy")
    np.testing.assert_allclose(sound((tmp_path / "x.wav").read_bytes())[1], numbers.reshape(-1), atol=1 / 32768)
    assert evaluate.run(["zoo-evaluate", f"--workdir={folder}", "--num_examples=4"]) == 0
    records = {record["metric"]: record for record in json.loads((folder / "results.json").read_text())}
    bits = records["bits_per_sample"]
    assert math.isclose(bits["value"], records["negative_log_likelihood"]["value"] / 128 / math.log(2), rel_tol=1e-6)
    assert (
        bits["unit"] == "bits/sample"
        and bits["protocol"]["rate"] == rate
        and bits["protocol"]["given"] == "class label"
    )
    assert "energy_distance" not in records and records["missing_negative_log_likelihood_first"]["kind"] == "exact"


def test_samples_of_a_model_that_needs_features_take_those_of_examples(tmp_path):
    folder = tmp_path / "run"
    local = ["--config.data.label=melody", "--config.model.features=(2,2)", "--config.model.classes=0"]
    assert train.run(["zoo-train", f"--workdir={folder}", *WAVENET, *local]) == 0
    assert runs.load(folder).model.domain.condition.shape == (2, 2)
    assert (folder / "samples" / "step-00000002.wav").exists()
    assert sample.run(["zoo-sample", f"--workdir={folder}", "--num_samples=3", f"--out={tmp_path / 'x.npy'}"]) == 0
    assert np.load(tmp_path / "x.npy").shape == (3, 128)
