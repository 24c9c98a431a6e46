"""The user's own folder of images: how it is split, labelled and resized, and what is said where it can't be read."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests.trainers.test_data import quiet, sentence
from trainers import data
from trainers.data import sizes
from trainers.data.readers import folder


def write_images(folder, num=20, size=(6, 5), channels=3, suffix="png", seed=0):
    rng = np.random.default_rng(seed)
    images = {}
    for i in range(num):
        height, width = size(i) if callable(size) else size
        images[f"{i:03d}.{suffix}"] = image = rng.integers(0, 256, (height, width, channels), np.uint8)
        path = pathlib.Path(folder) / f"{i:03d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        encode = {"png": tf.io.encode_png, "jpg": tf.io.encode_jpeg}[suffix]
        path.write_bytes(encode(image).numpy())
    return images


def open_folder(path, **arguments):
    return data.open_dataset(f"image_folder:{path}", data=arguments, log=quiet)


def test_folder_of_one_size(tmp_path):
    images = write_images(tmp_path, 30)
    dataset = open_folder(tmp_path, validation=3)
    assert (
        dataset.shape == (6, 5, 3)
        and dataset.classes is None
        and sum(dataset.sizes.values()) == 30
        and dataset.sizes["validation"] == 3
    )
    found = np.concatenate([dataset.decoded(split)["x"] for split in dataset.sizes])
    assert sorted(image.tobytes() for image in found) == sorted(image.tobytes() for image in images.values())
    again = open_folder(tmp_path, validation=3)
    np.testing.assert_array_equal(again.decoded("test")["x"], dataset.decoded("test")["x"])
    assert again.version == dataset.version


def test_folder_split_stays_when_images_are_added(tmp_path):
    write_images(tmp_path, 60)
    test = {image.tobytes() for image in open_folder(tmp_path).decoded("test")["x"]}
    write_images(tmp_path / "more", 40, seed=1)
    assert test <= {image.tobytes() for image in open_folder(tmp_path).decoded("test")["x"]}


@pytest.mark.parametrize("num", [10, 12, 25, 300])
def test_a_small_folder_holds_out_three_images_at_least(tmp_path, num):
    image = tf.io.encode_png(np.zeros((1, 1, 1), np.uint8)).numpy()
    for i in range(num):
        (tmp_path / f"{i}.png").write_bytes(image)
    sizes = open_folder(tmp_path).sizes
    assert sizes["train"] + sizes["test"] == num and max(3, num // 20) <= sizes["test"] <= max(6, num // 5)


def test_few_images_change_their_split_when_a_small_folder_grows():
    paths = [f"{i}.png" for i in range(1000)]
    held = {num: folder._held_out(paths[:num]) for num in range(10, 1001, 30)}
    for num, test in held.items():
        gone = sum(now and not later for now, later in zip(test, held[1000]))
        come = sum(later and not now for now, later in zip(test, held[1000]))
        assert sum(test) >= 3 and gone <= 3 and come == 0
    assert 70 <= sum(held[1000]) <= 130


def test_folder_labels_and_grey(tmp_path):
    write_images(tmp_path / "b", 12, channels=1)
    write_images(tmp_path / "a", 8, channels=1, seed=1)
    dataset = open_folder(tmp_path)
    assert dataset.shape == (6, 5, 1) and dataset.classes == 2
    labels = np.concatenate([dataset.decoded(split)["label"] for split in dataset.sizes])
    assert np.bincount(labels).tolist() == [8, 12]
    write_images(tmp_path / "c", 3, channels=4, seed=2)  # one with colour (and alpha) among grey ones
    assert open_folder(tmp_path).shape == (6, 5, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_folder_of_any_size_is_resized_and_cropped(tmp_path, suffix):
    write_images(tmp_path, 12, size=lambda i: (20 + i, 41 - i), suffix=suffix)
    dataset = open_folder(tmp_path, image_size=(8, 10))
    assert dataset.shape == (8, 10, 3)
    streamed = [dataset.source.decode(record, ["x"])["x"] for record in dataset.source.records("train")]
    np.testing.assert_array_equal(np.stack(streamed), dataset.decoded("train")["x"])


def test_resize_keeps_the_aspect_and_the_centre():
    image = np.zeros((40, 80, 1), np.uint8)
    image[:, 20:60] = 200  # the central square
    assert (sizes.resize_and_crop(image, (20, 20)).numpy()[:, 1:-1] == 200).all()
    upscaled = sizes.resize_and_crop(np.full((3, 5, 1), 7, np.uint8), (9, 12)).numpy()
    assert upscaled.shape == (9, 12, 1) and (upscaled == 7).all()
    stripes = np.tile(np.array([0, 255], np.uint8)[None, :, None], (64, 32, 1))
    # antialiased, not picked
    assert np.abs(sizes.resize_and_crop(stripes, (16, 16)).numpy().astype(int) - 127)[:, 1:-1].max() <= 8


# Bad input.

def test_folders_that_can_not_be_read(tmp_path):
    sentence(lambda: open_folder(tmp_path / "none"), "none", "missing")
    (tmp_path / "file").write_text("x")
    sentence(lambda: open_folder(tmp_path / "file"), "no folder")
    (tmp_path / "empty").mkdir()
    sentence(lambda: open_folder(tmp_path / "empty"), "0 images among 0 files", ".png")
    write_images(tmp_path / "few", 9)
    sentence(lambda: open_folder(tmp_path / "few"), "9 images", "10")
    write_images(tmp_path / "mixed", 12, size=lambda i: (6 + i % 2, 5))
    sentence(lambda: open_folder(tmp_path / "mixed"), "2 sizes", "6x5", "7x5", "--config.data.image_size=5")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_folder_without_permission(tmp_path):
    write_images(tmp_path / "locked", 12)
    (tmp_path / "locked").chmod(0)
    sentence(lambda: open_folder(tmp_path), "locked", "Permission denied")


def test_a_folder_that_fails_while_it_is_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "scandir",
                        lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied", str(path))))
    sentence(lambda: open_folder(tmp_path), str(tmp_path), "Permission denied")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_corrupt_images_are_named(tmp_path, suffix):
    write_images(tmp_path, 20, size=(30, 30), suffix=suffix)
    whole = (tmp_path / f"001.{suffix}").read_bytes()
    (tmp_path / f"001.{suffix}").write_bytes(whole[:len(whole) // 2])
    sentence(lambda: open_folder(tmp_path), "1 of 20", f"001.{suffix}")
    for i in range(2, 9):
        (tmp_path / f"00{i}.{suffix}").write_bytes(b"" if i % 2 else b"no image")
    sentence(lambda: open_folder(tmp_path), "8 of 20", f"005.{suffix}", "and 3 more")
