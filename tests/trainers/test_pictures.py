"""Pictures: every pixel of a grid by a brute-force twin, levels by their formula, and what a picture of samples
shows."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from tests.support import cases
from trainers.pictures import curves, images, points
from trainers.runs import drawing
from trainers.runs.workdir import write
from zoo import random
from zoo.model import Domain

SHAPE = (2, 3, 1)


@pytest.mark.parametrize("num, columns, scale", [(5, 2, 3), (4, None, 1), (1, None, None), (6, 3, None), (7, None, 2)])
def test_grid_puts_every_pixel_in_its_place(num, columns, scale):
    x = np.random.default_rng(0).integers(0, 256, (num, 2, 3, 3), np.uint8)
    picture = images.grid(x, columns, scale)
    columns, scale = columns or {4: 2, 1: 1, 7: 3}[num], scale or 19  # 56 / 3, rounded
    gap, lines = scale, -(-num // columns)
    expected = np.full((lines * (2 * scale + gap) + gap, columns * (3 * scale + gap) + gap, 3), images.SEPARATOR,
                       np.uint8)
    for n in range(num):
        for i in range(2 * scale):
            for j in range(3 * scale):
                row, column = n // columns * (2 * scale + gap) + gap + i, n % columns * (3 * scale + gap) + gap + j
                expected[row, column] = x[n, i // scale, j // scale]
    np.testing.assert_array_equal(picture, expected)


def test_a_large_grid_is_not_enlarged():
    assert max(images.grid(np.zeros((10_000, 28, 28, 1), np.uint8)).shape) == 100 * 56 + 2 * 101
    assert max(images.grid(np.zeros((40_000, 28, 28, 1), np.uint8)).shape) == 200 * 28 + 201


@pytest.mark.parametrize("domain, x, expected", [
    (Domain("binary", SHAPE, 2), [0.0, 1.0, 0.5, np.nan], [0, 255, 128, 0]),
    (Domain("levels", SHAPE, 256), [0, 255, 17, 300], [0, 255, 17, 255]),
    (Domain("levels", SHAPE, 17), [0, 16, 4, 2.5], [0, 255, 64, 40]),
    (Domain("real", SHAPE, range=(-1.0, 1.0)), [-1.0, 1.0, 0.2, -3.0], [0, 255, 153, 0]),
])
def test_to_uint8(domain, x, expected):
    np.testing.assert_array_equal(images.to_uint8(np.array(x), domain), np.array(expected, np.uint8))


@pytest.mark.parametrize("name, method", [("vae", "sample_mean"), ("real_nvp", "sample")])
def test_samples_shows_the_mean_where_there_is_one(name, method):
    model, seed = cases.make(name), random.seed(4)
    x = getattr(model, method)(random.rows(seed, 64))
    np.testing.assert_array_equal(drawing.samples(model, seed), x)
    np.testing.assert_array_equal(images.picture(drawing.samples(model, seed), model.domain),
                                  images.grid(images.to_uint8(x, model.domain)))
    assert len(np.unique(images.to_uint8(x, model.domain))) > 4


def test_samples_of_a_conditional_model_has_a_class_in_each_column():
    model, seed = cases.make("pixel_cnn"), random.seed(4)
    x = model.sample(random.rows(seed, 6), tf.constant([0, 1, 0, 1, 0, 1]))
    np.testing.assert_array_equal(images.picture(drawing.samples(model, seed, num=6), model.domain),
                                  images.grid(images.to_uint8(x, model.domain), columns=2))


def test_a_compiled_sampler_follows_the_weights():
    model, seed = cases.make("vae"), random.seed(4)
    sample = drawing.sampler(model)
    before = drawing.samples(model, seed, sample=sample)
    model.set_weights([2.0 * w for w in model.get_weights()])
    assert (drawing.samples(model, seed, sample=sample) != before).any()


def test_scatter_draws_points_where_they_are():
    # the middle of what is not white, inside the axes
    ink = lambda x: np.argwhere(points.scatter(x)[30:-30, 40:-20].min(-1) < 200).mean(0)
    corners = np.tile([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]], (25, 1))
    up, right = (np.concatenate([corners, np.random.default_rng(0).normal(centre, 0.1, (400, 2))])
                 for centre in ([0.0, 0.8], [0.8, 0.0]))
    middle = ink(np.concatenate([corners, np.random.default_rng(0).normal(0.0, 0.1, (400, 2))]))
    assert ink(up)[0] < middle[0] - 50 and abs(ink(up)[1] - middle[1]) < 10
    assert ink(right)[1] > middle[1] + 50 and abs(ink(right)[0] - middle[0]) < 10


def test_scatter_of_one_dimension_and_of_what_is_not_finite():
    x = np.random.default_rng(0).normal(size=(200, 2))
    np.testing.assert_array_equal(points.scatter(np.concatenate([x, [[np.nan, 0.0], [np.inf, 1.0]]])),
                                  points.scatter(x))
    assert points.scatter(x[:, :1]).shape == points.scatter(np.full((5, 2), np.nan)).shape == points.scatter(x).shape


def test_curves_has_a_panel_for_each_scalar(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"step": n, "split": "train", "loss": 1.0 / (n + 1), "kl": n, "reconstruction": 1, "rate": 2})
             for n in range(20)]
    path.write_text("\n".join(lines) + '\n{"step": 20, "spl')
    assert curves.picture(path).shape == (600, 900, 3)  # four panels of 300 in lines of three
    path.write_text('{"step": 1, "split": "train", "loss": 2.0}\n')
    assert curves.picture(path).shape == (300, 300, 3)
    path.write_text("")
    assert curves.picture(path) is None


@pytest.mark.parametrize("channels", [1, 3])
def test_write_is_lossless_and_atomic(tmp_path, monkeypatch, channels):
    from PIL import Image

    picture, path = np.random.default_rng(0).integers(0, 256, (5, 4, channels), np.uint8), tmp_path / "a.png"
    write(path, images.png(picture))
    np.testing.assert_array_equal(np.asarray(Image.open(path)).reshape(picture.shape), picture)
    before = path.read_bytes()

    def no_space(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError):
        write(path, images.png(255 - picture))
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.png"]
