"""Checkpoints: what is saved comes back, a damaged newest one falls back, a worker that is not the chief leaves nothing
in the folder."""

import os

import pytest
import tensorflow as tf

from trainers.errors import BadInput
from trainers.runs import checkpoints


def state(value=0.0, size=1000):
    return {"weights": [tf.Variable(tf.fill([size], value)), tf.Variable(value)]}


def saved(folder, steps=(1, 2), keep=3):
    variables = state()
    manager = checkpoints.Checkpoints(folder, variables, keep=keep)
    for step in steps:
        for variable in variables["weights"]:
            variable.assign(tf.fill(variable.shape, float(step)))
        manager.save(step)
    return variables


def restored(folder, log=print):
    variables = state()
    return checkpoints.Checkpoints(folder, variables, log=log).restore(), float(variables["weights"][1])


def test_newest_comes_back_and_old_ones_go(tmp_path):
    saved(tmp_path, steps=(1, 2, 3, 40), keep=2)
    assert list(checkpoints.find(tmp_path)) == [3, 40]
    assert restored(tmp_path) == (40, 40.0)


def test_nothing_to_restore(tmp_path):
    assert restored(tmp_path) == (None, 0.0)


@pytest.mark.parametrize("cut", ["truncated data", "flipped data", "truncated index", "no data", "lost list"])
def test_damaged_newest_falls_back_and_says_so(tmp_path, cut):
    saved(tmp_path)
    data, index = tmp_path / "ckpt-2.data-00000-of-00001", tmp_path / "ckpt-2.index"
    if cut == "truncated data":
        os.truncate(data, 100)
    elif cut == "flipped data":
        content = bytearray(data.read_bytes())
        content[50] ^= 255
        data.write_bytes(content)
    elif cut == "truncated index":
        os.truncate(index, 20)
    elif cut == "no data":
        data.unlink()
    else:
        (tmp_path / "checkpoint").write_text("model_checkpoint")
    said = []
    expected = (2, 2.0) if cut == "lost list" else (1, 1.0)
    assert restored(tmp_path, said.append) == expected
    assert len(said) == (cut != "lost list") and all("step 2 is damaged" in line for line in said)


def test_all_damaged_is_an_error(tmp_path):
    saved(tmp_path)
    for path in tmp_path.glob("*.data*"):
        os.truncate(path, 10)
    with pytest.raises(BadInput, match="all 2 checkpoints are damaged"):
        restored(tmp_path, lambda text: None)


def test_checkpoint_of_another_model_is_an_error(tmp_path):
    saved(tmp_path)
    with pytest.raises(BadInput, match="not a checkpoint of this model"):
        checkpoints.Checkpoints(tmp_path, state(size=7)).restore()


def test_other_workers_write_nothing_into_the_folder(tmp_path):
    manager = checkpoints.Checkpoints(tmp_path, state(), worker=1)
    manager.save(1)
    assert os.listdir(tmp_path) == [".worker-1"] and checkpoints.find(tmp_path) == {}
    manager.close()
    assert os.listdir(tmp_path) == []


def test_leftovers_of_a_killed_save_are_swept(tmp_path):
    (tmp_path / "ckpt-7_temp").mkdir()
    (tmp_path / "checkpoint.tmp0a1b").write_text("")
    (tmp_path / ".worker-1").mkdir()
    readers = [checkpoints.Checkpoints(tmp_path, state(), worker) for worker in (0, 1)]
    assert len(os.listdir(tmp_path)) == 3  # a reader leaves alone what a trainer may be writing
    for trainer in readers:
        trainer.sweep()
    assert os.listdir(tmp_path) == []
