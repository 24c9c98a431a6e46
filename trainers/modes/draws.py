"""What `zoo-sample` draws, a function per mode: each gives (the numbers, a function that makes their files).

Everything here is drawn row by row from seeds, in batches that fit memory: a row does not depend on how many there are.
"""

import math

import numpy as np
import tensorflow as tf

from trainers.data import masks
from trainers.errors import BadInput
from trainers.modes import conditions, operands, prompts
from trainers.pictures import files, images, strokes
from trainers.runs import drawing
from trainers.runs.drawing import ROWS, draw, map_rows
from trainers.runs.examples import dataset_of, first_examples
from zoo import nearest, operations, random
from zoo.capabilities import capabilities
from zoo.domain import repeat_rows, take_rows

_STEPS = 10  # of an interpolation, its two ends counted
_CODES = 500  # of examples that say how much a latent varies
_COMPLETIONS = 6  # of an example


def modes(model):
    """The modes that a model has."""
    can = capabilities(model)
    found = [mode for mode in ("sample", "reconstruct", "interpolate", "traverse", "arithmetic") if mode in can]
    prior = operations.prior_of(model)
    if hasattr(model, "decode") and prior is not None and tuple(prior.event_shape) == (2,):
        found.append("manifold")
    return found + [mode for mode in ("denoise", "translate", "complete") if mode in can]


def _shown(x, run, columns=None):
    """The function from an ending to the bytes of the file that shows examples."""
    return lambda ending: files.file(x, run.model.domain, ending, run.medium, columns)


def sample(run, num, options, controls):
    """New examples, [num, *shape]."""
    if options.mean and (controls or not hasattr(run.model, "sample_mean")):
        raise BadInput(f"--mean: model {run.description['model']!r} has no mean of its samples"
                       + (f" with --{next(iter(controls))}." if controls else "."))
    if options["prompt"].present:
        x = prompts.continuation(run, num, options, controls)
        return x, _shown(x, run)
    mean = not controls and (options.out.endswith(".png") if options.mean is None else options.mean)
    function = (
        drawing.sampler(run.model)
        if mean
        else tf.function(lambda seeds, c: run.model.sample(seeds, c, **controls), reduce_retracing=True)
    )
    condition = conditions.of_samples(run, num, options)
    x = draw(run.model, random.seed(options.seed), num, function, condition)
    return x, _shown(x, run, conditions.columns(options, num))


def reconstruct(run, num, options, controls):
    """Test examples and what their codes decode to, [num, 2, *shape]."""
    return _beside(run, num, options, drawing.reconstructed(run.model))


def denoise(run, num, options, controls):
    """Test examples, the same with noise, and what the model makes of that, [num, 3, *shape]."""
    return _beside(run, num, options, drawing.denoised(run.model, **controls))


def translate(run, num, options, controls):
    """What test examples would be in another domain, [num, *its shape]; a picture shows them beneath the examples."""
    domain = run.model.domain
    x, condition = first_examples(run, num, options.seed, options.data_dir)
    if options.condition:
        condition = conditions.asked(run, num, options)
    function = tf.function(lambda x, seeds, c: run.model.translate(x, seeds, c), reduce_retracing=True)
    made = map_rows(function, x, random.rows(random.seed(options.seed), num), condition)
    return made, lambda ending: files.translated(x.numpy(), made, domain, ending, run.medium,
                                                 min(num, files.COLUMNS))


def _beside(run, num, options, function):
    """Test examples and what `function` of (x, seeds, condition) makes of them, [num, 1 + n, *shape]."""
    x, condition = first_examples(run, num, options.seed, options.data_dir)
    made = map_rows(function, x, random.rows(random.seed(options.seed), num), condition)
    every = np.concatenate([x.numpy()[:, None], made], axis=1)
    stacks = [x.numpy(), *np.moveaxis(made, 1, 0)]
    return every, lambda ending: files.beneath(stacks, run.model.domain, ending, run.medium,
                                               columns=min(num, files.COLUMNS))


