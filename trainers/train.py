"""Trains a model of the zoo: python -m trainers.train --model=NAME --dataset=NAME --workdir=DIR.

The same command resumes a run that was stopped or killed. Any entry of the recipe is set by --config.KEY=VALUE, for
example --config.model.latent_size=20 or --config.optimizer.learning_rate=3e-4; the recipe is printed before anything
starts.
"""

import math
import os
import shlex
import sys
import time
import types

from absl import flags

from trainers import cli
from trainers.training import strategies

# What a resumed run may change: where and how long it runs, and what a diverged run needs to go on from its last good
# checkpoint.
_FREE = ("config.steps", "config.evaluation", "config.selection.patience", "config.schedule", "config.clip_norm",
         "config.skip_norm",
         "config.optimizer.learning_rate", "config.players", "data_dir", "strategy", "replicas", "hardware", "versions",
         "commit", "command")

_SHOWN = 8  # samples whose conditions are those of training examples


def define(options):
    flags.DEFINE_string("model", "vae", "Name of the model; zoo-list prints all.", flag_values=options)
    flags.DEFINE_string("dataset", "digits", "Name of the data set: digits, photo_patches, toy2d/..., expressions, "
                                             "pysource, shapes, shapes/colour, shapes/outline, sketches, tones, a TFDS "
                                             "name, or KIND:PATH "
                        "with KIND one of image_folder, lines, ndjson, table, text_file, wav_folder.",
                        flag_values=options)
    flags.DEFINE_string("variant", "", "Another recipe of the same model and data set, by its name; zoo-list prints "
                                       "all.", flag_values=options)
    flags.DEFINE_string("workdir", None, "Folder of the run; runs/MODEL-DATASET if not given.", flag_values=options)
    flags.DEFINE_string("data_dir", None,
                        "Folder with prepared TFDS data sets; nothing is downloaded for those that are there.",
                        flag_values=options)
    flags.DEFINE_integer("steps", None, "Steps in all; the recipe's if not given.", flag_values=options)
    flags.DEFINE_integer("batch_size", None, "Examples in a step, over all replicas; the recipe's if not given.",
                         flag_values=options)
    flags.DEFINE_integer("seed", 0, "Seed of weights, order of examples and noise.", flag_values=options)
    flags.DEFINE_string("strategy", "one_device", f"One of {', '.join(strategies.STRATEGIES)}.", flag_values=options)
    flags.DEFINE_integer("virtual_devices", 0,
                         "Split the CPU into this many logical ones (to try --strategy=mirrored).", flag_values=options)
    flags.DEFINE_boolean("mixed_precision", False, "Compute in bfloat16, keep weights and losses in float32.",
                         flag_values=options)
    flags.DEFINE_boolean("jit", False, "Compile losses and gradients with XLA.", flag_values=options)
    flags.DEFINE_boolean("export", True, "Write a SavedModel at the end.", flag_values=options)
    flags.DEFINE_integer("log_every", 100, "Steps between two lines of metrics.", flag_values=options)
    flags.DEFINE_integer("eval_every", 0, "Steps between two validations (0: none; needs a validation split).",
                         flag_values=options)
    flags.DEFINE_integer("sample_every", 1000, "Steps between two sample pictures (0: none).", flag_values=options)
    flags.DEFINE_integer("checkpoint_every", 1000, "Steps between two checkpoints (0: only at the end).",
                         flag_values=options)


def _define_config(options):
    """--config.KEY=VALUE for every entry of the recipe of --model and --dataset."""
    from ml_collections import config_flags

    from trainers.runs import config

    config.model_class(options.model)
    recipe = config.default(options.model, options.dataset, options.variant)
    for argument in sys.argv[1:]:
        if argument.startswith("--config."):
            config.check_key(recipe, argument.removeprefix("--config.").split("=")[0])
    config_flags.DEFINE_config_dict("config", recipe, flag_values=options)


