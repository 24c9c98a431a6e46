"""Density estimators in the training program: sizes from the data, one iteration a step, exact resumption, and what
they have no use for."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from tests.trainers.test_train import final_state, run
from trainers import evaluate
from trainers.data import open_dataset
from trainers.runs.run import load
from trainers.training import fitting
from zoo.model import Domain

MIXTURE = ["--model=gaussian_mixture", "--dataset=claw", "--config.model.components=3", "--log_every=2",
           "--sample_every=0", "--noexport"]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted") / "run"
    assert run(folder, *MIXTURE, "--steps=6", "--eval_every=3", "--sample_every=6", "--checkpoint_every=2",
               "--export") == 0
    return folder


def test_a_step_is_an_iteration_from_the_start_on_all_data(fitted):
    data = fitting.whole(open_dataset("claw"), Domain("real", (1,)), 0, {})
    assert data.shape == (5000, 1)
    found = load(fitted)
    twin = type(found.model)(**found.model.get_config())
    told = twin.fit(data, seed=0, steps=6)["log_likelihood"]
    for ours, theirs in zip(found.model.get_weights(), twin.get_weights()):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    lines = [json.loads(line) for line in (fitted / "metrics.jsonl").read_text().splitlines()]
    means = [line["log_likelihood"] for line in lines if line["split"] == "train"]
    np.testing.assert_allclose(means, np.mean(np.reshape(told, (3, 2)), 1), rtol=1e-5)
    assert [line["step"] for line in lines if line["split"] == "validation"] == [3, 6]
    description = json.loads((fitted / "config.json").read_text())
    assert (
        description["config"]["batch_size"] == 5000 and description["data"]["fitted_to"] == "all 5000 training examples"
    )
    assert os.listdir(fitted / "export") == ["1"] and "step-00000006.png" in os.listdir(fitted / "samples")


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(fitted, tmp_path):
    for steps in (2, 6):
        assert run(tmp_path / "run", *MIXTURE, f"--steps={steps}", "--checkpoint_every=2") == 0
    a, b = final_state(fitted), final_state(tmp_path / "run")
    assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_sizes_come_from_the_data_and_are_kept(tmp_path):
    for model, check in (("histogram", lambda m: m.bins[0] > 20), ("kernel_density", lambda m: m.num_points == 5000)):
        arguments = [f"--model={model}", "--dataset=claw", "--sample_every=0", "--noexport"] + (
            ["--config.model.bandwidth=0.1"] if "k" in model else []
        )
        assert run(tmp_path / model, *arguments) == 0 and check(load(tmp_path / model).model)
    assert run(tmp_path / model, *arguments) == 0  # the same command: nothing left to do
    assert evaluate.run(["zoo-evaluate", f"--workdir={tmp_path / 'histogram'}", "--num_examples=60"]) == 0
    record = next(r for r in json.loads((tmp_path / "histogram" / "results.json").read_text())
                  if r["metric"] == "negative_log_likelihood")
    assert record["kind"] == "exact" and 0.8 < record["value"] < 1.8 and record["batch_size"] == 5000


def test_noise_is_one_draw_that_follows_from_the_seed():
    digits, domain = open_dataset("digits"), Domain("binary", (8, 8, 1), levels=2)
    one, same, other = (fitting.whole(digits, domain, seed, {}) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == (1437, 8, 8, 1) and np.any(one != other)
    np.testing.assert_allclose(tf.reduce_mean(one), np.mean(digits.decoded("train")["x"]) / 16, atol=0.01)
    assert fitting.protocol(digits, domain, {})["fitted_to"].endswith("one draw of the binarization by the run's seed")


@pytest.mark.parametrize("arguments, said", [
    (["--jit"], "--jit: --model=gaussian_mixture is fitted to all 5000"), (["--mixed_precision"], "--mixed_precision"),
    (["--batch_size=64"], "--batch_size=64"),
    (["--strategy=mirrored", "--virtual_devices=2"], "--strategy=mirrored: --model=gaussian_mixture is fitted"),
    (["--config.ema=0.9"], "--config.ema"),
    (["--config.optimizer.learning_rate=0.1"], "--config.optimizer.learning_rate"),
    (["--config.schedule.name=cosine"], "--config.schedule.name"),
    (["--config.clip_norm=1."], "--config.clip_norm"),
    (["--model=histogram", "--dataset=digits"], "at most 7, found 64"),
    (["--config.model.components=6000"], "6000 components need as many"),
    (["--model=kernel_density", "--steps=2"], "--steps=2"),
    (["--model=kernel_density", "--config.model.bandwidth=0"], "bandwidth must be"),
    (["--model=histogram", "--config.model.bins=(3,3)"], "each of the 1 dimensions")])
def test_bad_input(tmp_path, capsys, arguments, said):
    # of two flags alike the last one holds
    assert run(tmp_path / "run", "--noexport", "--model=gaussian_mixture", "--dataset=claw", *arguments) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.rglob("ckpt*"))
