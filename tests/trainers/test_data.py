"""Data sets: what each holds, and every bad input that concerns them; the user's own folder is
test_image_folder.py's."""

import dataclasses
import pathlib
import re
import threading

import numpy as np
import pytest
from absl import flags

from trainers import data, train
from trainers.data import options
from trainers.data.embedded import toy2d
from trainers.errors import BadInput
from zoo.domain import one_class
from zoo.model import Domain

TFDS = pathlib.Path(__file__).resolve().parents[3] / "shared/data/tfds"
BINARY8 = Domain("binary", (8, 8, 1), 2)
REAL8 = Domain("real", (8, 8, 1), 17, (-1.0, 1.0), True)


def quiet(_):
    pass


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="module")
def digits(built):
    return data.open_dataset("digits", built, log=quiet)


@pytest.fixture(scope="module")
def points(built):
    return data.open_dataset("toy2d", built, log=quiet)


# What is there.

def test_digits_are_those_of_scikit_learn(digits):
    from sklearn.datasets import load_digits
    assert (digits.shape, digits.levels, digits.classes, digits.sizes) == ((8, 8, 1), 17, 10,
                                                                           {"train": 1437, "test": 360})
    rows = [np.column_stack([digits.decoded(split)["x"].reshape(-1, 64), digits.decoded(split)["label"]])
            for split in digits.sizes]
    truth = np.column_stack([load_digits().data.astype(int), load_digits().target])
    assert sorted(map(tuple, np.concatenate(rows))) == sorted(map(tuple, truth))


def test_photo_patches_share_no_pixel(built):
    patches = data.open_dataset("photo_patches", built, log=quiet)
    assert patches.shape == (32, 32, 3) and patches.sizes == {"train": 5300, "test": 550}
    from sklearn.datasets import load_sample_images
    photos = load_sample_images().images
    for split, columns in ("train", slice(0, 448)), ("test", slice(448, 640)):
        x, labels = patches.decoded(split).values()
        # each crop is found inside its own photograph's own columns, up to the two JPEG decoders' rounding
        for i in (0, 7, 100):
            region = photos[labels[i]][:, columns].astype(int)
            # windows: [rows, columns, 3, 32, 32]
            windows = np.lib.stride_tricks.sliding_window_view(region, (32, 32), (0, 1))[::8, ::8]
            distance = np.abs(windows - x[i].transpose(2, 0, 1)).mean((2, 3, 4))
            assert distance.min() < 2
    assert patches.decoded("train")["label"].mean() == 0.5


@pytest.mark.parametrize("name", sorted(toy2d.DENSITIES))
def test_toy_densities(built, name):
    dataset = data.open_dataset(f"toy2d/{name}", built, log=quiet)
    x = dataset.decoded("train")["x"]
    assert (
        dataset.kind == "points"
        and x.shape == (20000, 2)
        and dataset.sizes == {"train": 20000, "validation": 2000, "test": 5000}
    )
    assert np.abs(x.mean(0)).max() < 0.15 and 0.5 < x.std() < 2.5 and np.abs(x).max() < 6
    if name == "eight_gaussians":
        angles = np.arange(8) * np.pi / 4
        distances = np.linalg.norm(x[:, None] - 2 * np.stack([np.cos(angles), np.sin(angles)], -1), axis=-1)
        assert np.sqrt((distances.min(1)**2).mean() / 2) == pytest.approx(0.1, rel=0.02)
        assert np.bincount(distances.argmin(1), minlength=8) == pytest.approx(np.full(8, 2500), abs=250)
    if name == "checkerboard":
        cells = np.floor(x).astype(int)
        assert ((cells.sum(1) % 2) == 0).all() and np.abs(x).max() <= 2 and len(np.unique(cells, axis=0)) == 8


@pytest.mark.parametrize("name", data.EMBEDDED)
def test_embedded_sets_have_what_they_say(built, name):
    dataset = data.open_dataset(name, built, log=quiet)
    assert {"train", "test"} <= set(dataset.sizes) and dataset.name == name
    for split, num in dataset.sizes.items():
        found = dataset.decoded(split)
        assert list(found) == list(dataset.fields)
        for field, values in found.items():
            declared = dataset.fields[field]
            assert (
                values.shape == (num, *declared.shape)
                and values.dtype == declared.dtype
                and not (declared.levels and values.max() >= declared.levels)
            )


def test_the_claw_is_drawn_from_its_density(built):
    from zoo.density.parts.claw import claw
    x = np.sort(data.open_dataset("claw", built, log=quiet).decoded("test")["x"][:, 0])
    empirical = (np.arange(len(x)) + 0.5) / len(x)
    assert np.abs(claw().cdf(x).numpy() - empirical).max() < 1.63 / np.sqrt(len(x))  # Kolmogorov and Smirnov, 1 %


@pytest.mark.parametrize("name, shape, levels, train",
                         [("mnist", (28, 28, 1), 256, 60000), ("binarized_mnist", (28, 28, 1), 2, 50000),
                          ("cifar10", (32, 32, 3), 256, 50000)])
