"""Draws from a trained model: python -m trainers.sample --workdir=DIR --mode=MODE --out=FILE.png (or .npy for the numbers).

sample: new examples. reconstruct: test examples above what their codes decode to. interpolate: paths between the codes of pairs of
test examples. manifold: the plane of a model's two latents. complete: what the model draws below the top half of test examples.
"""

import io
import math
import os
import pathlib
import sys

from absl import flags

import zoo
from trainers import command

MODES = {"sample": 64, "reconstruct": 20, "interpolate": 8, "manifold": 400, "complete": 8}  # -> --num_samples if not given
ENDINGS = (".png", ".npy")
_ROWS = 250  # in memory at once
_STEPS = 10  # of an interpolation, its two ends counted
_COMPLETIONS = 6  # of an example


def define(options):
    flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=options)
    flags.DEFINE_string("mode", "sample", f"One of {', '.join(MODES)}, as far as the model can.", flag_values=options)
    flags.DEFINE_integer("num_samples", None, "How many samples, examples or pairs, or codes of the manifold (a square number); by default "
                         + ", ".join(f"{mode} {num}" for mode, num in MODES.items()) + ".", flag_values=options)
    flags.DEFINE_integer("seed", 0, "Seed of the noise: the same seed gives the same samples, however many.", flag_values=options)
    flags.DEFINE_string("out", None, "File to write, a picture (.png) or an array (.npy); WORKDIR/samples/MODE.png if not given.", flag_values=options)
    flags.DEFINE_boolean("mean", None, "With --mode=sample, the mean of p(x|z) in the place of a draw from it, where the model has one; by default "
                         "for a picture only.", flag_values=options)
    flags.DEFINE_enum("path", "spherical", ["spherical", "linear"], "Path between two codes, for --mode=interpolate.", flag_values=options)
    flags.DEFINE_string("data_dir", None, "Folder with the prepared data sets; the run's own if not given.", flag_values=options)


def modes(model):
    """The modes that a model has."""
    found = ["sample"] + (["reconstruct", "interpolate"] if hasattr(model, "encode") and hasattr(model, "decode") else [])
    if hasattr(model, "decode") and hasattr(model, "prior") and tuple(model.prior().event_shape) == (2,):
        found.append("manifold")
    return found + (["complete"] if hasattr(model, "complete") else [])


def map_rows(function, *arrays, rows=_ROWS):
    """Applies a function of batches to the rows of arrays (or None), at most `rows` at a time; returns a NumPy array.

    The last batch is filled up with its own last row, so that a compiled function is traced once.
    """
    import numpy as np
    import tensorflow as tf

    num = next(len(a) for a in arrays if a is not None)
    rows, parts = min(rows, num), []
    for start in range(0, num, rows):
        index = np.minimum(np.arange(start, start + rows), num - 1)
        part = function(*(None if a is None else tf.gather(a, index) for a in arrays))
        parts.append(part.numpy()[:num - start])
    return np.concatenate(parts)


def draw(model, seed, num, sample=None, condition=None):
    """`num` samples of one seed, int32 [2], as a NumPy array; sample i depends on the seed and i (and its condition) alone.

    Args:
        sample: function (seeds, condition) -> samples; the model's own `sample`, compiled, if None.
        condition: [num] class labels; all classes in turn if None.
    """
    import tensorflow as tf

    from trainers import plots

    sample = sample or tf.function(model.sample, reduce_retracing=True)
    return map_rows(sample, plots.rows(seed, num), plots.labels(model.domain, num) if condition is None else condition)


def examples(run, num, seed, data_dir=None):
    """The first `num` examples of the run's test split, as the model takes them: x, condition or None."""
    import tensorflow as tf

    from trainers.data import evaluation_batches
    from trainers.errors import BadInput
    from zoo.model import split_batch

    dataset = dataset_of(run, data_dir)
    if num > dataset.require("test"):
        raise BadInput(f"--num_samples: {num} test examples are needed and {dataset.name} has {dataset.sizes['test']}.")
    batches = evaluation_batches(dataset, "test", run.model.domain, min(num, _ROWS), seed, run.config.data, limit=num)
    x, condition = zip(*(split_batch(batch) for batch in batches))
    return tf.concat(x, 0), None if condition[0] is None else tf.concat(condition, 0)


