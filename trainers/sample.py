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

from absl import flags

import zoo
from trainers import cli

MODES = {"sample": 64, "reconstruct": 20, "interpolate": 8, "traverse": 10, "arithmetic": 100, "manifold": 400,
         "denoise": 20, "translate": 20,
         "complete": 8}  # -> --num_samples if not given
# mode -> the method whose controls it takes
CONTROLLED = {"sample": "sample", "complete": "complete", "denoise": "corrupt"}
CONDITIONED = ("sample", "manifold", "translate", "complete", "interpolate")  # modes that take --condition
NUMBERS = ".npy"


def define(options):
    flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=options)
    flags.DEFINE_string("mode", "sample", f"One of {', '.join(MODES)}, as far as the model can.", flag_values=options)
    flags.DEFINE_integer("num_samples", None, "How many samples, examples or pairs, latents to traverse, examples of a "
                                              "class to average, or codes of the manifold (a square "
                         "number); by default "
                         + ", ".join(f"{mode} {num}" for mode, num in MODES.items()) + ".", flag_values=options)
    flags.DEFINE_integer("seed", 0, "Seed of the noise: the same seed gives the same samples, however many.",
                         flag_values=options)
    flags.DEFINE_string("out", None, "File to write: a picture (.png), strokes (.svg), text (.txt), sound (.wav) or an "
                                     "array (.npy); by default "
                        "WORKDIR/samples/MODE with the usual ending.", flag_values=options)
    flags.DEFINE_boolean("mean", None, "With --mode=sample, the mean of p(x|z) in the place of a draw from it, where "
                                       "the model has one; by default "
                         "for a picture only.", flag_values=options)
    flags.DEFINE_enum("path", "spherical", ["spherical", "linear"],
                      "Path between two codes, for --mode=interpolate of a model that has some.", flag_values=options)
    flags.DEFINE_list("terms", None, "A,B,C with --mode=arithmetic, of which A + B - C is drawn: each a class by its "
                                     "name or number, or a file with an example "
                      "(.png, .txt, or .npy in the model's unit).", flag_values=options)
    flags.DEFINE_list("condition", None, "On what is drawn, with --mode=sample, manifold, translate or complete, or "
                                         "interpolate of a model without codes: a class by its name or "
                      "number, or several, which come in turn; of other conditions a file: .npy, or .npz with an array "
                      "for each part. All classes in turn, or those of "
                      "test examples, if not given.", flag_values=options)
    flags.DEFINE_enum("mask", None, ["top", "left", "first", "random"],
                      "What is given of an example, for --mode=complete: the top or left half of an "
                      "image, the first half of a row, text or sound, or a random half; top or first if not given.",
                      flag_values=options)
    flags.DEFINE_string("prompt", None, "With --mode=sample of a text model, how the text begins.", flag_values=options)
    flags.DEFINE_integer("threads", None, "Threads within and between TensorFlow's operations; as many as there are "
                                          "cores if not given. One is the fastest for most "
                         "models that draw place by place.", flag_values=options)
    flags.DEFINE_string("data_dir", None, "Folder with the prepared data sets; the run's own if not given.",
                        flag_values=options)


def _define_controls(options):
    """A flag for each control of the run's model, as `Model.controls` declares it; those of other models are refused by
    name."""
    from trainers.errors import BadInput
    from trainers.runs.workdir import Workdir

    if options.workdir is None:
        raise BadInput("--workdir is needed: the folder of a run, as zoo-train makes it.")
    name = Workdir(options.workdir).read_config().get("model")
    own = zoo.MODELS[name].controls if name in zoo.MODELS else {}
    for key in {key for cls in zoo.MODELS.values() for key in cls.controls} - set(own):
        if any(argument.split("=")[0].lstrip("-") == key for argument in sys.argv[1:]):
            has = f"it has {', '.join(own)}" if own else "it has none"
            raise BadInput(f"--{key}: model {name!r} of this run has no such control; {has}.")
    for key, control in own.items():
        define = flags.DEFINE_integer if control.dtype.is_integer else flags.DEFINE_float
        modes = " or ".join(f"--mode={mode}" for mode, method in CONTROLLED.items() if method in control.of)
        define(key, None, f"With {modes}: {control.meaning}.", flag_values=options)