def test_tfds_sets_are_read_where_they_are(name, shape, levels, train):
    if not (TFDS / name).exists():
        pytest.skip(f"{TFDS / name} is not there")
    before = sorted(TFDS.iterdir())
    dataset = data.open_dataset(name, TFDS, log=quiet)
    assert (dataset.shape, dataset.levels, dataset.sizes["train"],
            dataset.sizes["test"]) == (shape, levels, train, 10000)
    domain = Domain("binary" if levels == 2 else "levels", shape, levels)
    record = data.protocol(dataset, domain, {})
    assert record["binarization"] == ("stored" if levels == 2 else None) and record["held_out"]["test"] == 10000
    x = np.concatenate(list(data.evaluation_batches(dataset, "test", domain, 100, 0, {}, limit=250,
                                                    cache_bytes=0).as_numpy_iterator()))
    assert x.shape == (250, *shape) and x.min() == 0 and x.max() == levels - 1
    import tensorflow_datasets as tfds
    stored = next(iter(tfds.load(name, data_dir=TFDS, split="test", download=False).batch(250)))["image"].numpy()
    np.testing.assert_array_equal(x, stored)
    assert sorted(TFDS.iterdir()) == before


def test_two_builds_at_once_do_not_collide(tmp_path):
    # Both build beside and rename, and the second rename finds the first one's folder: in threads as in processes.
    from trainers.data.embedded.digits import Digits
    from trainers.data.readers import builders
    path = pathlib.Path("digits", "1.0.0")
    results = []
    threads = [threading.Thread(target=lambda: results.append(builders._build(Digits, None, tmp_path, path)))
               for _ in range(2)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert len(results) == 2 and [entry.name for entry in tmp_path.iterdir()] == ["digits"]
    assert data.open_dataset("digits", tmp_path, log=quiet).sizes["train"] == 1437


def test_a_read_only_data_folder_is_left_alone(tmp_path, monkeypatch):
    locked, home = tmp_path / "locked", tmp_path / "home"
    locked.mkdir(mode=0o555)
    monkeypatch.setenv("TFDS_DATA_DIR", str(home))
    assert data.open_dataset("digits", locked, log=quiet).sizes["test"] == 360
    assert not list(locked.iterdir()) and (home / "digits").exists()


def test_a_split_is_kept_once(built):
    """The arrays are views of the tensors that batches are cut from; one that is asked for again is the same."""
    first = data.open_dataset("toy2d", built, log=quiet).decoded("train")
    dataset = data.open_dataset("toy2d", built, log=quiet)
    next(iter(data.training_batches(dataset, Domain("real", (2,)), 4, 0, {})))
    tensors = dataset.tensors("train")
    assert list(tensors) == ["x"] and dataset.tensors("train")["x"] is tensors["x"]
    array = dataset.decoded("train")["x"]
    assert np.shares_memory(array, np.asarray(tensors["x"])) and not array.flags.writeable
    np.testing.assert_array_equal(array, first["x"])


def test_validation_holds_out_the_last_training_examples(built, digits, points):
    held = data.open_dataset("digits", built, dict(validation=37), quiet)
    assert held.sizes == {"train": 1400, "test": 360, "validation": 37}
    x, labels = digits.decoded("train").values()
    np.testing.assert_array_equal(held.decoded("train")["x"], x[:1400])
    np.testing.assert_array_equal(held.decoded("validation")["x"], x[1400:])
    np.testing.assert_array_equal(held.decoded("validation")["label"], labels[1400:])


# Bad input.

def sentence(function, *words):
    with pytest.raises(BadInput) as caught:
        function()
    text = str(caught.value)
    assert "\n" not in text and all(word in text for word in words), text


@pytest.mark.parametrize("name, words", [
    ("digit", ["digit", "'digits'"]), ("mnits", ["'mnist'"]), ("toy2d/two_moon", ["'toy2d/two_moons'"]),
    ("digits/big", ["'digits'"]), ("zzzqqq", ["photo_patches"]),
    ("a b", ["a b"]), ("", ["--dataset"]), ("mnist:9.9.9", ["9.9.9", "3.0.1"]), ("iris", ["iris", "images"]),
    ("image_folder:", ["lacks the path"])])
def test_unknown_data_sets(built, name, words):
    sentence(lambda: data.open_dataset(name, built, log=quiet), "--dataset", *words)


def test_no_network_is_found_out_at_once(tmp_path, monkeypatch):
    import requests

    def refuse(*_, **__):
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", refuse)
    sentence(lambda: data.open_dataset("fashion_mnist", tmp_path / "none", log=quiet), "fashion_mnist", "none",
             "no connection")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("arguments, words", [
    (dict(image_size=16), ["--config.data.image_size=16: ", "17 levels"]),
    (dict(image_size="8x8"), ["--config.data.image_size=8x8", "for example 64"]),
    (dict(image_size=-1), ["--config.data.image_size=-1"]),
    (dict(image_size=(4, 4, 1)), ["--config.data.image_size=(4, 4, 1)"]),
    (dict(validation=1437), ["--config.data.validation=1437", "1436"]),
    (dict(validation=-1), ["--config.data.validation=-1"])])
def test_arguments_that_do_not_fit(built, arguments, words):
    sentence(lambda: data.open_dataset("digits", built, arguments, quiet), *words)


def test_points_take_no_size_and_no_second_validation(built):
    sentence(lambda: data.open_dataset("toy2d", built, dict(image_size=8), quiet), "--config.data.image_size=8: ",
             "points")
    sentence(lambda: data.open_dataset("toy2d", built, dict(validation=5), quiet), "--config.data.validation=5", "2000")


@pytest.mark.parametrize("key, value",
                         [("standardize", True), ("tokenizer", "bytes"), ("vocabulary", 300), ("length", 9),
                          ("rate", 8000), ("label", "digit")])
def test_images_have_no_use_for_it(built, tmp_path, key, value):
    sentence(lambda: data.open_dataset("digits", built, {key: value}, quiet),
             f"--config.data.{key}={value}: --dataset=digits has images", "leave it")
    sentence(lambda: data.open_dataset(f"image_folder:{tmp_path}", built, {key: value}, quiet),
             f"--config.data.{key}={value}: ", "has images", "leave it")


def test_a_pixel_outside_the_levels(digits):
    wrong = dataclasses.replace(digits, name="wrong",
                                fields=digits.fields | {"x": digits.fields["x"]._replace(levels=16)}, cache={})
    sentence(lambda: wrong.decoded("train"), "--dataset=wrong", "'train'", "a pixel of 16", "0 to 15")


def test_truncated_tfrecord(tmp_path):
    data.open_dataset("digits", tmp_path, log=quiet)
    file = next(tmp_path.rglob("*train*"))
    file.write_bytes(file.read_bytes()[:-1000])
    sentence(lambda: data.open_dataset("digits", tmp_path, log=quiet).decoded("train"), "digits", "train", "1437")


@pytest.mark.parametrize("domain, config, words", [
    (Domain("binary", (28, 28, 1), 2), {}, ["(8, 8, 1)", "(28, 28, 1)", "one of the model's shape"]),
    (Domain("real", (2,)), {}, ["--dataset=digits", "points", "toy2d"]),
    (Domain("tokens", (10,), 50), {}, ["tokens"]),
    (Domain("waveform", (100,)), {}, ["waveforms"]),
    (Domain("levels", (8, 8, 1), 256), {}, ["17 levels", "256", "--config.model.levels=17, or less"]),
    (Domain("real", (8, 8, 1), 256, (0.0, 1.0), True), {}, ["17 levels", "256", "--config.model.levels=17."]),
    (Domain("levels", (8, 8, 1), 17, condition=one_class(3)), {}, ["10 classes", "3", "--config.model.classes=10"]),
    (BINARY8, {"binarization": "dynamyc"}, ["--config.data.binarization=dynamyc", "'dynamic'"]),
    (BINARY8, {"binarization": "stored"}, ["--config.data.binarization=stored", "17 levels", "'dynamic'"]),
    (REAL8, {"binarization": "dynamic"}, ["--config.data.binarization=dynamic", "real images"])])
def test_models_that_can_not_take_digits(digits, domain, config, words):
    sentence(lambda: data.check(digits, domain, config), *words)
    sentence(lambda: data.training_batches(digits, domain, 4, 0, config), *words)


def test_a_size_is_advised_where_it_helps(digits):
    photos = dataclasses.replace(digits, name="photos",
                                 fields=digits.fields | {"x": digits.fields["x"]._replace(shape=(9, 8, 3), levels=256)})
    sentence(lambda: data.check(photos, Domain("levels", (16, 16, 3), 256), {}), "(9, 8, 3)", "(16, 16, 3)",
             "set --config.data.image_size=16.")
    for shape in (16, 12, 3), (16, 16, 1):  # not to be had by a flag
        sentence(lambda: data.check(photos, Domain("levels", shape, 256), {}), "train a model on this data set")


@pytest.mark.parametrize("path", sorted(pathlib.Path(data.__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_messages_name_flags_that_there_are(path):
    known = flags.FlagValues()
    train.define(known)
    entries = (
        ["config.data", "config.model"]
        + [f"config.data.{key}" for key in options.DEFAULTS]
        + [f"config.model.{key}" for key in ("levels", "classes", "features")]
    )
    for name in re.findall(r"--([a-z_]+(?:\.[a-z_]+)*)", path.read_text()):
        assert name in known or name in entries, name


def test_points_for_image_models_and_wrong_splits(points, digits):
    sentence(lambda: data.check(points, BINARY8, {}), "toy2d/eight_gaussians", "binary images",
             "choose a data set of images")
    sentence(lambda: data.check(points, Domain("real", (2,), condition=one_class(8)), {}), "no labels",
             "leave --config.model.classes out")
    sentence(lambda: data.evaluation_batches(digits, "tests", BINARY8, 4, 0, {}), "'tests'", "'test'")
    sentence(lambda: data.training_batches(digits, BINARY8, 10, 0, {}, workers=4), "--batch_size=10", "4 workers", "8")
