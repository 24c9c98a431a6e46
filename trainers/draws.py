"""What `zoo-sample` draws, a function per mode: each gives (the numbers, a function that makes their files).

Everything here is drawn row by row from seeds, in batches that fit memory: a row does not depend on how many there are.
"""

import math

_ROWS = 250  # in memory at once
_STEPS = 10  # of an interpolation, its two ends counted
_CODES = 500  # of examples that say how much a latent varies
_COMPLETIONS = 6  # of an example


def modes(model):
    """The modes that a model has."""
    from zoo import operations
    from zoo.capabilities import capabilities

    can = capabilities(model)
    found = [mode for mode in ("sample", "reconstruct", "interpolate", "traverse", "arithmetic") if mode in can]
    prior = operations.prior_of(model)
    if hasattr(model, "decode") and prior is not None and tuple(prior.event_shape) == (2,):
        found.append("manifold")
    return found + [mode for mode in ("denoise", "complete") if mode in can]


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
    dataset = open_dataset(run.description["dataset"], data_dir or run.description.get("data_dir"), data, tokenizer=run.medium.tokenizer)
    check(dataset, run.model.domain, data)
    return dataset


def _shown(x, run, columns=None):
    """The function from an ending to the bytes of the file that shows examples."""
    from trainers import showing

    return lambda ending: showing.file(x, run.model.domain, ending, run.medium, columns)


def sample(run, num, options, controls):
    """New examples, [num, *shape]."""
    import tensorflow as tf

    from trainers import plots
    from trainers.errors import BadInput
    from zoo import random

    if options.mean and (controls or not hasattr(run.model, "sample_mean")):
        raise BadInput(f"--mean: model {run.description['model']!r} has no mean of its samples" + (f" with --{next(iter(controls))}." if controls else "."))
    if options["prompt"].present:
        x = _continuation(run, num, options, controls)
        return x, _shown(x, run)
    mean = not controls and (options.out.endswith(".png") if options.mean is None else options.mean)
    function = plots.sampler(run.model) if mean else tf.function(lambda seeds, c: run.model.sample(seeds, c, **controls), reduce_retracing=True)
    condition = examples(run, num, options.seed, options.data_dir)[1] if run.model.domain.features else None
    x = draw(run.model, random.seed(options.seed), num, function, condition)
    return x, _shown(x, run)


def _continuation(run, num, options, controls):
    """Texts that go on from the prompt, [num, T]."""
    import numpy as np
    import tensorflow as tf

    from trainers import plots
    from trainers.errors import BadInput
    from zoo import random

    if run.model.domain.kind != "tokens" or not hasattr(run.model, "complete"):
        raise BadInput(f"--prompt: model {run.description['model']!r} goes on with no text.")
    length = run.model.domain.shape[0]
    try:
        prompt = run.medium.tokenizer.encode(options.prompt or "")
    except BadInput as error:
        raise BadInput(f"--prompt: {error}.") from None
    if options.prompt == "" or len(prompt) >= length:
        raise BadInput(f"--prompt: takes 1 to {length - 1} tokens, found {len(prompt)}.")
    x, known = np.zeros((num, length), np.int32), np.zeros((num, length), bool)
    x[:, :len(prompt)], known[:, :len(prompt)] = prompt, True
    function = tf.function(lambda x, known, seeds: run.model.complete(x, known, seeds, **controls), reduce_retracing=True)
    return map_rows(function, x, known, plots.rows(random.seed(options.seed), num))


def reconstruct(run, num, options, controls):
    """Test examples and what their codes decode to, [num, 2, *shape]."""
    from trainers import looks

    return _beside(run, num, options, looks.reconstructed(run.model))


def denoise(run, num, options, controls):
    """Test examples, the same with noise, and what the model makes of that, [num, 3, *shape]."""
    from trainers import looks

    return _beside(run, num, options, looks.denoised(run.model, **controls))


def _beside(run, num, options, function):
    """Test examples and what `function` of (x, seeds, condition) makes of them, [num, 1 + n, *shape]."""
    import numpy as np

    from trainers import looks, plots, showing
    from zoo import random

    x, condition = examples(run, num, options.seed, options.data_dir)
    made = map_rows(function, x, plots.rows(random.seed(options.seed), num), condition)
    every = np.concatenate([x.numpy()[:, None], made], axis=1)
    stacks = [x.numpy(), *np.moveaxis(made, 1, 0)]
    return every, lambda ending: showing.beneath(stacks, run.model.domain, ending, run.medium, columns=min(num, looks.EXAMPLES))


