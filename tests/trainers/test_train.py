"""The trainer as a program: the work folder it leaves, exact resumption after a kill, and every bad input."""

import errno
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import zoo.serving.export
from tests.support import cases
from trainers import cli, train
from trainers.pictures import plots
from trainers.runs import checkpoints
from trainers.runs.workdir import Workdir

ROOT = pathlib.Path(__file__).parents[2]
STRATEGIES = ("one_device", "mirrored", "multi_worker")
TINY = ["--config.model.network=dense", "--config.model.levels=2", "--config.model.hidden=(16,)",
        "--config.model.latent_size=2", "--batch_size=16", "--log_every=5", "--sample_every=0", "--noexport"]


def run(workdir, *arguments):
    return train.run(["zoo-train", f"--workdir={workdir}", *arguments])


def process(workdir, *arguments, environment=()):
    return subprocess.Popen([sys.executable, "-m", "trainers.train", f"--workdir={workdir}", *TINY, *arguments],
                            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=os.environ | dict(environment))


def final_state(workdir):
    """{name: array} of the newest checkpoint: weights, optimizer and step, without the wall-clock."""
    reader = tf.train.load_checkpoint(list(checkpoints.find(workdir / "checkpoints").values())[-1])
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "seconds" not in name
            and "save_counter" not in name
            and not name.startswith("_")}


def same(a, b):
    assert a.keys() == b.keys() and len(a) > 5
    return all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    arguments = [*TINY, "--steps=12", "--config.data.validation=64", "--eval_every=6", "--sample_every=6",
                 "--checkpoint_every=4", "--export"]
    assert run(folder, *arguments) == 0
    return folder, arguments


def test_the_work_folder_holds_everything(trained):
    folder, _ = trained
    assert sorted(os.listdir(folder)) == [".lock", "checkpoints", "config.json", "export", "metrics.jsonl", "samples",
                                          "tensorboard"]
    assert sorted(os.listdir(folder / "samples")) == ["curves.png", "step-00000006.png", "step-00000012.png"]
    assert os.listdir(folder / "export") == ["1"] and list(checkpoints.find(folder / "checkpoints")) == [4, 8, 12]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["split"] == "train"] == [5, 10, 12]
    assert [line["step"] for line in lines if line["split"] == "validation"] == [6, 12]
    for line in lines:
        np.testing.assert_allclose(line["loss"], line["reconstruction"] + line["kl"], rtol=1e-5)
    description = json.loads((folder / "config.json").read_text())
    assert description["config"]["model"]["latent_size"] == 2 and description["data"]["binarization"] == "dynamic"


def test_a_finished_run_has_nothing_left_to_do(trained):
    folder, arguments = trained
    before = final_state(folder)
    assert run(folder, *arguments) == 0
    assert same(before, final_state(folder)) and os.listdir(folder / "export") == ["1"]


@pytest.mark.slow
def test_a_longer_run_of_a_constant_rate_continues_the_same_run(tmp_path):
    arguments = [*TINY, "--config.schedule.name=constant"]
    assert run(tmp_path / "a", *arguments, "--steps=6") == 0 and run(tmp_path / "a", *arguments, "--steps=10") == 0
    assert run(tmp_path / "b", *arguments, "--steps=10") == 0
    assert same(final_state(tmp_path / "a"), final_state(tmp_path / "b"))


def test_seeds_differ(tmp_path):
    for seed in (0, 1):
        assert run(tmp_path / str(seed), *TINY, "--steps=2", f"--seed={seed}") == 0
    assert not same(final_state(tmp_path / "0"), final_state(tmp_path / "1"))


def cluster():
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    return [f"127.0.0.1:{port}" for port in ports]


def start(workdir, strategy):
    arguments = ["--steps=60", "--checkpoint_every=10", f"--strategy={strategy}"]
    if strategy == "mirrored":
        arguments.append("--virtual_devices=2")
    if strategy != "multi_worker":
        return [process(workdir, *arguments)]
    workers = cluster()
    return [process(workdir, *arguments, environment={"TF_CONFIG": json.dumps(
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})}) for index in range(2)]


def finish(processes):
    for one in processes:
        _, errors = one.communicate(timeout=180)
        assert one.returncode == 0, errors[-2000:]


