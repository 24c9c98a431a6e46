"""Drawings: QuickDraw's ndjson read, simplified, normalised and held out; the embedded `sketches`; and every line that
can't be read."""

import json
import pathlib

import numpy as np
import pytest

from tests.trainers.test_data import quiet, sentence
from trainers import data
from trainers.data.embedded import sketches
from trainers.data.readers import strokes
from zoo.domain import one_class
from zoo.model import Domain

REAL = pathlib.Path(__file__).resolve().parents[3] / "shared/data/strokes.ndjson"


def wave(rng, num=30, whole=True):
    """A stroke of `num` points that goes to the right, [[x...], [y...]]."""
    x = np.cumsum(rng.integers(1, 6, num))
    y = 60 + 40 * np.sin(x / 9.0 + rng.uniform(0, 6))
    return [x.tolist(), np.round(y).astype(int).tolist() if whole else y.tolist()]


def write(folder, lines, name="drawings.ndjson"):
    path = folder / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def drawings(num=60, seed=0, **options):
    rng = np.random.default_rng(seed)
    return [dict(drawing=[wave(rng, **options) for _ in range(1 + i % 3)], word="cat" if i % 2 else "bat",
                 key_id=str(10 ** 15 + i), recognized=True)
            for i in range(num)]


def opened(path, **options):
    return data.open_dataset(f"ndjson:{path}", data=options, log=quiet)


def rebuilt(x, scale):
    """The strokes [points, 2] of an example, from the origin on."""
    num = int(x[:, 4].argmax())
    points = np.concatenate([np.zeros([1, 2]), np.cumsum(x[:num, :2], 0)]) * scale
    return np.split(points, np.flatnonzero(x[:num, 3]) + 2)[:-1]


# What is read.

def test_steps_are_offsets_and_states():
    x = strokes.steps([np.array([[2.0, 1.0], [5.0, 1.0], [5.0, 4.0]]), np.array([[0.0, 0.0], [1.0, 1.0]])], 6)
    expected = [[3, 0, 1, 0, 0], [0, 3, 0, 1, 0], [-5, -4, 1, 0, 0], [1, 1, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]]
    np.testing.assert_array_equal(x, expected)
    assert x.dtype == np.float32


def test_a_file_is_read_simplified_and_normalised(tmp_path):
    lines = drawings(whole=False)
    path = write(tmp_path, lines)
    dataset = opened(path)
    assert (dataset.kind, dataset.levels, dataset.classes, dataset.dtype) == (
        "strokes",
        None,
        2,
        np.float32,
    ) and dataset.version.startswith("sha256:")
    assert sum(dataset.sizes.values()) == 60 and min(dataset.sizes.values()) >= 1
    scale = dataset.facts["scale"]
    x, labels = dataset.decoded("train").values()
    inside = x[..., 4] == 0
    np.testing.assert_allclose(x[inside][:, :2].std(), 1.0, rtol=1e-5)
    assert (
        np.all(x[..., 2:].sum(-1) == 1)
        and np.all(np.diff(inside.astype(int), axis=1) <= 0)
        and np.all(x[~inside][:, :2] == 0)
        and not inside[:, -1].any()
    )
    assert inside.sum(1).max() <= dataset.shape[0] - 1 < 90  # of 30 to 90 points a drawing
    found = 0
    for example, label in zip(x, labels):
        parts = rebuilt(example, scale)
        # the one that it was: every point kept is one of its points, in order, and every other one lies near
        for line in lines:
            first = np.array(line["drawing"][0], float).T[0]
            if len(line["drawing"]) != len(parts) or not np.allclose(
                parts[-1][-1] + first, np.array(line["drawing"][-1], float).T[-1], atol=1e-3
            ):
                continue
            found += 1
            assert label == ["bat", "cat"].index(line["word"])
            side = np.ptp(np.concatenate([np.array(s, float).T for s in line["drawing"]]), axis=0).max()
            for part, stroke in zip(parts, line["drawing"]):
                points = np.array(stroke, float).T
                np.testing.assert_allclose(part, simplified(points, strokes.TOLERANCE * side) - first, atol=2e-3)
    assert found == len(x)


def simplified(points, tolerance):
    """Ramer, Douglas and Peucker's algorithm, as it is told."""
    if len(points) < 3:
        return points
    base, direction = points[0], points[-1] - points[0]
    along = np.clip((points - base) @ direction / max(direction @ direction, 1e-30), 0, 1)
    distance = np.hypot(*(points - base - along[:, None] * direction).T)
    far = distance.argmax()
    if distance[far] <= tolerance:
        return points[[0, -1]]
    return np.concatenate([simplified(points[:far + 1], tolerance)[:-1], simplified(points[far:], tolerance)])


