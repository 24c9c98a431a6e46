"""Trains a model of the zoo: python -m trainers.train --model=NAME --dataset=NAME --workdir=DIR.

The same command resumes a run that was stopped or killed. Any entry of the recipe is set by --config.KEY=VALUE, for
example --config.model.latent_size=20 or --config.optimizer.learning_rate=3e-4; the recipe is printed before anything
starts.
"""

import os
import shlex
import sys
import time

from absl import flags

from trainers import cli
from trainers.errors import BadInput

# What a resumed run may change: where and how long it runs, and what a diverged run needs to go on from its last good
# checkpoint.
_FREE = ("config.steps", "config.evaluation", "config.selection.patience", "config.schedule", "config.clip_norm",
         "config.skip_norm", "config.optimizer.learning_rate", "config.players", "data_dir", "strategy", "replicas",
         "hardware", "versions", "commit", "command")


def define(options):
    """Defines the flags."""
    flags.DEFINE_string("model", "vae", "Name of the model; zoo-list prints all.", flag_values=options)
    flags.DEFINE_string("dataset", "digits",
                        "Name of the data set: digits, photo_patches, toy2d/..., expressions, pysource, shapes, "
                        "shapes/colour, shapes/outline, sketches, tones, a TFDS name, or KIND:PATH with KIND one of "
                        "image_folder, lines, ndjson, table, text_file, wav_folder.",
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
    flags.DEFINE_string("strategy", "one_device", "One of one_device, mirrored, multi_worker.", flag_values=options)
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
    """Defines --config.KEY=VALUE for every entry of the recipe of --model and --dataset."""
    from ml_collections import config_flags

    from trainers.runs import config

    config.model_class(options.model)
    recipe = config.default(options.model, options.dataset, options.variant)
    for argument in sys.argv[1:]:
        if argument.startswith("--config."):
            config.check_key(recipe, argument.removeprefix("--config.").split("=")[0])
    config_flags.DEFINE_config_dict("config", recipe, flag_values=options)


def main(options):
    """Trains the run that the flags ask for, or goes on with it; returns the exit code. Raises BadInput for flags, an
    entry of the recipe or data that do not fit."""
    from trainers.data import open_dataset
    from trainers.runs import config as configs
    from trainers.runs.workdir import Workdir
    from trainers.training import preparation, strategies

    config = options.config
    _take_numbers(options, config)
    strategy = strategies.make(options.strategy, options.virtual_devices)
    preparation.check_batch(config, strategy.num_replicas_in_sync)
    if options.virtual_devices and options.strategy != "mirrored":
        raise BadInput(f"--virtual_devices={options.virtual_devices}: only --strategy=mirrored has a use for them.")
    data_dir = options.data_dir and os.path.abspath(options.data_dir)
    config.data.partner = _absolute(config.data.partner)
    dataset = open_dataset(_absolute(options.dataset), data_dir, config.data)
    plain = preparation.prepare(options, config, dataset)
    preparation.check_validation(options, config, dataset)

    workdir = Workdir(options.workdir or os.path.join("runs", _folder(options)))
    if workdir.config.exists():
        given = [argument.split("=")[0].removeprefix("--config.") for argument in sys.argv]
        configs.go_on(config, workdir.read_config(), given)
    shown = configs.shown(config, dataset)
    description = _description(options, shown, dataset, plain, data_dir, strategy.num_replicas_in_sync)
    worker, _ = strategies.workers(strategy)
    with workdir.locked(worker):
        if worker == 0:
            _claim(workdir, description, shown, dataset, plain)
        return _train(options, dataset, plain, strategy, workdir, description)


def _take_numbers(options, config):
    """Puts the flags that are entries of the recipe into the configuration. Raises BadInput for a number out of its
    range."""
    for name in ("steps", "batch_size"):
        if options[name].value is not None:
            config[name] = cli.positive(options, name)
    cli.positive(options, "log_every")
    cli.not_negative(options, "virtual_devices", "eval_every", "sample_every", "checkpoint_every")


def _description(options, shown, dataset, plain, data_dir, replicas):
    """Makes the run's description: all that makes it what it is, JSON values; `shown` is its configuration without the
    entries that the data set does not take."""
    from trainers.data import protocol
    from trainers.runs import config as configs
    from trainers.runs import records
    from trainers.runs.workdir import FORMAT
    from trainers.training import fitting

    config = options.config
    description = dict(
        format=FORMAT, model=options.model, dataset=dataset.name, data_dir=data_dir, seed=options.seed,
        shape=list(dataset.shape), config=configs.to_dict(shown), data=protocol(dataset, plain.domain, config.data),
        strategy=options.strategy, replicas=replicas, mixed_precision=options.mixed_precision, jit=options.jit,
        hardware=records.hardware(), versions=records.versions(), commit=records.commit(),
        command=shlex.join(["zoo-train", *sys.argv[1:]]))
    if plain.domain.num_classes and dataset.class_names:
        description["class_names"] = list(dataset.class_names)
    if options.variant:
        description["variant"] = options.variant
    if fitting.is_fitted(plain):
        description["data"] |= fitting.protocol(dataset, plain.domain, config.data)
    return description


def _claim(workdir, description, shown, dataset, plain):
    """Writes the tokenizer and the description into the run's folder, or checks that it is of the same run, and prints
    what is run and what is changed."""
    from trainers.runs import config as configs
    from zoo.layers.following import followed

    if dataset.tokenizer:
        workdir.write_tokenizer(dataset.tokenizer.to_dict())
    own = any(item.replicas == "each" for player in plain.players() for item in followed(player.follows))
    free = [key for key in _FREE if not own or key not in ("strategy", "replicas")]
    changed = workdir.claim(description, free=free, update=configs.updated)
    print(f"{description['model']} on {description['dataset']}, {plain.count_params():,} weights, in "
          f"{workdir.path}\n{configs.as_flags(shown)}", flush=True)
    for key, (before, now) in changed.items():
        if key.startswith("config.") and before is not None:
            print(f"changed: {key} was {before}, is {now}", flush=True)


def _folder(options):
    """Names the run's folder, where none is given."""
    return "-".join(part.replace("/", "-").replace(":", "-")
                    for part in (options.model, options.dataset, options.variant) if part)


def _absolute(dataset):
    """Makes the path in the name of the user's own data absolute, so that a run can be evaluated from anywhere."""
    from trainers.data import FILES

    kind, _, path = dataset.partition(":")
    return f"{kind}:{os.path.abspath(os.path.expanduser(path))}" if kind in FILES and path else dataset


def _train(options, dataset, plain, strategy, workdir, description):
    """Trains the run and exports it; returns the exit code."""
    import keras

    from trainers.runs import config as configs
    from trainers.runs.workdir import storage_errors
    from trainers.training import inputs
    from trainers.training.loop import Loop

    config, data = options.config, inputs.of(dataset, plain, options.config, options.seed)
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
        _export(loop, plain, workdir, description, step)
    return 0


def _export(loop, plain, workdir, description, step):
    """Exports the run, unless it had ended before."""
    import tensorflow as tf

    from trainers.export import export_run, exported_step
    from trainers.runs.run import put
    from trainers.runs.workdir import storage_errors

    if exported_step(workdir.export) == step:
        return
    put(plain, loop.weights())
    with storage_errors(workdir.path, tf.errors.OpError):
        path = export_run(plain, workdir, description, step)
    loop.log(f"exported to {path}")


def run(argv=None):
    """Runs the program; returns its exit code."""
    return cli.execute(define, main, argv, prepare=_define_config)


if __name__ == "__main__":
    sys.exit(run())
