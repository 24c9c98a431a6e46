"""The work folder: atomic writes, one trainer at a time, another run refused, disks that refuse."""

import errno
import json
import os
import pathlib
import subprocess
import sys

import pytest

from trainers.errors import BadInput
from trainers.runs import workdir

RUN = dict(model="vae", dataset="digits", config=dict(steps=10, optimizer=dict(learning_rate=1e-3)), seed=0)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    workdir.write_json(path, 1)
    monkeypatch.setattr(os, "fsync",
                        lambda number: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(BadInput, match="No space left on device"), workdir.storage_errors(tmp_path):
        workdir.write_json(path, 2)
    assert json.loads(path.read_text()) == 1 and os.listdir(tmp_path) == ["a.json"]


def test_another_process_holds_the_lock_until_it_dies(tmp_path):
    code = ("import sys, time; sys.path.insert(0, sys.argv[1]); from trainers.runs.workdir import Workdir\n"
            "with Workdir(sys.argv[2]).locked(): print('held', flush=True); time.sleep(60)")
    root = str(pathlib.Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", code, root, str(tmp_path)], stdout=subprocess.PIPE,
                          text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BadInput, match="in use by another trainer"), workdir.Workdir(tmp_path).locked():
            pass
        with workdir.Workdir(tmp_path).locked(worker=1):  # another worker of the same run has its own
            pass
        other.kill()
    with workdir.Workdir(tmp_path).locked():
        pass


def test_a_folder_that_came_to_nothing_is_removed(tmp_path):
    with pytest.raises(BadInput), workdir.Workdir(tmp_path / "new" / "run").locked():
        raise BadInput("wrong")
    assert not (tmp_path / "new" / "run").exists()


@pytest.mark.parametrize("change, message", [
    (dict(model="gan"), "a run of model 'vae', not 'gan'"),
    (dict(dataset="mnist"), "a run of dataset 'digits', not 'mnist'"),
    (dict(seed=1), "a run with seed 0, not 1"),
    (dict(config=dict(steps=10, optimizer=dict(learning_rate=1e-2))), "config.optimizer.learning_rate 0.001, not 0.01"),
])
def test_another_run_is_refused(tmp_path, change, message):
    work = workdir.Workdir(tmp_path)
    work.claim(RUN, free=("config.steps",))
    before = work.config.read_bytes()
    with pytest.raises(BadInput, match=message):
        work.claim(RUN | change, free=("config.steps",))
    assert work.config.read_bytes() == before


def test_the_same_run_may_be_longer(tmp_path):
    work = workdir.Workdir(tmp_path)
    work.claim(RUN, free=("config.steps",))
    changed = work.claim(RUN | dict(config=dict(steps=20, optimizer=dict(learning_rate=1e-3))), free=("config.steps",))
    assert changed == {"config.steps": (10, 20)}
    assert work.read_config()["config"]["steps"] == 20


def test_metrics_newer_than_the_checkpoint_are_dropped(tmp_path):
    work = workdir.Workdir(tmp_path)
    work.metrics.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    work.truncate_metrics(2)
    assert work.metrics.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_half_written_files_are_swept(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / ".x.png.123.part").write_text("")
    with workdir.Workdir(tmp_path).locked():
        assert os.listdir(tmp_path / "samples") == []


@pytest.mark.parametrize("text, message", [(None, "no config.json"), ("{", "cannot be read as JSON")])
def test_unreadable_description(tmp_path, text, message):
    if text:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadInput, match=message):
        workdir.Workdir(tmp_path).read_config()
    with pytest.raises(BadInput, match="no such folder"):
        workdir.Workdir(tmp_path / "none").read_config()


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for path, message in ((tmp_path / "file", "is a file"),
                          (tmp_path / "file" / "below", "cannot write there: Not a directory")):
        with pytest.raises(BadInput, match=message), workdir.Workdir(path).locked():
            pass
