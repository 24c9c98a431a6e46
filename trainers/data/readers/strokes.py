"""Drawings as strokes of a pen: `ndjson:PATH`, a drawing a line as in QuickDraw's files, and the embedded `sketches`.

An example is T steps (dx, dy, p1, p2, p3), as `zoo.distributions.strokes` says: offsets from point to point, the first
point being the origin, divided by their standard deviation over the training split, and what the pen does; after the
last step the end, which every example has.
"""

import hashlib
import json
import math
import re

import numpy as np
import shapely

from trainers.data import options, sizes
from trainers.data.dataset import DataSet, Field, hold_out_by_content, said_of_hold_out
from trainers.data.pipeline import CACHE_BYTES
from trainers.data.readers import text
from trainers.errors import BadInput
from zoo.distributions.strokes import END

TOLERANCE = 2.0 / 255  # of a drawing's longer side, as QuickDraw simplifies drawings that fill 256 by 256 pixels
LONGEST = 250  # points of a drawing, if --config.data.length does not say more
_DRAWER = re.compile(r"[^_]+_([^_]+)")  # DRAWING_DRAWER


def open_ndjson(name, entries, log):
    """Opens `ndjson:PATH`: every line a JSON object with "drawing", a list of strokes [[x, ...], [y, ...]];
    also "word" and "key_id".

    Strokes are simplified (D. Douglas, T. Peucker, 1973): no point that is left out lies farther from the line than
    `TOLERANCE`, or one unit where that is more and the coordinates are whole numbers, or, in a drawing that still has
    more than `length` points (0: as many as the longest has, 250 at most), as far as it takes. Whole numbers
    then get uniform noise of one unit, once, so that offsets have a density. If all lines have a word, the words are
    the classes. 10 % of the drawings are held out to test and 10 % for validation, by a hash of their strokes, or of
    their drawer where every "key_id" is of the form DRAWING_DRAWER.
    """
    asked = options.take(options.Drawings, name, entries)
    content, version = text.read(name)
    lines = content.removesuffix("\n").split("\n")
    log(f"Reading {len(lines)} drawings of {name.partition(':')[2]}.")
    drawings, words, keys = zip(*(_parse(name, number, line) for number, line in enumerate(lines, 1)))
    hashes = [hashlib.sha256(b"".join(stroke.tobytes() + b"|" for stroke in drawing)).digest() for drawing in drawings]
    drawers = [_DRAWER.fullmatch(str(key)) for key in keys]
    by_drawer = all(drawers)
    noun = "drawers" if by_drawer else "drawings"
    held = hold_out_by_content(name, [match[1].encode() for match in drawers] if by_drawer else hashes, noun,
                               asked.held_out)
    names = _classes(name, words)
    whole = all((np.round(stroke) == stroke).all() for drawing in drawings for stroke in drawing)
    drawings, length, harder = _simplified(name, drawings, asked.length, 1.0 if whole else 0.0)
    if whole:
        drawings = [_shaken(drawing, key) for drawing, key in zip(drawings, hashes)]
    if len(drawings) * length * 20 > CACHE_BYTES:
        raise BadInput(f"--dataset={name}: {len(drawings)} drawings of {length} steps take more than "
                       f"{CACHE_BYTES >> 30} GiB; "
                       f"set --config.data.length={length // 2}, or less, or take fewer of them.")
    x = np.stack([steps(drawing, length) for drawing in drawings])
    labels = np.array([names.index(word) for word in words] if names else [0] * len(x), np.int32)
    sizes.hold_out(name, {split: len(index) for split, index in held.items()}, asked.validation)
    tolerance = f"{TOLERANCE:.4f} of the longer side" + (" and at least one unit" if whole else "")
    facts = dict(
        hold_out=said_of_hold_out(noun, "", asked.held_out),
        simplification=f"Douglas-Peucker, {tolerance}, more for {harder} drawings of more than {length} points",
        coordinates="whole numbers and uniform noise of one unit, once" if whole else "as they are",
    )
    return _dataset(name, version, {split: (x[index], labels[index]) for split, index in held.items()}, names or (),
                    facts, asked)


def open_sketches(name, builder, entries):
    """Opens the prepared builder of `sketches`."""
    asked = options.take(options.Sketches, name, entries)
    cache = {}
    for split in builder.info.splits:
        examples = list(builder.as_dataset(split=split).as_numpy_iterator())
        cache[split] = np.stack([e["sketch"] for e in examples]), np.array([e["label"] for e in examples], np.int32)
    sizes.hold_out(name, {split: len(x) for split, (x, _) in cache.items()}, asked.validation)
    return _dataset(name, str(builder.info.version), cache, builder.info.features["label"].names,
                    dict(hold_out="the data set's own"), asked)


def steps(drawing, length):
    """Makes the steps, float32 [length, 5], of strokes [points, 2]: at least two points each, and no more than `length`
    together."""
    points = np.concatenate(drawing)
    last = np.zeros(len(points), bool)
    last[np.cumsum([len(stroke) for stroke in drawing]) - 1] = True
    x = np.tile(np.float32(END), (length, 1))
    num = len(points) - 1
    x[:num, :2] = np.diff(points, axis=0)
    x[:num, 2:] = np.stack([~last[1:], last[1:], np.zeros(num, bool)], -1)
    return x