@pytest.mark.parametrize("strategy", cases.slow_but(STRATEGIES, "one_device"))
def test_a_killed_run_resumes_bit_for_bit(tmp_path, strategy):
    finish(start(tmp_path / "whole", strategy))
    killed = start(tmp_path / "killed", strategy)
    for line in killed[0].stdout:
        if line.startswith(f"step {25 + os.getpid() % 4 * 5}/"):
            break
    for one in killed:
        one.send_signal(signal.SIGKILL)
        one.communicate()
    reached = max(checkpoints.find(tmp_path / "killed" / "checkpoints"))
    assert 20 <= reached < 60
    finish(start(tmp_path / "killed", strategy))
    assert same(final_state(tmp_path / "whole"), final_state(tmp_path / "killed"))
    steps = [json.loads(line)["step"] for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps)) and steps[-1] == 60


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sigterm_saves_and_exits(tmp_path, strategy):
    running = start(tmp_path / "run", strategy)
    for line in running[0].stdout:
        if line.startswith("step 15/"):
            break
    running[-1].send_signal(signal.SIGTERM)  # one worker alone hears it; all stop at the same step
    codes = [(one.communicate(timeout=60), one.returncode)[1] for one in running]
    assert codes == [128 + signal.SIGTERM] * len(running)
    assert 15 <= max(checkpoints.find(tmp_path / "run" / "checkpoints")) < 60
    finish(start(tmp_path / "run", strategy))
    assert max(checkpoints.find(tmp_path / "run" / "checkpoints")) == 60


def test_every_flag_is_read(tmp_path, monkeypatch):
    read = set()

    class Recording(flags.FlagValues):
        def __getattribute__(self, name):
            if not name.startswith("_"):
                read.add(name)
            return super().__getattribute__(name)

        def __getitem__(self, name):
            if sys._getframe(1).f_code.co_filename.startswith(str(ROOT / "trainers")):
                read.add(name)
            return super().__getitem__(name)

    monkeypatch.setattr(cli.flags, "FlagValues", Recording)
    assert run(tmp_path / "run", *TINY, "--steps=1") == 0
    defined = flags.FlagValues()
    train.define(defined)
    assert set(defined) - read == set()


