"""A run's configuration: the recipe of (model, data set), completed with every default, overridden by
--config.KEY=VALUE, then checked."""

import inspect
import math

import ml_collections
from ml_collections import config_dict

import zoo
from trainers import recipes
from trainers.data import options as data_options
from trainers.errors import BadInput
from trainers.recipes import recipe as recipe_form

# What runs do that were begun before there was the entry, where that is not its default.
_OLDER = dict(optimizer=dict(decay_all=True))


def model_class(name):
    """Returns the class of --model. Raises BadInput, with the nearest right name, for an unknown one."""
    if name not in zoo.MODELS:
        raise BadInput(f"--model: unknown model {name!r}; {zoo.nearest(name, zoo.MODELS)}")
    return zoo.MODELS[name]


def default(model, dataset, variant=""):
    """Returns the recipe as a ConfigDict in which every entry that can be set is present, with its type. Raises
    BadInput for a variant that is none."""
    recipe = recipes.find(model, dataset, variant)
    if recipe is None:
        named = {other.variant for other in recipes.of_model(model) if other.variant}
        known = sorted(name for name in named if recipes.find(model, dataset, name))
        raise BadInput(f"--variant={variant}: --model={model} has no such recipe for --dataset={dataset}; "
                       + (zoo.nearest(variant, known) if known else "leave it out."))
    parameters = inspect.signature(model_class(model).__init__).parameters
    arguments = {}
    for name, parameter in parameters.items():
        if name in ("self", "shape") or parameter.kind is parameter.VAR_KEYWORD:
            continue
        value = recipe.arguments.get(name, parameter.default)
        arguments[name] = config_dict.placeholder(_kind(parameter)) if value is None else value
    # Of a player None stands for what `optimizer` says.
    inherited = {key: config_dict.placeholder(type(value)) for key, value in recipe_form.OPTIMIZER.items()}
    return ml_collections.ConfigDict(dict(
        model=arguments,
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        optimizer=recipe_form.OPTIMIZER | recipe.optimizer,
        players={name: inherited | entries for name, entries in recipe.players.items()},
        schedule=recipe_form.SCHEDULE | recipe.schedule,
        ema=float(recipe.ema),
        clip_norm=float(recipe.clip_norm),
        skip_norm=float(recipe.skip_norm),
        accumulation=recipe.accumulation,
        data=data_options.DEFAULTS | recipe.data,
        selection=recipe_form.SELECTION | recipe.selection,
        evaluation=recipe_form.EVALUATION | recipe.evaluation,
    ))


def _kind(parameter):
    """Returns the type of an argument whose default is None, from its annotation."""
    annotation = str(parameter.annotation)
    for kind in (int, float, str, tuple):
        if kind.__name__ in annotation:
            return kind
    return int


def check_key(config, key):
    """Raises BadInput, with the nearest right name, for a dotted key that the configuration does not have."""
    path = key.split(".")
    for depth, name in enumerate(path):
        if not isinstance(config, ml_collections.ConfigDict):
            raise BadInput(f"--config.{key}: {'.'.join(path[:depth])} is one value and has no entry {name!r}.")
        if name not in config:
            raise BadInput(f"--config.{key}: the recipe has no entry {name!r} there; {zoo.nearest(name, config)}")
        config = config[name]


def make_model(name, config, shape):
    """Makes the run's model for examples of `shape`. Raises BadInput with the model's own sentence where an argument is
    bad."""
    arguments = {key: value for key, value in config.model.items()}
    if arguments.get("classes") == 0:  # a recipe's number can't be unset on a command line
        arguments["classes"] = None
    if "shape" in inspect.signature(model_class(name).__init__).parameters:
        arguments["shape"] = tuple(shape)
    try:
        return zoo.create(name, **arguments)
    except (ValueError, TypeError) as error:
        raise BadInput(f"--model={name} does not fit examples of shape {tuple(shape)} or its --config.model entries: "
                       f"{error}") from error


