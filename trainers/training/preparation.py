"""What must fit together before a run starts: the flags, the recipe, the data set and the model.

Everything here raises BadInput, of one sentence, before anything is written.
"""

import math
import sys

import keras

from trainers.data import check
from trainers.errors import BadInput
from trainers.runs import config as configs
from trainers.runs.run import plain_model
from trainers.training import fitting, optimizers
from zoo.training.game import check_accumulation


def prepare(options, config, dataset):
    """Makes the plain model, and checks it, the recipe and the data set against one another; completes the
    configuration by what the data set alone knows."""
    keras.utils.set_random_seed(options.seed % 2**32)
    _take_from_data(config, dataset)
    plain = plain_model(options.model, config, dataset.shape)
    if fitting.is_fitted(plain):
        plain = fitting.prepare(options, config, dataset, plain,
                                lambda: plain_model(options.model, config, dataset.shape))
    players = [player.name for player in plain.players()]
    configs.check(config, players)
    optimizers.check(config, players)
    _check_players(config, plain.players())
    check(dataset, plain.domain, config.data)
    return plain


def _check_players(config, players):
    """Raises BadInput for a player who never moves, or a game that no accumulation goes with."""
    for player in players:
        if player.start >= config.steps:
            raise BadInput(f"--config.steps={config.steps}: player {player.name!r} begins at step {player.start}; more "
                           "steps are needed, or an earlier beginning "
                           "(--config.model.autoencoder_steps).")
    if config.accumulation > 1:
        try:
            check_accumulation(players)
        except ValueError as error:
            raise BadInput(f"--config.accumulation={config.accumulation}: {error}") from None


def check_batch(config, replicas):
    """Raises BadInput for a batch that does not divide among the replicas, or a replica's part of it into the parts of
    an accumulation."""
    if config.batch_size % replicas:
        raise BadInput(f"--batch_size={config.batch_size} does not divide among {replicas} replicas; "
                       f"{config.batch_size // replicas * replicas or replicas} does.")
    part = config.batch_size // replicas
    if config.accumulation < 1 or part % config.accumulation:
        raise BadInput(f"--config.accumulation={config.accumulation} does not divide the {part} examples of a "
                       "replica's batch; "
                       f"{math.gcd(part, max(config.accumulation, 1))} does.")


def check_validation(options, config, dataset):
    """Raises BadInput where a validation is asked for and there is no split for it."""
    validations = {"--eval_every": options.eval_every, "--config.selection.every": config.selection.every}
    asked = [f"{flag}={every}" for flag, every in validations.items() if every]
    if asked and not dataset.sizes.get("validation"):
        raise BadInput(f"{asked[0]}: {options.dataset} has no validation split; --config.data.validation=N holds N "
                       "training examples out.")
    if asked and dataset.partner and not dataset.partner.sizes.get("validation"):
        raise BadInput(f"{asked[0]}: --config.data.partner={config.data.partner} has no validation split; choose one "
                       "that has.")


def _take_from_data(config, dataset):
    """Gives a model what the data set alone knows: its number of examples, and of tokens the tokenizer's vocabulary and
    end, whatever the recipe says."""
    _take_grammar(config, dataset)
    if "num_examples" in config.model and not _given("num_examples"):
        config.model.num_examples = dataset.sizes["train"]
    if not dataset.tokenizer:
        return
    for key, value in (("levels", dataset.levels), ("end", dataset.tokenizer.end)):
        if key not in config.model:
            continue
        if _given(key) and config.model[key] != value:
            raise BadInput(f"--config.model.{key}={config.model[key]}: the tokenizer of --dataset={dataset.name} "
                           f"says {value}; leave it out, "
                           "or choose another --config.data.tokenizer or --config.data.vocabulary.")
        config.model[key] = value


def _given(key):
    """Tells whether the command line sets an argument of the model."""
    return any(argument.split("=")[0] == f"--config.model.{key}" for argument in sys.argv)


def _take_grammar(config, dataset):
    """Gives a model of derivations the grammar whose rules are the data set's tokens."""
    if "grammar" not in config.model:
        return
    if _given("grammar"):
        raise BadInput("--config.model.grammar: is that of the data; leave it out and set --config.data.grammar.")
    if dataset.tokenizer:
        if dataset.tokenizer.name != "grammar":
            raise BadInput(f"--config.data.tokenizer={config.data.tokenizer}: the model reads the rules of a grammar; "
                           "set --config.data.tokenizer=grammar.")
        config.model.grammar = dataset.tokenizer.grammar.text