def dataset_of(run, data_dir=None):
    """Opens the data set on which a run was trained."""
    from trainers.data import check, open_dataset

    data = run.config.data
    dataset = open_dataset(run.description["dataset"], data_dir or run.description.get("data_dir"), data.image_size or None, data.validation)
    check(dataset, run.model.domain, data)
    return dataset


def _sample(run, num, options):
    import tensorflow as tf

    from trainers import plots
    from trainers.errors import BadInput
    from zoo import random

    picture = options.out.endswith(".png")
    if options.mean and not hasattr(run.model, "sample_mean"):
        raise BadInput(f"--mean: model {run.description['model']!r} has no mean of its samples.")
    mean = picture if options.mean is None else options.mean
    sample = plots.sampler(run.model) if mean else tf.function(run.model.sample, reduce_retracing=True)
    x = draw(run.model, random.seed(options.seed), num, sample)
    return x, lambda: plots.picture(x, run.model.domain)


def _reconstruct(run, num, options):
    import numpy as np
    import tensorflow as tf

    from zoo import operations

    x, condition = examples(run, num, options.seed, options.data_dir)
    decoded = map_rows(tf.function(lambda x, c: operations.reconstruct(run.model, x, c), reduce_retracing=True), x, condition)
    return np.stack([x.numpy(), decoded], axis=1), lambda: _beneath([x.numpy(), decoded], run.model.domain, columns=min(num, 10))


