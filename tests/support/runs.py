"""Run folders made without training: random weights under a real description and a real checkpoint, for the tests of
what reads a run."""

import ml_collections
import numpy as np
import tensorflow as tf
from PIL import Image

from trainers import sample
from trainers.data import evaluation_batches, open_dataset
from trainers.runs import checkpoints
from trainers.runs import config as configs
from trainers.runs import run as run_module
from trainers.runs.workdir import FORMAT, Workdir
from trainers.training.engine import Engine

IMAGE, POINT = (8, 8, 1), (2,)
VAE = dict(levels=2, latent_size=2, hidden=(6,))


def make(folder, model, dataset="digits", shape=IMAGE, arguments=VAE, samples=40, step=7):
    """Makes a run of `model` on `dataset` after `step` steps; returns its path."""
    config = configs.default("vae", dataset)
    config.players, config.ema = {}, 0.0
    config = ml_collections.ConfigDict(config.to_dict() | dict(model=dict(arguments)))
    config.evaluation.samples, config.evaluation.importance_samples = samples, 20
    description = dict(format=FORMAT, model=model, dataset=dataset, data_dir=None, seed=5, shape=list(shape),
                       config=configs.to_dict(config), command="zoo-train")
    workdir = Workdir(folder)
    workdir.path.mkdir(parents=True)
    workdir.claim(description, free=())
    rng = np.random.default_rng(3)
    engine = Engine(lambda: configs.make_model(model, config, shape), config, tf.distribute.get_strategy(), 5)
    # not those that start as zeros
    engine.model.set_weights([rng.normal(0.0, 0.4, w.shape) for w in engine.model.weights])
    engine.step.assign(step)
    checkpoints.Checkpoints(workdir.checkpoints,
                            engine.state() | {"seconds": [tf.Variable(90.0, dtype=tf.float64)]}).save(step)
    return workdir.path


def load(path, num):
    """(its model, its first `num` test examples, their conditions or None) of a run."""
    run = run_module.load(path)
    batch = next(iter(evaluation_batches(open_dataset(run.description["dataset"]), "test", run.model.domain, num, 3,
                                         run.config.data, limit=num)))
    return run.model, *(batch if isinstance(batch, tuple) else (batch, None))


def draw(path, out, *arguments):
    """What zoo-sample writes into a file, as an array: the numbers, or the picture."""
    assert sample.run(["zoo-sample", f"--workdir={path}", f"--out={out}", "--seed=3", *arguments]) == 0
    return np.load(out) if str(out).endswith(".npy") else np.asarray(Image.open(out))