def _shaken(drawing, key):
    """Adds noise of its own to every coordinate of a drawing, uniform on [-1/2, 1/2)."""
    rng = np.random.default_rng(list(key[:8]))
    return [stroke + rng.uniform(-0.5, 0.5, stroke.shape) for stroke in drawing]


def _dataset(name, version, cache, names, facts, asked):
    """Divides the offsets by their standard deviation in the training split."""
    inside = cache["train"][0][..., 4] == 0
    scale = float(cache["train"][0][inside][:, :2].std())
    if not (math.isfinite(scale) and scale > 0):
        raise BadInput(f"--dataset={name}: the training drawings' points are all the same, or too far apart: their "
                       f"offsets' standard deviation is {scale}.")
    label = {"label": Field("class", (), len(names), tuple(names))} if names else {}
    scaled = {}
    for split, (x, labels) in cache.items():
        scaled[split] = {"x": x / np.float32([scale, scale, 1, 1, 1])} | ({"label": labels} if names else {})
    facts |= dict(scale=scale, measure="density of offsets divided by scale",
                  steps=round(float(inside.sum(1).mean()), 2))
    x = Field("strokes", scaled["train"]["x"].shape[1:])
    return DataSet(name, version, {"x": x} | label, {split: len(part["x"]) for split, part in scaled.items()},
                   cache=scaled, facts=facts, options=asked)


def _parse(name, number, line):
    """Reads (strokes [points, 2] of which each has two points or more, word, key) from a line."""
    def wrong(what):
        return BadInput(f"--dataset={name}: line {number} {what}; a JSON object with \"drawing\", a list of strokes "
                        "[[x, ...], [y, ...]], "
                        "is needed on every line.")

    if not line.strip():
        raise wrong("is empty")
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise wrong(
            f"is no JSON: {str(error).partition(':')[0]} at character {getattr(error, 'pos', 0) + 1}"
        ) from error
    if not isinstance(entry, dict) or not isinstance(entry.get("drawing"), list):
        raise wrong("has no \"drawing\"")
    if not entry["drawing"]:
        raise wrong("has a drawing without strokes")
    strokes = []
    for place, stroke in enumerate(entry["drawing"], 1):
        try:
            x, y = (np.asarray(numbers, np.float64) for numbers in stroke[:2])  # a third list is of times
            if x.ndim != 1 or x.shape != y.shape or not len(x) or not (np.isfinite(x).all() and np.isfinite(y).all()):
                raise ValueError
        except (ValueError, TypeError, OverflowError) as error:
            raise wrong(f"has a stroke, number {place}, that is not two equally long lists of numbers") from error
        # a dot is a line of no length
        strokes.append(np.stack([x, y], -1) if len(x) > 1 else np.repeat([[x[0], y[0]]], 2, axis=0))
    return strokes, entry.get("word"), entry.get("key_id")


def _classes(name, words):
    """Returns the different words in order; None where there are none."""
    if all(word is None for word in words):
        return None
    bad = [number for number, word in enumerate(words, 1) if not isinstance(word, str)]
    if bad:
        raise BadInput(f"--dataset={name}: line {bad[0]} has no \"word\", and others have one; give every line its "
                       "own, or none.")
    return sorted(set(words))


def _simplified(name, drawings, length, least):
    """Returns (the drawings with fewer points, the most points that one may have, how many took a greater tolerance
    than `TOLERANCE`)."""
    strokes = [stroke for drawing in drawings for stroke in drawing]
    owner = np.repeat(np.arange(len(drawings)), [len(drawing) for drawing in drawings])
    lines = shapely.linestrings(np.concatenate(strokes),
                                indices=np.repeat(np.arange(len(strokes)), [len(stroke) for stroke in strokes]))
    tolerance = np.maximum(least,
                           TOLERANCE * np.array([np.ptp(np.concatenate(drawing), axis=0).max()
                                                 for drawing in drawings]))
    fewest = 2 * np.bincount(owner)  # the ends of every stroke

    def simplify(which):
        return shapely.simplify(lines[which], tolerance[owner[which]], preserve_topology=False)

    found = simplify(np.arange(len(lines)))
    counts = np.bincount(owner, shapely.get_num_coordinates(found)).astype(int)
    longest = length or max(min(int(counts.max()), LONGEST), int(fewest.max()))
    most = int(fewest.max())
    if most > longest:
        raise BadInput(f"--config.data.length={length}: line {fewest.argmax() + 1} of --dataset={name} has {most // 2} "
                       f"strokes, which take {most} points; "
                       f"at least {most} is needed (0: as many as the longest drawing takes).")
    harder = counts > longest
    num = int(harder.sum())
    while harder.any():
        tolerance[harder] *= 1.25
        which = np.flatnonzero(harder[owner])
        found[which] = simplify(which)
        harder &= np.bincount(owner[which], shapely.get_num_coordinates(found[which]), len(drawings)) > longest
    points, stroke = shapely.get_coordinates(found, return_index=True)
    parts = np.split(points, np.flatnonzero(np.diff(stroke)) + 1)
    ends = np.cumsum([len(drawing) for drawing in drawings])
    return [parts[end - len(drawing):end] for drawing, end in zip(drawings, ends)], longest, num
