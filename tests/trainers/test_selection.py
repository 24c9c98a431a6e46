"""Selection by the validation split: the kept weights are the best, they survive a resumption, and patience ends a
run."""

import json
import re

import numpy as np
import pytest

from trainers import train
from trainers.runs import run as runs

# Few training examples and a high rate: the validation loss falls, then rises.
OVERFIT = ["--model=pixel_cnn", "--dataset=digits", "--config.model.levels=2", "--config.model.blocks=1",
           "--config.model.channels=8", "--batch_size=16",
           "--config.data.binarization=threshold", "--config.data.validation=1405",
           "--config.optimizer.learning_rate=0.02", "--config.schedule.name=constant",
           "--config.schedule.warmup_steps=0", "--config.ema=0.0", "--sample_every=0", "--log_every=1000", "--noexport",
           "--config.selection.every=5"]


def trained(folder, *arguments):
    assert train.run(["zoo-train", f"--workdir={folder}", *OVERFIT, *arguments]) == 0
    return runs.load(folder)


def looks(folder):
    entries = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {entry["step"]: entry["loss"] for entry in entries if entry.get("split") == "validation"}


@pytest.mark.slow
def test_the_best_weights_are_the_runs_and_survive_a_resumption(tmp_path):
    whole = trained(tmp_path / "whole", "--steps=60")
    losses = looks(tmp_path / "whole")
    best = min(losses, key=losses.get)
    assert whole.selected == best < 60 and whole.step == 60
    until = trained(tmp_path / "until", f"--steps={best}")
    for kept, latest in zip(whole.model.get_weights(), until.model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, latest)
    trained(tmp_path / "resumed", "--steps=45")  # the kept weights are no longer the latest
    resumed = trained(tmp_path / "resumed", "--steps=60")
    assert resumed.selected == best
    for kept, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, other)


def test_patience_ends_a_run_and_the_same_command_does_not_go_on(tmp_path, capfd):
    run = trained(tmp_path / "run", "--steps=400", "--config.selection.patience=4")
    assert run.step == run.selected + 20 < 400
    assert re.search(rf"no improvement since step {run.selected}", capfd.readouterr().out)
    assert trained(tmp_path / "run", "--steps=400", "--config.selection.patience=4").step == run.step


@pytest.mark.parametrize("arguments, sentence", [
    (["--config.selection.patience=2", "--config.selection.every=0"],
     "--config.selection.patience=2: --config.selection.every"),
    (["--config.selection.every=-1"], "--config.selection.every must be 0"),
    (["--config.data.validation=0"], "--config.selection.every=5: digits has no validation split")])
def test_bad_selections_are_one_sentence(tmp_path, capfd, arguments, sentence):
    assert train.run(["zoo-train", f"--workdir={tmp_path / 'run'}", *OVERFIT, *arguments]) == 2
    assert sentence in capfd.readouterr().err and not (tmp_path / "run").exists()
