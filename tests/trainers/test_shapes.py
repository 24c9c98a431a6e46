"""`shapes`: pictures of their factors, every combination once; and the scores of a code whose factors are known."""

import types

import numpy as np
import pytest
import tensorflow as tf

from trainers.data import open_dataset
from trainers.data.embedded import shapes
from trainers.evaluation import factors
from zoo.domain import one_class
from zoo.metrics import disentanglement
from zoo.model import Domain


@pytest.fixture(scope="module")
def drawn():
    rows = shapes.factors()
    return rows, shapes.render(rows)[..., 0].astype(float)


def moments(images):
    """Mass, and centre in pixels (x, y)."""
    mass, at = images.sum((1, 2)), np.arange(shapes.SIDE) + 0.5
    return mass, (images.sum(1) @ at) / mass, (images.sum(2) @ at) / mass


def test_every_combination_is_another_picture_and_none_is_cut(drawn):
    rows, images = drawn
    assert len(np.unique(rows, axis=0)) == len(rows) == np.prod(list(shapes.VALUES.values()))
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
    assert images[:, [0, -1]].max() == images[:, :, [0, -1]].max() == 0


def test_pictures_show_their_factors(drawn):
    rows, images = drawn
    shape, size, angle, x, y = rows.T
    mass, across, down = moments(images)
    symmetric = shape < 2  # within half a pixel; a heart's centre of mass is not where it turns
    np.testing.assert_allclose(across[symmetric], shapes.PLACES[x][symmetric], atol=0.5)
    np.testing.assert_allclose(down[symmetric], shapes.PLACES[y][symmetric], atol=0.5)
    for kind, area in ((0, 1.6 ** 2), (1, np.pi * 0.6)):
        for number, half in enumerate(shapes.SIZES):
            assert mass[(shape == kind) & (size == number)].mean() == pytest.approx(area * half ** 2, rel=0.05)
    # An ellipse's long axis turns with the angle: from upright, clockwise being positive as y goes down.
    ellipses = (shape == 1) & (size == 3)
    at = np.arange(shapes.SIDE) + 0.5
    for image, cx, cy, a in zip(images[ellipses], across[ellipses], down[ellipses], angle[ellipses]):
        u, v = at[None] - cx, at[:, None] - cy
        # of the long axis, from the horizontal
        turned = 0.5 * np.arctan2(2 * (image * u * v).sum(), (image * (u * u - v * v)).sum())
        assert abs(np.angle(np.exp(2j * (turned - np.pi / 2 - shapes.ANGLES[a]))) / 2) < 0.12


def test_the_data_set_holds_each_picture_once_in_one_split(drawn):
    _, images = drawn
    dataset = open_dataset("shapes")
    assert (dataset.shape, dataset.levels, dataset.classes, dataset.sizes) == ((32, 32, 1), 2, 3,
                                                                               {"train": 4147, "test": 461})
    stored = np.concatenate([dataset.decoded(split)["x"] for split in dataset.sizes])[..., 0]
    assert {image.tobytes() for image in stored} == {image.astype(np.uint8).tobytes() for image in images}
    assert np.bincount(dataset.decoded("train")["label"]).min() > 1300


def evaluation(encode, **domain):
    dataset, domain = open_dataset("shapes"), Domain("binary", (32, 32, 1), 2, **domain)
    return types.SimpleNamespace(model=types.SimpleNamespace(encode=encode), domain=domain, dataset=dataset,
                                 batch_size=500, seed=0,
                                 run=types.SimpleNamespace(config=types.SimpleNamespace(data={})))


def test_scores_are_those_of_the_codes_of_all_pictures(drawn):
    rows, images = drawn
    at = tf.range(32, dtype=tf.float32) + 0.5

    def encode(x):  # the places and the mass, of which nothing turns
        mass = tf.reduce_sum(x, (1, 2, 3))
        return tf.stack([tf.einsum("bijc,j->b", x, at) / mass, tf.einsum("bijc,i->b", x, at) / mass, mass], -1)

    found = {name: (estimate.value, unit, protocol) for name, estimate, unit, _,
             protocol in factors.measure(evaluation(encode))}
    expected = disentanglement.scores(encode(tf.constant(images[..., None], tf.float32)).numpy(), rows)
    assert {name: value for name, (value, _, _) in found.items()} == pytest.approx(expected, abs=1e-6)
    value, unit, protocol = found["mig"]
    assert unit == "score" and protocol["num_examples"] == 4608 and protocol["factors"] == list(shapes.VALUES)


def test_nothing_is_measured_of_large_codes_given_labels_or_other_data():
    flat = evaluation(lambda x: tf.reshape(x, [-1, 1024]))
    assert factors.measure(flat) == []
    assert factors.measure(evaluation(lambda x: x, condition=one_class(3))) == []
    flat.dataset = open_dataset("digits")
    assert factors.measure(flat) == []