def _interpolate(run, num, options):
    import tensorflow as tf

    from trainers import plots
    from zoo import operations

    x, condition = examples(run, 2 * num, options.seed, options.data_dir)
    condition = None if condition is None else condition[0::2]
    paths = tf.function(lambda x0, x1, c: operations.interpolate(run.model, x0, x1, _STEPS, options.path, c), reduce_retracing=True)
    x = map_rows(paths, x[0::2], x[1::2], condition, rows=max(1, _ROWS // _STEPS))  # [num, steps, *shape]
    return x, lambda: plots.picture(x.reshape(-1, *x.shape[2:]), run.model.domain, columns=_STEPS)


def _manifold(run, num, options):
    from trainers import plots
    from trainers.errors import BadInput
    from zoo import operations

    side = math.isqrt(num)
    if side * side != num:
        raise BadInput(f"--num_samples={num}: a manifold needs a square number; {side ** 2} and {(side + 1) ** 2} are.")
    x = operations.manifold(run.model, side, condition=0 if run.model.domain.classes else None).numpy()  # [side, side, *shape]
    return x, lambda: plots.picture(x.reshape(-1, *x.shape[2:]), run.model.domain, columns=side)


def _complete(run, num, options):
    import numpy as np
    import tensorflow as tf

    from trainers import plots
    from zoo import random

    x, condition = examples(run, num, options.seed, options.data_dir)
    height, width, _ = run.model.domain.shape
    mask = tf.repeat(tf.range(height)[:, None] < height // 2, width, axis=1)  # [H, W]
    complete = tf.function(lambda x, seeds, c: run.model.complete(x, tf.repeat(mask[None], tf.shape(x)[0], 0), seeds, c), reduce_retracing=True)
    repeated = [None if a is None else tf.repeat(a, _COMPLETIONS, axis=0) for a in (x, condition)]
    drawn = map_rows(complete, repeated[0], plots.rows(random.seed(options.seed), num * _COMPLETIONS), repeated[1])
    drawn = drawn.reshape(num, _COMPLETIONS, *drawn.shape[1:])

    def picture():
        shown = [plots.to_uint8(a, run.model.domain) for a in (x.numpy(), drawn)]
        given = np.where(mask.numpy()[..., None], shown[0], plots.SEPARATOR).astype(np.uint8)
        images = np.concatenate([given[:, None], shown[1], shown[0][:, None]], axis=1)
        return plots.grid(images.reshape(-1, *images.shape[2:]), columns=_COMPLETIONS + 2)

    return np.concatenate([drawn, x.numpy()[:, None]], axis=1), picture


def _beneath(stacks, domain, columns):
    """The picture of equally long arrays of examples, line by line beneath one another."""
    import numpy as np

    from trainers import plots

    if not plots.is_image(domain):
        return plots.picture(stacks[-1], domain)
    lines = []
    for x in (plots.to_uint8(stack, domain) for stack in stacks):
        rest = -len(x) % columns
        x = np.concatenate([x, np.full((rest, *x.shape[1:]), plots.SEPARATOR, np.uint8)])
        lines.append(x.reshape(-1, columns, *x.shape[1:]))
    images = np.stack(lines, axis=1)  # [lines, stacks, columns, H, W, C]
    return plots.grid(images.reshape(-1, *images.shape[3:]), columns=columns)


def _check_out(out):
    """Raises BadInput for a file that cannot be written, before anything is computed."""
    from trainers.errors import BadInput

    path = pathlib.Path(out)
    if path.is_dir():
        raise BadInput(f"--out={out}: is a folder; name a file in it, as {path / 'samples.png'}.")
    if path.suffix not in ENDINGS:
        raise BadInput(f"--out={out}: unknown ending {path.suffix!r}; {zoo.nearest(path.suffix, ENDINGS)}")
    if not path.parent.is_dir():
        raise BadInput(f"--out={out}: no such folder as {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise BadInput(f"--out={out}: the folder {path.parent} cannot be written to.")


def main(options):
    from trainers.errors import BadInput
    from trainers.workdir import Workdir, storage_errors

    if options.workdir is None:
        raise BadInput("--workdir is needed: the folder of a run, as zoo-train makes it.")
    if options.mode not in MODES:
        raise BadInput(f"--mode: unknown {options.mode!r}; {zoo.nearest(options.mode, MODES)}")
    for name, mode in (("mean", "sample"), ("path", "interpolate")):
        if options[name].present and options.mode != mode:
            raise BadInput(f"--{name}: goes with --mode={mode}, not with --mode={options.mode}.")
    if options.data_dir and options.mode in ("sample", "manifold"):
        raise BadInput(f"--data_dir: --mode={options.mode} reads no data.")
    num = MODES[options.mode] if options.num_samples is None else command.positive(options, "num_samples")
    workdir = Workdir(options.workdir)
    workdir.read_config()
    if options.out is None:
        with storage_errors(workdir.path):
            workdir.samples.mkdir(exist_ok=True)
        options.out = str(workdir.samples / f"{options.mode}.png")
    _check_out(options.out)
    print(_write(options, num), flush=True)


def _write(options, num):
    import numpy as np

    from trainers import plots, workdir
    from trainers.errors import BadInput
    from trainers.run import load

    run = load(options.workdir)
    if options.mode not in modes(run.model):
        raise BadInput(f"--mode={options.mode}: model {run.description['model']!r} of this run can't; it has {', '.join(modes(run.model))}.")
    make = dict(sample=_sample, reconstruct=_reconstruct, interpolate=_interpolate, manifold=_manifold, complete=_complete)[options.mode]
    x, picture = make(run, num, options)
    try:
        if options.out.endswith(".npy"):
            file = io.BytesIO()
            np.save(file, x)
            workdir.write(options.out, file.getvalue())
        else:
            plots.write(options.out, picture())
    except OSError as error:
        raise BadInput(f"--out={options.out}: cannot be written: {error.strerror or error}.") from error
    return options.out


def run(argv=None):
    """The program; returns its exit code."""
    return command.execute(define, main, argv)


if __name__ == "__main__":
    sys.exit(run())