def controls(options, model):
    """{name: value} of the controls that were set on the command line. Raises BadInput for one that the mode does not
    take, or out of its range."""
    from trainers.errors import BadInput
    from zoo import checks

    given = {name: options[name].value for name in model.controls if options[name].present}
    for name in given:
        modes = [f"--mode={mode}" for mode, method in CONTROLLED.items() if method in model.controls[name].of]
        if CONTROLLED.get(options.mode) not in model.controls[name].of:
            raise BadInput(f"--{name}: goes with {' or '.join(modes)}, not with --mode={options.mode}.")
    try:
        checks.controls(model, CONTROLLED.get(options.mode), given, 1)
    except ValueError as error:
        raise BadInput(f"--{error}") from None
    return given


def _check_out(out, endings):
    """Raises BadInput for a file that cannot be written, before anything is computed."""
    from trainers.errors import BadInput

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
    from trainers.errors import BadInput

    if options.mode not in MODES:
        raise BadInput(f"--mode: unknown {options.mode!r}; {zoo.nearest(options.mode, MODES)}")
    for name, mode in (("mean", "sample"), ("path", "interpolate"), ("mask", "complete"), ("terms", "arithmetic"),
                       ("prompt", "sample")):
        if options[name].present and options.mode != mode:
            raise BadInput(f"--{name}: goes with --mode={mode}, not with --mode={options.mode}.")
    if options["condition"].present and options.mode not in CONDITIONED:
        raise BadInput(f"--condition: goes with --mode={', '.join(CONDITIONED)}, not with --mode={options.mode}, whose "
                       "examples have their own.")
    num = MODES[options.mode] if options.num_samples is None else cli.positive(options, "num_samples")
    if options.threads is not None:
        _use(cli.positive(options, "threads"))
    print(_write(options, num), flush=True)


def _use(threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _write(options, num):
    import numpy as np

    from trainers.errors import BadInput
    from trainers.modes import conditions, draws
    from trainers.pictures import files
    from trainers.runs import workdir
    from trainers.runs.run import load

    folder = workdir.Workdir(options.workdir)
    folder.read_config()
    run = load(options.workdir)
    domain = run.model.domain
    if (
        options.data_dir
        and options.mode in ("sample", "manifold")
        and (options.condition or domain.num_classes or not domain.conditional)
    ):
        raise BadInput(f"--data_dir: --mode={options.mode} reads no data.")
    if options.mode not in draws.modes(run.model):
        raise BadInput(f"--mode={options.mode}: model {run.description['model']!r} of this run can't; it has "
                       f"{', '.join(draws.modes(run.model))}.")
    if options.out is None:
        with workdir.storage_errors(folder.path):
            folder.samples.mkdir(exist_ok=True)
        options.out = str(folder.samples / f"{options.mode}{files.endings(domain)[0]}")
    _check_out(options.out, (*files.endings(domain), NUMBERS))
    if options.condition and options.mode == "interpolate" and hasattr(run.model, "encode"):
        raise BadInput("--condition: the examples between which --mode=interpolate goes have their own.")
    x, shown = getattr(draws, options.mode)(run, num, options, controls(options, run.model))
    if options.mode in ("sample", "manifold") and (said := conditions.told(run, options)):
        print(said, flush=True)
    try:
        if options.out.endswith(NUMBERS):
            file = io.BytesIO()
            np.save(file, x)
            workdir.write(options.out, file.getvalue())
        else:
            workdir.write(options.out, shown(pathlib.Path(options.out).suffix))
    except OSError as error:
        raise BadInput(f"--out={options.out}: cannot be written: {error.strerror or error}.") from error
    return options.out


def run(argv=None):
    """The program; returns its exit code."""
    return cli.execute(define, main, argv, prepare=_define_controls)


if __name__ == "__main__":
    sys.exit(run())
