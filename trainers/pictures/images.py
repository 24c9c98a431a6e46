"""Pictures of samples and of training, as uint8 arrays [height, width, 1 or 3], and the PNG files they go into.

Examples that are images become grids, enlarged until 8x8 digits can be read; points become scatter plots.
"""

import io
import json
import math

import numpy as np
import tensorflow as tf

from trainers.runs.workdir import write as write_file
from zoo import random

SEPARATOR = 128  # grey: told apart from both of black and white
_CELL = 56  # pixels that an enlarged image should take, about
_SIDE = 8192  # pixels beyond which a grid's images are not enlarged
_IMAGES, _SEQUENCES, _POINTS, _BINARY = 64, 8, 2000, 100
_rows = tf.function(random.rows,
                    input_signature=[tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.int32),
                                     tf.TensorSpec([], tf.int32)])


def rows(seed, num, start=0):
    """`zoo.random.rows`, compiled: the seeds of rows start..start+num-1, int32 [num, 2]."""
    return _rows(seed, tf.constant(num, tf.int32), tf.constant(start, tf.int32))


def is_image(domain):
    """Whether examples are pictures: three dimensions, one or three channels, and values of a known range."""
    return (
        len(domain.shape) == 3
        and domain.shape[-1] in (1, 3)
        and (domain.kind in ("binary", "levels") or domain.range is not None)
    )


def labels(domain, num, start=0):
    """The class labels of rows start..start+num-1, which go round all classes; None for a model without classes."""
    return tf.range(start, start + num, dtype=tf.int32) % domain.num_classes if domain.num_classes else None


def sampler(model):
    """The compiled function (seeds, condition=None) -> examples to look at: `sample_mean` where the model has it, else
    `sample`.

    The pixels' own noise of a Bernoulli or categorical likelihood hides what the latent variables learned.
    """
    draw = getattr(model, "sample_mean", model.sample)
    return tf.function(lambda seeds, condition=None: draw(seeds, condition), reduce_retracing=True)


def samples(model, seed, num=None, sample=None, condition=None):
    """Samples of one seed, int32 [2], to look at: 64 images, 8 texts or sounds, 2,000 points; `sample` is what
    `sampler(model)` made.

    `condition`: [num, ...]; all class labels in turn if None.
    """
    domain = model.domain
    num = num or (
        _IMAGES
        if is_image(domain) or domain.kind == "strokes"
        else _SEQUENCES
        if domain.kind in ("tokens", "waveform")
        else _POINTS
    )
    if condition is None:
        condition = labels(domain, num)
    else:
        num = min(num, len(tf.nest.flatten(condition)[0]))
        condition = tf.nest.map_structure(lambda c: c[:num], condition)
    return (sample or sampler(model))(rows(seed, num), condition).numpy()


def picture(x, domain, columns=None):
    """The picture of examples [num, *shape]: a grid of images (a class in each column, if there are few), a binary
    table, else a scatter plot."""
    if not is_image(domain):
        if domain.kind == "binary":  # a row for each of the first examples
            return grid(to_uint8(x[:_BINARY], domain).reshape(1, min(len(x), _BINARY), -1, 1))
        return scatter(x)
    return grid(to_uint8(x, domain), columns or (domain.num_classes if (domain.num_classes or 17) <= 16 else None))


def to_uint8(x, domain):
    """Examples in the domain's units as grey or colour levels 0..255, clipped; not a number becomes black."""
    low, high = domain.range if domain.kind == "real" else (0.0, domain.levels - 1.0)
    x = (np.asarray(x, np.float32) - low) / (high - low)
    return np.round(255.0 * np.clip(np.nan_to_num(x), 0.0, 1.0)).astype(np.uint8)


def grid(images, columns=None, scale=None):
    """Images uint8 [num, height, width, channels] beside and below one another, row by row, a pixel apart.

    Args:
        columns: images in a row; None makes the grid as square as it can be.
        scale: how many times a pixel is repeated both ways; None enlarges small images.
    """
    num, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(num))
    lines = math.ceil(num / columns)
    scale = scale or max(1, min(round(_CELL / max(height, width)), _SIDE // max(lines * height, columns * width)))
    gap = scale  # as wide as a pixel: digits that fill their cell would run into one another
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    cell_height, cell_width = height * scale + gap, width * scale + gap
    canvas = np.full((lines * cell_height + gap, columns * cell_width + gap, channels), SEPARATOR, np.uint8)
    for index, image in enumerate(images):
        top, left = gap + index // columns * cell_height, gap + index % columns * cell_width
        canvas[top:top + height * scale, left:left + width * scale] = image
    return canvas


def scatter(x):
    """Points [num, ...] by their first two entries, or the histogram of points with one; what is not finite is left
    out."""
    x = np.asarray(x, np.float64).reshape(len(x), -1)
    x = x[np.isfinite(x).all(axis=1)]
    figure, (axes,) = _figure(1, 1, 4.5)
    if x.shape[1] == 1:
        axes.hist(x[:, 0], bins=100, density=True)
    else:
        # A few far points must not shrink the rest to a dot.
        limit = 1.3 * np.quantile(np.abs(x[:, :2]), 0.99) if len(x) else 1.0
        axes.scatter(x[:, 0], x[:, 1], s=3, alpha=0.5, linewidths=0)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    return _pixels(figure)


def curves(metrics_jsonl):
    """Every scalar that a run logged over its steps, a panel each, one line per split. None where nothing was
    logged."""
    panels = {}
    for line in open(metrics_jsonl):
        try:
            entry = json.loads(line)
        except ValueError:  # a line that the trainer is writing at this moment
            continue
        step, split = entry.pop("step"), entry.pop("split", "train")
        for name, value in entry.items():
            panels.setdefault(name, {}).setdefault(split, []).append((step, value))
    if not panels:
        return None
    columns = min(3, len(panels))
    figure, axes = _figure(math.ceil(len(panels) / columns), columns, 3.0)
    for axis, (name, splits) in zip(axes, panels.items()):
        for split, points in splits.items():
            axis.plot(*zip(*points), label=split, linewidth=1, marker="." if len(points) < 30 else None)
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=7)
    for axis in axes[len(panels):]:
        axis.axis("off")
    return _pixels(figure)


def png(picture):
    """The bytes of a picture's PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(file, "png")
    return file.getvalue()


def write(path, picture):
    """Writes a picture as a PNG file; a reader finds the old file or the new one, whole."""
    write_file(path, png(picture))


def _figure(lines, columns, size):
    # The object itself, not pyplot: no display, and nothing kept from one picture to the next.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * size, lines * size), dpi=100, layout="constrained")
    return figure, list(figure.subplots(lines, columns, squeeze=False).flat)


def _pixels(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