def interpolate(run, num, options, controls):
    """Paths between the codes of pairs of test examples, or between the noise of pairs of samples, [num, steps, *shape]."""
    import tensorflow as tf

    from zoo import operations

    if not hasattr(run.model, "encode"):
        return _between_samples(run, num, options)
    x, condition = examples(run, 2 * num, options.seed, options.data_dir)
    condition = None if condition is None else condition[0::2]
    paths = tf.function(lambda x0, x1, c: operations.interpolate(run.model, x0, x1, _STEPS, options.path, c), reduce_retracing=True)
    x = map_rows(paths, x[0::2], x[1::2], condition, rows=max(1, _ROWS // _STEPS))
    return x, _shown(x.reshape(-1, *x.shape[2:]), run, columns=_STEPS)


def _between_samples(run, num, options):
    """Paths from one sample to another by their noise, [num, steps, *shape]; of a class, where there are some."""
    import numpy as np
    import tensorflow as tf

    from trainers import plots
    from trainers.errors import BadInput
    from zoo import random

    if options["path"].present:
        raise BadInput(f"--path: model {run.description['model']!r} has no codes; between the noise of two samples there is one path.")
    seeds = plots.rows(random.seed(options.seed), 2 * num)
    weights = np.tile(np.linspace(0.0, 1.0, _STEPS, dtype=np.float32), num)
    condition = examples(run, num, options.seed, options.data_dir)[1] if run.model.domain.features else plots.labels(run.model.domain, num)
    ends = [tf.repeat(seeds[first::2], _STEPS, axis=0) for first in (0, 1)]
    function = tf.function(lambda a, b, w, c: run.model.sample_between(a, b, w, c), reduce_retracing=True)
    x = map_rows(function, *ends, weights, None if condition is None else tf.repeat(condition, _STEPS, axis=0))
    return x.reshape(num, _STEPS, *x.shape[1:]), _shown(x, run, columns=_STEPS)


def traverse(run, num, options, controls):
    """A test example's code with one number at a time replaced, [latents, steps, *shape]: the `num` latents that differ most among examples, a line each.

    Along a line the number goes from three standard deviations below its mean over test examples to three above.
    """
    import numpy as np
    import tensorflow as tf

    from zoo import operations

    x, condition = examples(run, min(_CODES, dataset_of(run, options.data_dir).require("test")), options.seed, options.data_dir)
    codes = map_rows(tf.function(lambda x, c: run.model.encode(x, condition=c), reduce_retracing=True), x, condition).reshape(len(x), -1)
    latents = np.argsort(-codes.var(0), kind="stable")[:num]
    values = codes.mean(0)[latents, None] + codes.std(0)[latents, None] * np.linspace(-3, 3, _STEPS)
    function = tf.function(lambda x, latent, value, c: operations.traverse(run.model, x, latent, value, c), reduce_retracing=True)
    first, given = (None if a is None else tf.repeat(a[:1], values.size, axis=0) for a in (x, condition))
    drawn = map_rows(function, first, np.repeat(latents, _STEPS).astype(np.int32), values.ravel().astype(np.float32), given)
    return drawn.reshape(*values.shape, *drawn.shape[1:]), _shown(drawn, run, columns=_STEPS)


def arithmetic(run, num, options, controls):
    """a, b, c and a + b - c by their codes, [4, *shape]: `--terms`, each a file, or a class, whose first `num` test examples' codes are averaged."""
    import numpy as np
    import tensorflow as tf

    from trainers import terms

    asked, dataset = terms.parse(options.terms), dataset_of(run, options.data_dir)
    found = [terms.read(term, run, dataset, num, options.seed) for term in asked]
    encode = tf.function(lambda x, c: run.model.encode(x, condition=c), reduce_retracing=True)
    a, b, c = (map_rows(encode, x, condition).mean(0) for x, condition in found)
    condition = found[0][1]
    z = tf.constant(np.stack([a, b, c, a + b - c]), tf.float32)
    x = run.model.decode(z, condition=None if condition is None else tf.repeat(condition[:1], 4, axis=0)).numpy()
    return x, _shown(x, run, columns=4)


def manifold(run, num, options, controls):
    """The plane of a model's two latents, [side, side, *shape]."""
    from trainers.errors import BadInput
    from zoo import operations

    side = math.isqrt(num)
    if side * side != num:
        raise BadInput(f"--num_samples={num}: a manifold needs a square number; {side ** 2} and {(side + 1) ** 2} are.")
    x = operations.manifold(run.model, side, condition=0 if run.model.domain.classes else None).numpy()
    return x, _shown(x.reshape(-1, *x.shape[2:]), run, columns=side)


def complete(run, num, options, controls):
    """Completions of test examples of which a part is given, and the examples, [num, completions + 1, *shape]."""
    import numpy as np
    import tensorflow as tf

    from trainers import masks, plots, stroke_pictures
    from trainers.errors import BadInput
    from zoo import nearest, random

    domain = run.model.domain
    known = masks.names(domain.places, domain.kind)
    name = options.mask or known[0]
    if name not in known:
        raise BadInput(f"--mask={name}: examples of shape {tuple(domain.shape)} have other masks; {nearest(name, known)}")
    x, condition = examples(run, num, options.seed, options.data_dir)
    mask = masks.of(name, domain, x)
    function = tf.function(lambda x, mask, seeds, c: run.model.complete(x, mask, seeds, c, **controls), reduce_retracing=True)
    x_, mask_, condition_ = [None if a is None else tf.repeat(a, _COMPLETIONS, axis=0) for a in (x, mask, condition)]
    drawn = map_rows(function, x_, mask_, plots.rows(random.seed(options.seed), num * _COMPLETIONS), condition_)
    drawn = np.concatenate([drawn.reshape(num, _COMPLETIONS, *drawn.shape[1:]), x.numpy()[:, None]], axis=1)

    def picture(ending):
        shown = plots.to_uint8(drawn, domain)
        given = np.where(mask[..., None], shown[:, -1], plots.SEPARATOR).astype(np.uint8)
        images = np.concatenate([given[:, None], shown], axis=1)
        return plots.png(plots.grid(images.reshape(-1, *images.shape[2:]), columns=_COMPLETIONS + 2))

    if domain.kind == "strokes":
        return drawn, lambda ending: stroke_pictures.completions(drawn, mask, ending)
    return drawn, picture if plots.is_image(domain) else _shown(drawn.reshape(-1, *drawn.shape[2:]), run)