@pytest.mark.parametrize("arguments, sentence", [
    (["--model=vea"], "--model: unknown model 'vea'; did you mean 'vae'?"),
    (["--dataset=digit"], "digits"),
    (["--strategy=mirored"], "did you mean 'mirrored'?"),
    (["--strategy=mirrored"], "--virtual_devices"),
    (["--strategy=multi_worker"], "TF_CONFIG"),
    (["--config.model.latent_sise=3"], "did you mean 'latent_size'?"),
    (["--config.model.latent_size=many"], "latent_size"),
    (["--config.model.latent_size=0"], "latent_size must be at least 1"),
    (["--config.model.network=convolution"], "'dense' or 'conv'"),
    (["--config.optimizer.name=adan"], "did you mean 'adam'?"),
    (["--config.optimizer.learning_rate=0"], "learning_rate must be more than 0"),
    (["--config.schedule.name=cosin"], "did you mean 'cosine'?"),
    (["--config.ema=1"], "--config.ema must be"),
    (["--config.clip_norm=-1"], "--config.clip_norm must be"),
    (["--config.data.binarization=dynamical"], "did you mean 'dynamic'?"),
    (["--config.data.validation=5000"], "validation"),
    (["--model=real_nvp", "--dataset=toy2d", "--config.model.levels=4"], "toy2d"),
    (["--model=pixel_cnn", "--dataset=toy2d"], "shape must be an image's"),
    (["--config.model.levels=300"], "levels"),
    (["--steps=0"], "--steps must be more than 0, found 0"),
    (["--steps=-5"], "--steps must be more than 0, found -5"),
    (["--steps=ten"], "--steps"),
    (["--batch_size=0"], "--batch_size must be more than 0"),
    (["--batch_size=15", "--strategy=mirrored", "--virtual_devices=2"],
     "--batch_size=15 does not divide among 2 replicas; 14 does"),
    (["--virtual_devices=2"], "only --strategy=mirrored"),
    (["--config.optimizer.learning_rate=nan"], "learning_rate must be more than 0"),
    (["--config.optimizer.beta_1=1.5"], "beta_1 must be"),
    (["--config.optimizer.name=sgd", "--config.optimizer.beta_1=0.5"], "'sgd' does not have it"),
    (["--config.schedule.name=constant", "--config.schedule.end=0.5"], "only the schedules cosine, linear have it"),
    (["--log_every=0"], "--log_every must be more than 0"),
    (["--eval_every=-1"], "--eval_every must be 0 or more"),
    (["--eval_every=10"], "no validation split"),
    (["--checkpoint_every=x"], "checkpoint_every"),
    (["--no_such_flag=1"], "no_such_flag"),
    (["stray"], "unexpected argument 'stray'"),
    (["--dataset=image_folder:/no/such/folder"], "/no/such/folder"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_bad_input_is_one_sentence_and_nothing_written(tmp_path, capfd, arguments, sentence):
    assert run(tmp_path / "run", *arguments) == 2
    error = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1 and sentence in error[0]
    assert os.listdir(tmp_path) == []


def test_another_run_in_the_folder_is_refused(trained, capfd):
    folder, arguments = trained
    before = final_state(folder)
    for change, sentence in (("--model=pixel_cnn", "holds a run of model 'vae', not 'pixel_cnn'"),
                             ("--seed=4", "holds a run with seed 0, not 4"),
                             ("--jit", "holds a run with jit False, not True"),
                             ("--mixed_precision", "mixed_precision False, not True")):
        assert train.run(["zoo-train", f"--workdir={folder}", *(arguments if "model" not in change else []),
                          change]) == 2
        assert sentence in capfd.readouterr().err
    assert same(before, final_state(folder))


def test_nan_stops_with_step_and_term_and_keeps_the_last_good_checkpoint(tmp_path, capfd):
    arguments = [*TINY, "--steps=200", "--checkpoint_every=1", "--config.optimizer.learning_rate=1e18",
                 "--config.optimizer.name=sgd",
                 "--config.ema=0.0", "--config.schedule.name=constant"]
    assert run(tmp_path / "run", *arguments) == 2
    found = re.search(r"error: step (\d+): (reconstruction|kl|loss) is not finite; the checkpoint of step (\d+) is "
                      r"good: resume", capfd.readouterr().err)
    assert found and int(found[3]) <= int(found[1])
    before = final_state(tmp_path / "run")
    assert all(np.all(np.isfinite(value)) for value in before.values())
    # It goes on from there, with what the message advises: the weights are as they were, the rate is not.
    # weights of 1e17 stay lost
    assert run(tmp_path / "run", *arguments, "--config.optimizer.learning_rate=1e-30",
               f"--steps={int(found[3]) + 2}") == 2
    assert "changed: config.optimizer.learning_rate was 1e+18, is 1e-30" in capfd.readouterr().out


@pytest.mark.parametrize("module, function",
                         [(tf.train.CheckpointManager, "save"), (plots, "write"), (zoo.serving.export, "export")])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"),
                                     tf.errors.ResourceExhaustedError(None, None, "No space left on device")],
                         ids=lambda f: type(f).__name__)
def test_a_full_disk_is_one_sentence(tmp_path, capfd, monkeypatch, module, function, failure):
    def refuse(*args, **kwargs):
        raise failure

    if module is plots and not isinstance(failure, OSError):
        pytest.skip("pictures are not written by TensorFlow")
    monkeypatch.setattr(module, function, refuse)
    assert run(tmp_path / "run", *TINY, "--steps=2", "--sample_every=2", "--export") == 2
    assert re.search(r"^error: .*cannot (be )?writ.*No space left on device", capfd.readouterr().err, re.MULTILINE)


def test_a_folder_in_use_is_refused(tmp_path, capfd):
    with Workdir(tmp_path / "run").locked():
        assert run(tmp_path / "run", *TINY, "--steps=2") == 2
    assert "in use by another trainer" in capfd.readouterr().err


def test_truncated_checkpoint_falls_back(tmp_path, capfd):
    arguments = [*TINY, "--steps=6", "--checkpoint_every=2"]
    assert run(tmp_path / "a", *arguments) == 0
    whole = final_state(tmp_path / "a")
    os.truncate(tmp_path / "a" / "checkpoints" / "ckpt-6.data-00000-of-00001", 50)
    assert run(tmp_path / "a", *arguments) == 0
    said = capfd.readouterr().out
    assert "step 6 is damaged" in said and "resumed from the checkpoint of step 4" in said
    assert same(whole, final_state(tmp_path / "a"))
