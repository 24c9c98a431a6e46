"""A run, from its folder: the model with the weights of its newest checkpoint, and what it was trained with."""

import dataclasses

import keras
import ml_collections

from trainers import checkpoints, config as configs, fitting, showing
from trainers.errors import BadInput
from trainers.selection import Selection
from trainers.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model and its history.

    description: what config.json holds. step: of the checkpoint. seconds: spent in training so far. medium: what its examples mean. selected: the step whose weights were
    best on the validation split and are the model's, None where the run does not select.
    """

    workdir: Workdir
    description: dict
    config: ml_collections.ConfigDict
    model: keras.Model
    step: int
    seconds: float
    medium: showing.Medium = showing.Medium()
    selected: int | None = None


def plain_model(name, config, shape):
    """The run's model outside any strategy and in 32 bits, for evaluation, sampling and export."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return configs.make_model(name, config, shape)
    finally:
        keras.config.set_dtype_policy(policy)


def put(model, weights):
    """Gives a model averaged weights, as `trainers.engine.Engine.weights` has them, with what belongs to them."""
    model.set_weights(weights)
    model.settle()


def load(path, log=print):
    """Loads a run's newest whole checkpoint, the moving averages in the place of the weights. Raises BadInput where there is none."""
    import tensorflow as tf

    workdir = Workdir(path)
    description = workdir.read_config()
    try:
        config = configs.from_dict(description["config"])
        name, shape = description["model"], tuple(description["shape"])
    except (KeyError, TypeError) as error:
        raise BadInput(f"{workdir.config}: is not the description of a run: {error} is missing.") from None
    model = plain_model(name, config, shape)
    engine = fitting.engine(model, lambda: model, config, tf.distribute.get_strategy(), description["seed"])
    seconds = tf.Variable(0.0, dtype=tf.float64)
    selection = Selection(config, model.weights)
    saved = checkpoints.Checkpoints(workdir.checkpoints, engine.state() | selection.state() | {"seconds": [seconds]}, log=log)
    step = saved.restore()
    if step is None:
        raise BadInput(f"--workdir={workdir.path}: holds no checkpoint yet.")
    put(model, selection.weights(engine.weights()))
    return Run(workdir, description, config, model, step, float(seconds), showing.stored(workdir, description), selection.step or None)
