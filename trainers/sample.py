"""Draws from a trained model: python -m trainers.sample --workdir=DIR --mode=MODE --out=FILE.

FILE is a picture (.png), strokes (.svg), text (.txt), sound (.wav) or the numbers (.npy). sample: new examples.
reconstruct: test examples above what their codes decode to. interpolate: paths between the codes of pairs of test
examples, or, of a model without codes, between samples. manifold: the plane of a model's two latents. traverse: a test
example with one latent at a time replaced. arithmetic: a + b - c of examples or classes, by their codes. denoise: test
examples above the same with noise and what the model makes of that. translate: test examples above what they would be
in another domain. complete: what the model draws where test examples are hidden.
"""

import io
import os
import pathlib
import sys

import numpy as np
import tensorflow as tf
from absl import flags

import zoo
from trainers import cli
from trainers.errors import BadInput
from trainers.modes import conditions, registry
from trainers.modes.registry import MODES
from trainers.pictures import files
from trainers.runs.run import load
from trainers.runs.workdir import Workdir, storage_errors, write
from zoo import checks

NUMBERS = ".npy"


def define(options):
    """Defines the flags that do not depend on the model."""
    flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=options)
    flags.DEFINE_string("mode", "sample", f"One of {', '.join(MODES)}, as far as the model can.", flag_values=options)
    flags.DEFINE_integer("num_samples", None,
                         "How many samples, examples or pairs, latents to traverse, examples of a class to average, "
                         "or codes of the manifold (a square number); by default "
                         + ", ".join(f"{mode.name} {mode.num}" for mode in MODES.values()) + ".", flag_values=options)
    flags.DEFINE_integer("seed", 0, "Seed of the noise: the same seed gives the same samples, however many.",
                         flag_values=options)
    flags.DEFINE_string("out", None,
                        "File to write: a picture (.png), strokes (.svg), text (.txt), sound (.wav) or an array "
                        "(.npy); by default WORKDIR/samples/MODE with the usual ending.", flag_values=options)
    flags.DEFINE_boolean("mean", None,
                         "With --mode=sample, the mean of p(x|z) in the place of a draw from it, where the model has "
                         "one; by default for a picture only.", flag_values=options)
    flags.DEFINE_enum("path", "spherical", ["spherical", "linear"],
                      "Path between two codes, for --mode=interpolate of a model that has some.", flag_values=options)
    flags.DEFINE_list("terms", None,
                      "A,B,C with --mode=arithmetic, of which A + B - C is drawn: each a class by its name or number, "
                      "or a file with an example (.png, .txt, or .npy in the model's unit).", flag_values=options)
    flags.DEFINE_list("condition", None,
                      "On what is drawn, with --mode=sample, manifold, translate or complete, or interpolate of a "
                      "model without codes: a class by its name or number, or several, which come in turn; of other "
                      "conditions a file: .npy, or .npz with an array for each part. All classes in turn, or those of "
                      "test examples, if not given.", flag_values=options)
    flags.DEFINE_enum("mask", None, ["top", "left", "first", "random"],
                      "What is given of an example, for --mode=complete: the top or left half of an "
                      "image, the first half of a row, text or sound, or a random half; top or first if not given.",
                      flag_values=options)
    flags.DEFINE_string("prompt", None, "With --mode=sample of a text model, how the text begins.", flag_values=options)
    flags.DEFINE_integer("threads", None,
                         "Threads within and between TensorFlow's operations; as many as there are cores if not "
                         "given. One is the fastest for most models that draw place by place.", flag_values=options)
    flags.DEFINE_string("data_dir", None, "Folder with the prepared data sets; the run's own if not given.",
                        flag_values=options)


def _define_controls(options):
    """Defines a flag for each control of the run's model, as `Model.controls` declares it; refuses those of other
    models by name."""
    if options.workdir is None:
        raise BadInput("--workdir is needed: the folder of a run, as zoo-train makes it.")
    name = Workdir(options.workdir).read_config().get("model")
    own = zoo.MODELS[name].controls if name in zoo.MODELS else {}
    given = {argument.split("=")[0].lstrip("-") for argument in sys.argv[1:]}
    for key in {key for cls in zoo.MODELS.values() for key in cls.controls} - set(own):
        if key in given:
            has = f"it has {', '.join(own)}" if own else "it has none"
            raise BadInput(f"--{key}: model {name!r} of this run has no such control; {has}.")
    for key, control in own.items():
        define = flags.DEFINE_integer if control.dtype.is_integer else flags.DEFINE_float
        define(key, None, f"With {' or '.join(registry.taking(control))}: {control.meaning}.", flag_values=options)