def check(config, players):
    """Raises BadInput for an entry outside what is allowed."""
    for key in ("steps", "batch_size", "accumulation"):
        if config[key] <= 0:
            raise BadInput(f"--config.{key} must be more than 0, found {config[key]}.")
    if not 0 <= config.ema < 1:
        raise BadInput(f"--config.ema must be at least 0 and less than 1, found {config.ema}.")
    if config.clip_norm < 0:
        raise BadInput(f"--config.clip_norm must be 0 (none) or more, found {config.clip_norm}.")
    if not 0 <= config.skip_norm < math.inf:
        raise BadInput(f"--config.skip_norm must be 0 (no update is skipped) or more, found {config.skip_norm}.")
    for key, value in config.evaluation.items():
        if value <= 0:
            raise BadInput(f"--config.evaluation.{key} must be more than 0, found {value}.")
    for key, value in config.selection.items():
        if value < 0:
            raise BadInput(f"--config.selection.{key} must be 0 (none) or more, found {value}.")
    if config.selection.patience and not config.selection.every:
        raise BadInput(f"--config.selection.patience={config.selection.patience}: --config.selection.every, the steps "
                       "between two looks, is needed too.")
    if config.selection.every and len(players) > 1:
        raise BadInput(f"--config.selection.every={config.selection.every}: a game of {', '.join(players)} has no one "
                       "loss to select by.")


def decays(players, config):
    """Returns {player: decay} of the moving averages of what it moves."""
    return {player.name: config.ema for player in players if config.ema}


def as_flags(config):
    """Returns the configuration as the flags that would set it, a line each."""
    def lines(section, prefix):
        for key, value in section.items():
            if isinstance(value, ml_collections.ConfigDict):
                yield from lines(value, f"{prefix}.{key}")
            elif "\n" in str(value):
                yield f"  {prefix}.{key}={value.splitlines()[0]} ..."
            elif value is not None:
                yield f"  {prefix}.{key}={value}"

    return "\n".join(lines(config, "--config"))


def to_dict(config):
    """Returns the configuration as plain JSON values."""
    return _plain(config.to_dict())


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def from_dict(values):
    """Makes the ConfigDict of what `to_dict` wrote.

    Lists become tuples again, and entries that are younger than the run say what it does without them.
    """
    def restore(value):
        if isinstance(value, dict):
            return {key: restore(item) for key, item in value.items()}
        return tuple(restore(item) for item in value) if isinstance(value, list) else value

    return ml_collections.ConfigDict(restore(_completed(values)))


def _completed(values):
    """Returns what `to_dict` wrote with the entries that are younger than the run, as it goes on without them."""
    sections = dict(data=data_options.DEFAULTS, selection=recipe_form.SELECTION, evaluation=recipe_form.EVALUATION,
                    optimizer=_OLDER["optimizer"])
    completed = dict(skip_norm=0.0, accumulation=1) | values
    for name, entries in sections.items():
        completed[name] = entries | values.get(name, {})
    return completed


def go_on(config, description, given):
    """Sets the entries that a run was begun without to what it did, but for those, dotted, that are `given` by hand.

    Args:
        config: of a command that resumes the run, changed in place. description: what its config.json holds.
    """
    before = description.get("config", {})
    for section, entries in _OLDER.items():
        for key, value in entries.items():
            if key not in before.get(section, {}) and f"{section}.{key}" not in given:
                config[section][key] = value


def updated(description, now):
    """Returns what a run's config.json holds as this version would write it, so that it can be compared with `now`.

    Entries of `data` that are left out of `now` are of other kinds of data than the run's, and mean nothing to it.
    """
    values = _completed(description.get("config", {}))
    values["data"] = {key: value for key, value in values["data"].items() if key in now["config"]["data"]}
    return description | dict(config=values)


def shown(config, dataset):
    """Returns what is printed and kept of a configuration: all but the entries of `data` that the data set does not
    take."""
    values = config.to_dict()
    values["data"] = {key: value for key, value in values["data"].items() if key in dataset.entries}
    return ml_collections.ConfigDict(values)