def interpolate(run, num, options, controls):
    """Paths between the codes of pairs of test examples, or between the noise of pairs of samples, [num, steps,
    *shape]."""
    if not hasattr(run.model, "encode"):
        return _between_samples(run, num, options)
    x, condition = first_examples(run, 2 * num, options.seed, options.data_dir)
    condition = take_rows(condition, tf.range(0, 2 * num, 2))
    paths = tf.function(lambda x0, x1, c: operations.interpolate(run.model, x0, x1, _STEPS, options.path, c),
                        reduce_retracing=True)
    x = map_rows(paths, x[0::2], x[1::2], condition, rows=max(1, ROWS // _STEPS))
    return x, _shown(x.reshape(-1, *x.shape[2:]), run, columns=_STEPS)


def _between_samples(run, num, options):
    """Paths from one sample to another by their noise, [num, steps, *shape]; of a class, where there are some."""
    if options["path"].present:
        raise BadInput(f"--path: model {run.description['model']!r} has no codes; between the noise of two samples "
                       "there is one path.")
    seeds = random.rows(random.seed(options.seed), 2 * num)
    weights = np.tile(np.linspace(0.0, 1.0, _STEPS, dtype=np.float32), num)
    condition = conditions.of_samples(run, num, options)
    ends = [tf.repeat(seeds[first::2], _STEPS, axis=0) for first in (0, 1)]
    function = tf.function(lambda a, b, w, c: run.model.sample_between(a, b, w, c), reduce_retracing=True)
    x = map_rows(function, *ends, weights, repeat_rows(condition, _STEPS))
    return x.reshape(num, _STEPS, *x.shape[1:]), _shown(x, run, columns=_STEPS)


def traverse(run, num, options, controls):
    """A test example's code with one number at a time replaced, [latents, steps, *shape]: the `num` latents that differ
    most among examples, a line each.

    Along a line the number goes from three standard deviations below its mean over test examples to three above.
    """
    x, condition = first_examples(run, min(_CODES, dataset_of(run, options.data_dir).require("test")), options.seed,
                            options.data_dir)
    codes = map_rows(tf.function(lambda x, c: run.model.encode(x, condition=c), reduce_retracing=True), x,
                     condition).reshape(len(x), -1)
    latents = np.argsort(-codes.var(0), kind="stable")[:num]
    values = codes.mean(0)[latents, None] + codes.std(0)[latents, None] * np.linspace(-3, 3, _STEPS)
    function = tf.function(lambda x, latent, value, c: operations.traverse(run.model, x, latent, value, c),
                           reduce_retracing=True)
    first, given = take_rows((x, condition), tf.zeros([values.size], tf.int32))
    drawn = map_rows(function, first, np.repeat(latents, _STEPS).astype(np.int32), values.ravel().astype(np.float32),
                     given)
    return drawn.reshape(*values.shape, *drawn.shape[1:]), _shown(drawn, run, columns=_STEPS)


def arithmetic(run, num, options, controls):
    """a, b, c and a + b - c by their codes, [4, *shape]: `--terms`, each a file, or a class, whose first `num` test
    examples' codes are averaged."""
    asked, dataset = operands.parse(options.terms), dataset_of(run, options.data_dir)
    found = [operands.read(term, run, dataset, num, options.seed) for term in asked]
    encode = tf.function(lambda x, c: run.model.encode(x, condition=c), reduce_retracing=True)
    a, b, c = (map_rows(encode, x, condition).mean(0) for x, condition in found)
    condition = found[0][1]
    z = tf.constant(np.stack([a, b, c, a + b - c]), tf.float32)
    x = run.model.decode(z, condition=take_rows(condition, tf.zeros([4], tf.int32))).numpy()
    return x, _shown(x, run, columns=4)


def manifold(run, num, options, controls):
    """The plane of a model's two latents, [side, side, *shape]."""
    side = math.isqrt(num)
    if side * side != num:
        raise BadInput(f"--num_samples={num}: a manifold needs a square number; {side ** 2} and {(side + 1) ** 2} are.")
    x = operations.manifold(run.model, side, condition=conditions.of_samples(run, 1, options)).numpy()
    return x, _shown(x.reshape(-1, *x.shape[2:]), run, columns=side)


def complete(run, num, options, controls):
    """Completions of test examples of which a part is given, and the examples, [num, completions + 1, *shape]."""
    domain = run.model.domain
    known = masks.names(domain.places, domain.kind)
    name = options.mask or known[0]
    if name not in known:
        raise BadInput(f"--mask={name}: examples of shape {tuple(domain.shape)} have other masks; "
                       f"{nearest(name, known)}")
    x, condition = first_examples(run, num, options.seed, options.data_dir)
    mask = masks.of(name, domain, x)
    function = tf.function(lambda x, mask, seeds, c: run.model.complete(x, mask, seeds, c, **controls),
                           reduce_retracing=True)
    if options.condition:
        condition = conditions.asked(run, num, options)
    x_, mask_, condition_ = repeat_rows((x, mask, condition), _COMPLETIONS)
    drawn = map_rows(function, x_, mask_, random.rows(random.seed(options.seed), num * _COMPLETIONS), condition_)
    drawn = np.concatenate([drawn.reshape(num, _COMPLETIONS, *drawn.shape[1:]), x.numpy()[:, None]], axis=1)

    def picture(ending):
        shown = images.to_uint8(drawn, domain)
        given = np.where(mask[..., None], shown[:, -1], images.SEPARATOR).astype(np.uint8)
        cells = np.concatenate([given[:, None], shown], axis=1)
        return images.png(images.grid(cells.reshape(-1, *cells.shape[2:]), columns=_COMPLETIONS + 2))

    if domain.kind == "strokes":
        return drawn, lambda ending: strokes.completions(drawn, mask, ending)
    return drawn, picture if images.is_image(domain) else _shown(drawn.reshape(-1, *drawn.shape[2:]), run)