def controls(options, model):
    """Reads {name: value} of the controls that were set on the command line. Raises BadInput for one that the mode does
    not take, or out of its range."""
    method = MODES[options.mode].controls
    given = {name: options[name].value for name in model.controls if options[name].present}
    for name in given:
        if method not in model.controls[name].of:
            modes = " or ".join(registry.taking(model.controls[name]))
            raise BadInput(f"--{name}: goes with {modes}, not with --mode={options.mode}.")
    try:
        checks.controls(model, method, given, 1)
    except ValueError as error:
        raise BadInput(f"--{error}") from None
    return given


def _check_out(out, endings):
    """Raises BadInput for a file that cannot be written, before anything is computed."""
    path = pathlib.Path(out)
    if path.is_dir():
        raise BadInput(f"--out={out}: is a folder; name a file in it, as {path / f'samples{endings[0]}'}.")
    if path.suffix not in endings:
        raise BadInput(f"--out={out}: unknown ending {path.suffix!r}; {zoo.nearest(path.suffix, endings)}")
    if not path.parent.is_dir():
        raise BadInput(f"--out={out}: no such folder as {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise BadInput(f"--out={out}: the folder {path.parent} cannot be written to.")


def main(options):
    """Draws what the flags ask for, and writes its file. Raises BadInput for flags that do not fit the run or one
    another."""
    mode = _mode(options)
    num = mode.num if options.num_samples is None else cli.positive(options, "num_samples")
    if options.threads is not None:
        _use(cli.positive(options, "threads"))
    folder = Workdir(options.workdir)
    folder.read_config()
    run = load(options.workdir)
    _check_run(options, mode, run)
    if options.out is None:
        options.out = _usual_file(folder, options.mode, run.model.domain)
    _check_out(options.out, (*files.endings(run.model.domain), NUMBERS))
    x, shown = mode.draw(run, num, options, controls(options, run.model))
    said = None if mode.of_examples else conditions.told(run, options)
    if said:
        print(said, flush=True)
    _write(options.out, x, shown)
    print(options.out, flush=True)


def _mode(options):
    """Finds the mode. Raises BadInput, with the nearest right name, for an unknown one, or a flag that goes with
    another."""
    if options.mode not in MODES:
        raise BadInput(f"--mode: unknown {options.mode!r}; {zoo.nearest(options.mode, MODES)}")
    for other in MODES.values():
        for name in other.flags:
            if options[name].present and options.mode != other.name:
                raise BadInput(f"--{name}: goes with --mode={other.name}, not with --mode={options.mode}.")
    if options["condition"].present and not MODES[options.mode].conditioned:
        conditioned = ", ".join(mode.name for mode in MODES.values() if mode.conditioned)
        raise BadInput(f"--condition: goes with --mode={conditioned}, not with --mode={options.mode}, whose examples "
                       "have their own.")
    return MODES[options.mode]


def _use(threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _check_run(options, mode, run):
    """Raises BadInput for a mode that the run's model does not have, or a flag that it has no use for."""
    domain, can = run.model.domain, registry.modes_of(run.model)
    reads_none = options.condition or domain.num_classes or not domain.conditional
    if options.data_dir and not mode.of_examples and reads_none:
        raise BadInput(f"--data_dir: --mode={options.mode} reads no data.")
    if options.mode not in can:
        raise BadInput(f"--mode={options.mode}: model {run.description['model']!r} of this run can't; it has "
                       f"{', '.join(can)}.")


def _usual_file(folder, name, domain):
    """Names the file where --out is not given, in the run's folder for samples, which it makes."""
    with storage_errors(folder.path):
        folder.samples.mkdir(exist_ok=True)
    return str(folder.samples / f"{name}{files.endings(domain)[0]}")


def _write(out, x, shown):
    """Writes the numbers x, or what `shown` makes of them for the file's ending. Raises BadInput where that fails."""
    try:
        if out.endswith(NUMBERS):
            file = io.BytesIO()
            np.save(file, x)
            write(out, file.getvalue())
        else:
            write(out, shown(pathlib.Path(out).suffix))
    except OSError as error:
        raise BadInput(f"--out={out}: cannot be written: {error.strerror or error}.") from error


def run(argv=None):
    """Runs the program; returns its exit code."""
    return cli.execute(define, main, argv, prepare=_define_controls)


if __name__ == "__main__":
    sys.exit(run())