def main(options):
    from trainers.data import check, evaluation_batches, open_dataset, protocol, training_batches
    from trainers.errors import BadInput
    from trainers.pictures import files
    from trainers.runs import config as configs
    from trainers.runs import records
    from trainers.runs.workdir import FORMAT, Workdir
    from trainers.training import fitting, previews
    from zoo.density.parts.fitted import FittedModel
    from zoo.layers.following import followed

    config = options.config
    for name in ("steps", "batch_size"):
        if options[name].value is not None:
            config[name] = cli.positive(options, name)
    cli.positive(options, "log_every")
    cli.not_negative(options, "virtual_devices", "eval_every", "sample_every", "checkpoint_every")
    strategy = strategies.make(options.strategy, options.virtual_devices)
    replicas = strategy.num_replicas_in_sync
    worker, _ = strategies.workers(strategy)
    _check_batch(config, replicas)
    if options.virtual_devices and options.strategy != "mirrored":
        raise BadInput(f"--virtual_devices={options.virtual_devices}: only --strategy=mirrored has a use for them.")
    data_dir = options.data_dir and os.path.abspath(options.data_dir)
    config.data.partner = _absolute(config.data.partner)
    dataset = open_dataset(_absolute(options.dataset), data_dir, config.data)
    plain = _check(options, config, dataset, configs, check)
    _check_validation(options, config, dataset)

    workdir = Workdir(options.workdir or os.path.join("runs", _folder(options)))
    if workdir.config.exists():
        given = [argument.split("=")[0].removeprefix("--config.") for argument in sys.argv]
        configs.go_on(config, workdir.read_config(), given)
    shown = configs.shown(config, dataset)
    description = dict(
        format=FORMAT, model=options.model, dataset=dataset.name, data_dir=data_dir, seed=options.seed,
        shape=list(dataset.shape), config=configs.to_dict(shown), data=protocol(dataset, plain.domain, config.data),
        strategy=options.strategy, replicas=replicas, mixed_precision=options.mixed_precision, jit=options.jit,
        hardware=records.hardware(), versions=records.versions(), commit=records.commit(),
        command=shlex.join(["zoo-train", *sys.argv[1:]]),
        **({"class_names": list(dataset.class_names)} if plain.domain.num_classes and dataset.class_names else {}),
        **({"variant": options.variant} if options.variant else {}))
    if isinstance(plain, FittedModel):
        description["data"] |= fitting.protocol(dataset, plain.domain, config.data)
    with workdir.locked(worker):
        if worker == 0:
            if dataset.tokenizer:
                workdir.write_tokenizer(dataset.tokenizer.to_dict())
            own = any(item.replicas == "each" for player in plain.players() for item in followed(player.follows))
            changed = workdir.claim(description,
                                    free=[key for key in _FREE if not own or key not in ("strategy", "replicas")],
                                    update=configs.updated)
            print(f"{options.model} on {dataset.name}, {plain.count_params():,} weights, in "
                  f"{workdir.path}\n{configs.as_flags(shown)}", flush=True)
            for key, (before, now) in changed.items():
                if key.startswith("config.") and before is not None:
                    print(f"changed: {key} was {before}, is {now}", flush=True)
        data = types.SimpleNamespace(
            training=lambda start, index, num: training_batches(
                dataset, plain.domain, config.batch_size, options.seed, config.data, start=start, worker=index,
                workers=num),
            validation=lambda: evaluation_batches(dataset, "validation", plain.domain, config.batch_size, options.seed,
                                                  config.data),
            medium=files.medium(dataset), condition=_condition(dataset, plain.domain, config, options.seed),
            examples=_examples(dataset, plain.domain, config, options.seed) if previews.needs_examples(plain) else None)
        if isinstance(plain, FittedModel):
            data.training = fitting.training(dataset, plain.domain, options.seed, config.data)
        return _train(options, config, dataset, plain, data, strategy, workdir, description)


def _check_batch(config, replicas):
    """Raises BadInput for a batch that does not divide among the replicas, or a replica's part of it into the parts of
    an accumulation."""
    from trainers.errors import BadInput

    if config.batch_size % replicas:
        raise BadInput(f"--batch_size={config.batch_size} does not divide among {replicas} replicas; "
                       f"{config.batch_size // replicas * replicas or replicas} does.")
    part = config.batch_size // replicas
    if config.accumulation < 1 or part % config.accumulation:
        raise BadInput(f"--config.accumulation={config.accumulation} does not divide the {part} examples of a "
                       "replica's batch; "
                       f"{math.gcd(part, max(config.accumulation, 1))} does.")


def _check_validation(options, config, dataset):
    """Raises BadInput where a validation is asked for and there is no split for it."""
    from trainers.errors import BadInput

    validations = {"--eval_every": options.eval_every, "--config.selection.every": config.selection.every}
    asked = [f"{flag}={every}" for flag, every in validations.items() if every]
    if asked and not dataset.sizes.get("validation"):
        raise BadInput(f"{asked[0]}: {options.dataset} has no validation split; --config.data.validation=N holds N "
                       "training examples out.")
    if asked and dataset.partner and not dataset.partner.sizes.get("validation"):
        raise BadInput(f"{asked[0]}: --config.data.partner={config.data.partner} has no validation split; choose one "
                       "that has.")


def _condition(dataset, domain, config, seed):
    """The conditions of the first examples, for the samples of a model that needs some; None of a model of classes,
    which come in turn, and of others."""
    from trainers.data import evaluation_batches

    if not domain.conditional or domain.num_classes:
        return None
    return domain.split(next(iter(evaluation_batches(dataset, "train", domain, _SHOWN, seed, config.data,
                                                     limit=_SHOWN))))[1]


def _folder(options):
    """The name of the run's folder, where none is given."""
    return "-".join(part.replace("/", "-").replace(":", "-")
                    for part in (options.model, options.dataset, options.variant) if part)


