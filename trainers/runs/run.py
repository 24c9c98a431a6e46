"""A run, from its folder: the model with the weights of its newest checkpoint, and what it was trained with."""

import dataclasses

import keras
import ml_collections

from trainers.errors import BadInput
from trainers.pictures import files
from trainers.runs import checkpoints
from trainers.runs import config as configs
from trainers.runs.config import decays
from trainers.runs.selection import Selection
from trainers.runs.workdir import FORMAT, Workdir
from zoo.training.averaging import Averages


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model and its history.

    description: what config.json holds. step: of the checkpoint. seconds: spent in training so far. medium: what its
    examples mean. selected: the step whose weights were best on the validation split and are the model's, None where
    the run does not select.
    """

    workdir: Workdir
    description: dict
    config: ml_collections.ConfigDict
    model: keras.Model
    step: int
    seconds: float
    medium: files.Medium = files.Medium()
    selected: int | None = None


def plain_model(name, config, shape):
    """Makes the run's model outside any strategy and in 32 bits, for evaluation, sampling and export."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return configs.make_model(name, config, shape)
    finally:
        keras.config.set_dtype_policy(policy)


def put(model, weights):
    """Gives a model averaged weights, as `trainers.training.engine.Engine.weights` has them, with what belongs to
    them."""
    model.set_weights(weights)
    model.settle()


def load(path, log=print):
    """Loads a run's newest whole checkpoint, the moving averages in the place of the weights.

    Raises:
        BadInput: where there is none, or it is of another model or a later version.
    """
    workdir = Workdir(path)
    description = workdir.read_config()
    if description.get("format", 1) not in range(1, FORMAT + 1):
        raise BadInput(f"{workdir.config}: is of format {description['format']!r}, of a later version; this one reads "
                       f"formats up to {FORMAT}.")
    try:
        config = configs.from_dict(description["config"])
        name, shape = description["model"], tuple(description["shape"])
    except (KeyError, TypeError) as error:
        raise BadInput(f"{workdir.config}: is not the description of a run: {error} is missing.") from None
    model = plain_model(name, config, shape)
    found = checkpoints.read(workdir.checkpoints, log)
    if not found:
        raise BadInput(f"--workdir={workdir.path}: holds no checkpoint yet.")
    step, state = found
    selection = Selection(config, model.weights)
    try:
        _restore([w.value for w in model.weights], state["weights"])
        _restore(selection.state().get("selected", []), state.get("selected", []))
        weights = _averaged(model, config, state, description.get("format", 1))
    except (KeyError, ValueError) as error:
        raise BadInput(f"{workdir.checkpoints}: the checkpoint of step {step} is not one of this model: "
                       f"{error}.") from None
    put(model, selection.weights(weights))
    seconds, medium = float(state["seconds"][0]), files.stored(workdir, description)
    return Run(workdir, description, config, model, step, seconds, medium, selection.step or None)


def _restore(variables, arrays):
    """Gives variables their arrays. Raises ValueError unless they are as many, of the same shapes."""
    ours, theirs = [tuple(v.shape) for v in variables], [array.shape for array in arrays]
    if ours != theirs:
        different = [index for index, (a, b) in enumerate(zip(ours, theirs)) if a != b]
        where = min(different, default=min(len(ours), len(theirs)))
        raise ValueError(f"{len(theirs)} arrays for {len(ours)} weights, of which number {where} is the first that "
                         "differs")
    for variable, array in zip(variables, arrays):
        variable.assign(array)


def _averaged(model, config, state, form):
    """Reads the weights as arrays, with the averages of a checkpoint's state in the place of those that have one."""
    players = model.players()
    kept = decays(players, config)
    if form == 1:  # averages were slots of a Keras optimizer, after the number of its moves
        for player in players:
            moves, *slots = state.get(f"optimizer_{player.name}", [0])
            if player.name in kept and moves:
                _restore([weight.value for weight in player.weights], slots[:len(player.weights)])
    else:
        averages = Averages([player.weights for player in players], [kept.get(player.name, 0.0) for player in players])
        _restore(averages.variables, state.get("averages", []))
        averages.put(model.weights)
    return model.get_weights()
