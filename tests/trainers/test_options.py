"""The entries of --config.data: what each kind of data takes, what is wrong with one, and what a run keeps of them; and
runs from before an entry was there."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from trainers import train
from trainers.data import options
from trainers.errors import BadInput
from trainers.runs.workdir import Workdir

TINY = ["--model=fvsbn", "--batch_size=16", "--sample_every=0", "--noexport", "--config.schedule.warmup_steps=0"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "bits.csv"
    np.savetxt(path, np.arange(160).reshape(40, 4) % 7 % 2, fmt="%d", delimiter=",")
    return f"table:{path}"


def run(folder, table, *arguments):
    return train.run(["zoo-train", f"--workdir={folder}", f"--dataset={table}", *TINY, *arguments])


def test_an_entry_means_the_same_wherever_it_is_taken():
    for kind in options.KINDS:
        for field in dataclasses.fields(kind):
            assert field.default == options.DEFAULTS[field.name], (kind, field.name)
            assert field.metadata["wrong"](field.default) is None, (kind, field.name)


def test_what_is_taken_is_typed():
    asked = options.take(options.Images, "photos", dict(image_size=(8, 6), validation=3, rate=0))
    assert asked == options.Images(image_size=(8, 6), validation=3) and asked.size == (8, 6)
    assert options.Images(image_size=8).size == (8, 8) and options.Images().size is None


@pytest.mark.parametrize("entries, message", [
    (dict(lenght=3), "--config.data.lenght is unknown; did you mean 'length'"),
    (dict(validation=-1), "--config.data.validation=-1: a number of examples, 0 or more, is needed."),
    (dict(validation=1.5), "--config.data.validation=1.5: a number of examples"),
    (dict(rate="fast"), "--config.data.rate=fast: a number of samples a second"),
    (dict(held_out=0.5), "--config.data.held_out=0.5: a part between 0 and 0.5 is needed"),
    (dict(standardize=1), "--config.data.standardize=1: true or false is needed."),
    (dict(image_size=(8, 0)), r"--config.data.image_size=\(8, 0\): a side in pixels, at least 1"),
    (dict(label=3), "--config.data.label=3: the name of a label is needed."),
    (dict(tokenizer="bite"), "--config.data.tokenizer=bite is unknown; did you mean 'bytes'"),
    (dict(binarization="store"), "--config.data.binarization=store is unknown; did you mean 'stored'"),
    (dict(standardize=True), "--config.data.standardize=True: --dataset=photos has images, which have no use for it as "
                             "rows of numbers and rows in splits of their own have; leave it out."),
    (dict(held_out=0.2), "as rows of numbers, lines, sound and drawings have; leave it 0.1."),
])
def test_what_images_can_not_be_asked_for(entries, message):
    with pytest.raises(BadInput, match=message):
        options.take(options.Images, "photos", entries)


def test_a_run_shows_what_its_data_take(tmp_path, table, capfd):
    assert run(tmp_path / "run", table, "--steps=2", "--config.data.held_out=0.2") == 0
    kept = json.loads(Workdir(tmp_path / "run").config.read_text())["config"]["data"]
    assert kept == dict(binarization="auto", held_out=0.2, partner="", standardize=False, validation=0)
    printed = capfd.readouterr().out
    assert "--config.data.held_out=0.2" in printed and "--config.data.length" not in printed


def test_a_run_that_kept_every_entry_is_resumed(tmp_path, table, capfd):
    """As versions of before wrote it."""
    folder = tmp_path / "run"
    assert run(folder, table, "--steps=2") == 0
    description = json.loads(Workdir(folder).config.read_text())
    description["config"]["data"] = options.DEFAULTS | description["config"]["data"]
    Workdir(folder).config.write_text(json.dumps(description))
    assert run(folder, table, "--steps=4", "--config.data.held_out=0.2") == 2
    assert "config.data.held_out 0.1, not 0.2" in capfd.readouterr().err
    assert run(folder, table, "--steps=4") == 0
    assert "length" not in json.loads(Workdir(folder).config.read_text())["config"]["data"]


def test_a_run_from_before_decay_all_goes_on_as_it_began(tmp_path, table, capfd):
    """Without the entry a run decayed biases too, whatever the recipe says now; a command can't say otherwise."""
    folder = tmp_path / "run"
    assert run(folder, table, "--steps=2") == 0
    description = json.loads(Workdir(folder).config.read_text())
    assert description["config"]["optimizer"].pop("decay_all") is False
    Workdir(folder).config.write_text(json.dumps(description))
    assert run(folder, table, "--steps=4", "--config.optimizer.decay_all=false") == 2
    assert "config.optimizer.decay_all True, not False" in capfd.readouterr().err
    assert run(folder, table, "--steps=4") == 0
    assert "--config.optimizer.decay_all=True" in capfd.readouterr().out
    assert json.loads(Workdir(folder).config.read_text())["config"]["optimizer"]["decay_all"] is True


def test_help_and_a_wrong_flag_load_no_reader():
    code = ("import sys\nfrom trainers import train\n"
            "assert train.run(['zoo-train', '--help']) == 0\n"
            "assert train.run(['zoo-train', '--config.data.lenght=3']) == 2\n"
            "assert train.run(['zoo-train', '--config.data.length=-3']) == 2\n"
            "late = 'trainers.data.readers.', 'tensorflow_datasets'\n"
            "loaded = [name for name in sys.modules if name.startswith(late)]\n"
            "assert not loaded, loaded")
    done = subprocess.run([sys.executable, "-c", code], cwd=pathlib.Path(__file__).parents[2], env=os.environ,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