def _examples(dataset, domain, config, seed):
    """The examples of which pictures show reconstructions: the first of the validation split, or of the training split
    where there is no other."""
    from trainers.data import evaluation_batches, num_examples
    from trainers.training.previews import EXAMPLES

    split = "validation" if dataset.sizes.get("validation") else "train"
    num = min(EXAMPLES, num_examples(dataset, split, domain))
    return next(iter(evaluation_batches(dataset, split, domain, num, seed, config.data, limit=num)))


def _absolute(dataset):
    """The data set's name, the path of the user's own made absolute, so that a run can be evaluated from anywhere."""
    from trainers.data import FILES

    kind, _, path = dataset.partition(":")
    return f"{kind}:{os.path.abspath(os.path.expanduser(path))}" if kind in FILES and path else dataset


def _check(options, config, dataset, configs, check):
    """Makes the plain model, and checks it, the recipe and the data set against one another before anything is
    written."""
    import keras

    from trainers.errors import BadInput
    from trainers.runs.run import plain_model
    from trainers.training import fitting
    from zoo.density.parts.fitted import FittedModel
    from zoo.training.game import check_accumulation

    keras.utils.set_random_seed(options.seed % 2**32)
    _take_from_data(config, dataset)
    plain = plain_model(options.model, config, dataset.shape)
    if isinstance(plain, FittedModel):
        plain = fitting.prepare(options, config, dataset, plain,
                                lambda: plain_model(options.model, config, dataset.shape))
    configs.check(config, [player.name for player in plain.players()])
    for player in plain.players():
        if player.start >= config.steps:
            raise BadInput(f"--config.steps={config.steps}: player {player.name!r} begins at step {player.start}; more "
                           "steps are needed, or an earlier beginning "
                           "(--config.model.autoencoder_steps).")
    if config.accumulation > 1:
        try:
            check_accumulation(plain.players())
        except ValueError as error:
            raise BadInput(f"--config.accumulation={config.accumulation}: {error}") from None
    check(dataset, plain.domain, config.data)
    return plain


def _take_from_data(config, dataset):
    """Gives a model what the data set alone knows: its number of examples, and of tokens the tokenizer's vocabulary and
    end, whatever the recipe says."""
    from trainers.errors import BadInput

    _take_grammar(config, dataset)
    if "num_examples" in config.model and not _given("num_examples"):
        config.model.num_examples = dataset.sizes["train"]
    for key, value in (("levels", dataset.levels), ("end", dataset.tokenizer.end)) if dataset.tokenizer else ():
        if key in config.model:
            if _given(key) and config.model[key] != value:
                raise BadInput(f"--config.model.{key}={config.model[key]}: the tokenizer of --dataset={dataset.name} "
                               f"says {value}; leave it out, "
                               "or choose another --config.data.tokenizer or --config.data.vocabulary.")
            config.model[key] = value


def _given(key):
    """Whether the command line sets an argument of the model."""
    return any(argument.split("=")[0] == f"--config.model.{key}" for argument in sys.argv)


def _take_grammar(config, dataset):
    """Gives a model of derivations the grammar whose rules are the data set's tokens."""
    from trainers.errors import BadInput

    if "grammar" not in config.model:
        return
    if _given("grammar"):
        raise BadInput("--config.model.grammar: is that of the data; leave it out and set --config.data.grammar.")
    if dataset.tokenizer:
        if dataset.tokenizer.name != "grammar":
            raise BadInput(f"--config.data.tokenizer={config.data.tokenizer}: the model reads the rules of a grammar; "
                           "set --config.data.tokenizer=grammar.")
        config.model.grammar = dataset.tokenizer.grammar.text


def _train(options, config, dataset, plain, data, strategy, workdir, description):
    import keras
    import tensorflow as tf

    from trainers.runs import config as configs
    from trainers.runs.workdir import storage_errors
    from trainers.training.loop import Loop

    if options.mixed_precision:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        keras.utils.set_random_seed(options.seed % 2**32)
        loop = Loop(lambda: configs.make_model(options.model, config, dataset.shape), plain, data, config, options.seed,
                    strategy, workdir, options)
        began = time.monotonic()
        with storage_errors(workdir.path):
            step = loop.train()
    finally:
        keras.config.set_dtype_policy("float32")
    loop.log(f"step {step} after {time.monotonic() - began:.0f} s")
    if loop.stopped_by:
        loop.log(f"stopped by signal {loop.stopped_by}; the checkpoint of step {step} is saved and the same command "
                 "resumes")
        return 128 + loop.stopped_by
    if loop.chief and options.export:
        from trainers.export import export_run, exported_step
        from trainers.runs.run import put

        if exported_step(workdir.export) == step:  # the run had ended before
            return 0
        put(plain, loop.weights())
        with storage_errors(workdir.path, tf.errors.OpError):
            path = export_run(plain, workdir, description, step)
        loop.log(f"exported to {path}")
    return 0


def run(argv=None):
    """The program; returns its exit code."""
    return cli.execute(define, main, argv, prepare=_define_config)


if __name__ == "__main__":
    sys.exit(run())