def test_long_drawings_are_simplified_more(tmp_path):
    path = write(tmp_path, drawings())
    free, short = opened(path), opened(path, length=14)
    assert short.shape == (14, 5) and free.shape[0] > 14
    few, many = (np.sort((dataset.decoded("train")["x"][..., 4] == 0).sum(1)) for dataset in (short, free))
    assert few.max() <= 13 and many.max() > 13 and np.all(few <= many)
    every = np.concatenate([free.decoded(split)["x"] for split in free.sizes])
    assert f"more for {np.sum((every[..., 4] == 0).sum(1) > 13)} drawings" in short.facts["simplification"]
    assert opened(path, length=200).shape == (200, 5)


def test_whole_numbers_get_noise_of_one_unit_once(tmp_path):
    lines = drawings()
    for line in lines:
        line["drawing"].append([[7], [7]])  # a dot
    path = write(tmp_path, lines)
    dataset, again = opened(path), opened(path)
    x, scale = dataset.decoded("train")["x"], dataset.facts["scale"]
    np.testing.assert_array_equal(x, again.decoded("train")["x"])
    ends = np.concatenate([np.cumsum(example[:, :2] * scale, 0)[example[:, 4] == 0] for example in x])
    rest = ends - np.round(ends)
    assert np.abs(rest).max() > 0.4 and np.abs(rest).mean() == pytest.approx(0.25, abs=0.03)
    dots = np.array([np.hypot(*(rebuilt(example, scale)[-1][1] - rebuilt(example, scale)[-1][0])) for example in x])
    assert np.all((0 < dots) & (dots < 1.5))  # two points, half a unit or so apart
    assert (
        "noise" in dataset.facts["coordinates"]
        and "noise" not in opened(write(tmp_path, drawings(whole=False), "b.ndjson")).facts["coordinates"]
    )


def test_a_drawing_keeps_its_split_and_drawers_are_held_out_whole(tmp_path):
    few, many = (opened(write(tmp_path, drawings(num, whole=False), f"{num}.ndjson")) for num in (100, 300))
    one, two = ({split: [np.concatenate(rebuilt(x, dataset.facts["scale"]))[-1] for x in dataset.decoded(split)["x"]]
                 for split in dataset.sizes}
                for dataset in (few, many))
    for split, ends in one.items():
        assert all(np.abs(np.array(two[split]) - end).max(1).min() < 1e-3 for end in ends)
    lines = drawings(200)
    for i, line in enumerate(lines):
        line["key_id"], line["word"] = f"{i:04}_{i % 20:02}", f"drawer{i % 20:02}"
    dataset = opened(write(tmp_path, lines))
    drawers = {split: set(dataset.decoded(split)["label"].tolist()) for split in dataset.sizes}
    assert (
        sum(map(len, drawers.values())) == 20 == len(set.union(*drawers.values()))
        and "drawers" in dataset.facts["hold_out"]
    )


def test_drawings_without_words_have_no_classes(tmp_path):
    lines = [dict(drawing=line["drawing"]) for line in drawings()]
    assert opened(write(tmp_path, lines)).classes is None


def test_omniglot():
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there")
    dataset = opened(REAL, length=64)
    assert (
        sum(dataset.sizes.values()) == 3120
        and dataset.classes == 156
        and all(size % 156 == 0 for size in dataset.sizes.values())
    )
    assert 15 < dataset.facts["steps"] < 25


def test_sketches_are_built_the_same_each_time(tmp_path):
    dataset = data.open_dataset("sketches", tmp_path, log=quiet)
    assert (dataset.shape, dataset.classes, dataset.sizes) == ((sketches.LENGTH, 5), 6, sketches.SIZES)
    rng = np.random.RandomState(2)
    first = [strokes.steps(sketches.drawing(rng, thing), sketches.LENGTH) for thing in sketches.THINGS]
    x = dataset.decoded("test")["x"] * np.float32([dataset.facts["scale"]] * 2 + [1, 1, 1])
    for example in first:  # TFDS shuffles
        assert np.abs(x - example).max((1, 2)).min() < 1e-5
    assert np.bincount(dataset.decoded("train")["label"]).tolist() == [500] * 6
    ends = (dataset.decoded("train")["x"][..., 4] == 1)
    assert ends[:, -1].all() and not ends[:, 0].any()
    sentence(lambda: data.open_dataset("sketches", tmp_path, dict(length=20), quiet), "--config.data.length=20")


def test_batches_are_those_of_the_file(tmp_path):
    dataset = opened(write(tmp_path, drawings()))
    domain = Domain("strokes", dataset.shape, condition=one_class(2))
    x, labels = next(iter(data.training_batches(dataset, domain, dataset.sizes["train"], 3, {}).as_numpy_iterator()))
    stored, theirs = dataset.decoded("train").values()
    assert sorted(map(bytes, x)) == sorted(map(bytes, stored)) and sorted(labels) == sorted(theirs)


# Bad input.

GOOD = dict(drawing=[[[0, 5, 9], [0, 9, 1]]], word="cat")


@pytest.mark.parametrize("line, words", [
    ("", ["is empty"]), ("   ", ["is empty"]), ("{\"drawing\": [[[1,", ["is no JSON", "character"]),
    ("not", ["is no JSON"]), ("[1]", ["has no \"drawing\""]),
    ("{\"word\": \"cat\"}", ["has no \"drawing\""]), (dict(drawing="x"), ["has no \"drawing\""]),
    (dict(drawing=[]), ["without strokes"]),
    (dict(drawing=[[[1, 2], [3]]]), ["number 1", "equally long"]), (dict(drawing=[[[1], [1]], [[], []]]), ["number 2"]),
    (dict(drawing=[[[1, 2]]]), ["number 1"]),
    (dict(drawing=[[["a"], ["b"]]]), ["number 1"]), (dict(drawing=[7]), ["number 1"]),
    ("{\"drawing\": [[[1, NaN], [1, 2]]]}", ["number 1"]),
    (dict(drawing=[[[[1, 2]], [[1, 2]]]]), ["number 1"])])
def test_lines_that_can_not_be_read(tmp_path, line, words):
    path = write(tmp_path, [GOOD, GOOD, line, GOOD])
    sentence(lambda: opened(path), "--dataset=ndjson:", "line 3", "\"drawing\"", *words)


def test_files_that_can_not_be_read(tmp_path, monkeypatch):
    sentence(lambda: opened(tmp_path / "none.ndjson"), "none.ndjson", "No such file")
    sentence(lambda: data.open_dataset("ndjson:"), "lacks the path")
    sentence(lambda: opened(write(tmp_path, [])), "empty")
    sentence(lambda: opened(write(tmp_path, [GOOD] * 5)), "1 different drawings", "at least 3")
    lines = drawings()
    del lines[4]["word"]
    sentence(lambda: opened(write(tmp_path, lines)), "line 5", "\"word\"")
    dots = [dict(drawing=[[[i % 3 + 0.5], [i]]]) for i in range(30)]
    sentence(lambda: opened(write(tmp_path, dots)), "all the same")
    monkeypatch.setattr(strokes, "CACHE_BYTES", 1000)
    sentence(lambda: opened(write(tmp_path, drawings())), "take more than", "--config.data.length=")


@pytest.mark.parametrize("options, words", [
    (dict(length=5), ["--config.data.length=5", "line 3", "3 strokes", "at least 6"]),
    (dict(length=-1), ["--config.data.length=-1"]),
    (dict(validation=5), ["--config.data.validation=5", "already"]),
    (dict(image_size=8), ["--config.data.image_size=8", "drawings"]),
    (dict(tokenizer="bytes"), ["--config.data.tokenizer=bytes"])])
def test_options_that_drawings_can_not_use(tmp_path, options, words):
    path = write(tmp_path, drawings())
    sentence(lambda: opened(path, **options), *words)


def test_models_and_drawings(tmp_path):
    dataset = opened(write(tmp_path, drawings()), length=20)
    data.check(dataset, Domain("strokes", (20, 5)), {})
    sentence(lambda: data.check(dataset, Domain("strokes", (30, 5)), {}), "(20, 5)", "set --config.data.length=30.")
    sentence(lambda: data.check(dataset, Domain("strokes", (20, 5), condition=one_class(3)), {}), "has 2 classes",
             "set --config.model.classes=2")
    sentence(lambda: data.check(dataset, Domain("real", (20, 5)), {}), "has strokes", "real points")
    sentence(lambda: data.check(dataset, Domain("strokes", (20, 5)), {"binarization": "dynamic"}),
             "the model reads strokes")
    points = data.open_dataset("toy2d", tmp_path, log=quiet)
    sentence(lambda: data.check(points, Domain("strokes", (20, 5)), {}), "has real points",
             "for example sketches, or ndjson:PATH.")
