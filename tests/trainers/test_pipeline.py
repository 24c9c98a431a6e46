"""Batches: a function of (seed, number), the same whoever makes them; and the arithmetic from stored levels to a
model's domain."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from trainers import data
from trainers.data import domain as domains
from trainers.data import pipeline
from trainers.data.dataset import DataSet, Field
from trainers.data.encoding import UNIT
from zoo.domain import of_features, one_class
from zoo.model import Domain

BINARY = Domain("binary", (8, 8, 1), 2)
DOMAINS = {"binary": BINARY, "levels": Domain("levels", (8, 8, 1), 4, condition=one_class(10)),
           "real": Domain("real", (8, 8, 1), 17, (-1.0, 1.0), True)}
KEPT, STREAMED = {}, dict(cache_bytes=100)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="module")
def digits(built):
    return data.open_dataset("digits", built, log=lambda _: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("folder")
    for i in range(25):
        (path / f"{i}.png").write_bytes(tf.io.encode_png(np.full((3, 3, 1), 10 * i, np.uint8)).numpy())
    return data.open_dataset(f"image_folder:{path}", log=lambda _: None)


def numbered(num):
    """A data set in memory whose example i is the point i."""
    x = np.arange(num, dtype=np.float32)[:, None]
    return DataSet("numbered", "1", {"x": Field("points", (1,))}, {"train": num, "test": num},
                   cache={split: {"x": x} for split in ("train", "test")})


def batches(dataset, domain, config=None, batch_size=12, seed=3, steps=5, **arguments):
    found = list(data.training_batches(dataset, domain, batch_size, seed, config or {}, steps=steps,
                                       **arguments).as_numpy_iterator())
    return [batch if domain.conditional else (batch,) for batch in found]


def assert_equal(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two):
        for part, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("kind, how",
                         [("binary", KEPT), ("levels", KEPT), ("real", KEPT), ("binary", STREAMED),
                          ("levels", STREAMED)],
                         ids=["binary", "levels", "real", "binary-streamed", "levels-streamed"])
def test_a_batch_is_a_function_of_seed_and_number(digits, kind, how):
    domain = DOMAINS[kind]
    start = 1437 // 12 - 2  # over the end of an epoch
    whole = batches(digits, domain, steps=start + 5, **how)
    assert_equal(batches(digits, domain, steps=5, start=start, **how), whole[start:])
    tf.random.set_seed(5)  # the global seed is no part of it
    assert_equal(batches(digits, domain, steps=2, **how), whole[:2])
    assert np.any(batches(digits, domain, steps=1, seed=4, **how)[0][0] != whole[0][0])
    spec = domain.batch_spec(12)
    for part, wanted in zip(whole[0], tf.nest.flatten(spec)):
        assert part.shape == wanted.shape and part.dtype == wanted.dtype
    assert data.training_batches(digits, domain, 12, 0, {}, **how).element_spec == spec


@pytest.mark.parametrize("kind, how",
                         [("binary", KEPT), ("levels", KEPT), ("real", KEPT), ("binary", STREAMED),
                          ("levels", STREAMED)],
                         ids=["binary", "levels", "real", "binary-streamed", "levels-streamed"])
def test_workers_slices_make_up_the_batch(digits, kind, how):
    whole = batches(digits, DOMAINS[kind], start=118, steps=3, **how)
    parts = [batches(digits, DOMAINS[kind], start=118, steps=3, worker=worker, workers=3, **how) for worker in range(3)]
    assert_equal([tuple(map(np.concatenate, zip(*pieces))) for pieces in zip(*parts)], whole)


@pytest.mark.parametrize("num, batch_size", [(10, 4), (7, 20), (1, 3), (1000, 64)])
def test_each_epoch_is_a_permutation(num, batch_size):
    epochs = 3
    steps = -(-epochs * num // batch_size)
    x = np.concatenate([b[0] for b in batches(numbered(num), Domain("real", (1,)), batch_size=batch_size,
                                              steps=steps)])[:epochs * num, 0].reshape(epochs, num)
    np.testing.assert_array_equal(np.sort(x, axis=1), np.tile(np.arange(num), (epochs, 1)))
    if num > 9:
        assert len(np.unique(x, axis=0)) == epochs


def test_permutations_are_random():
    """Of 5 examples: each one at each place equally often, and each of the 120 orders about equally often
    (chi-squared)."""
    num, epochs = 5, 6_000
    order = pipeline.key(0, "order")
    x = np.stack(
        [next(iter(pipeline.visits(num, 0, order)))]
        + list(pipeline.visits(num, num, order).take(epochs - 1).as_numpy_iterator())
    )
    places = np.stack([np.bincount(x[:, place], minlength=num) for place in range(num)])
    assert ((places - epochs / num)**2 / (epochs / num)).sum() < 60  # 16 degrees of freedom
    counts = np.array([np.sum((x == order).all(1)) for order in itertools.permutations(range(num))])
    assert ((counts - 50)**2 / 50).sum() < 250  # 119 degrees of freedom


@pytest.mark.parametrize("which", ["digits", "folder"])
def test_a_streamed_epoch_is_a_permutation(which, digits, folder):
    dataset = {"digits": digits, "folder": folder}[which]
    num, domain = dataset.sizes["train"], Domain("levels", dataset.shape, dataset.levels)
    x = np.concatenate([b[0] for b in batches(dataset, domain, batch_size=num, steps=2, cache_bytes=0)])
    stored = sorted(image.tobytes() for image in dataset.decoded("train")["x"])
    epochs = [[image.astype(np.uint8).tobytes() for image in x[part]] for part in (slice(num), slice(num, None))]
    assert sorted(epochs[0]) == sorted(epochs[1]) == stored and epochs[0] != epochs[1]


def test_streamed_blocks(digits, monkeypatch):
    """Blocks smaller than an epoch: still each example once, resumed exactly, and more than one block is mixed."""
    from trainers.data.readers import stored
    monkeypatch.setattr(stored, "BLOCK", 100)
    domain = Domain("levels", (8, 8, 1), 17)
    whole = batches(digits, domain, batch_size=479, steps=6, **STREAMED)
    assert_equal(batches(digits, domain, batch_size=479, start=4, steps=2, **STREAMED), whole[4:])
    x = np.concatenate([b[0] for b in whole]).astype(np.uint8)
    for epoch in (x[:1437], x[1437:]):
        assert sorted(image.tobytes() for image in epoch) == sorted(image.tobytes()
                                                                    for image in digits.decoded("train")["x"])


def test_dynamic_binarization_has_the_right_mean_and_is_drawn_anew():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    one = DataSet("one", "1", {"x": Field("image", (16, 16, 1), 256)}, {"train": 100},
                  cache={"train": {"x": np.repeat(levels, 100, axis=0)}})
    x = batches(one, Domain("binary", (16, 16, 1), 2), batch_size=8_000, steps=3)
    draws = np.concatenate([b[0] for b in x]).reshape(-1, 256)
    p = np.arange(256) / 255
    z = (draws.mean(0) - p) / np.sqrt(np.maximum(p * (1 - p), 1e-9) / len(draws))
    assert (
        set(np.unique(draws)) == {0, 1}
        and np.abs(z).max() < 4.5
        and (draws[:, 0] == 0).all()
        and (draws[:, 255] == 1).all()
    )
    assert 0.7 < np.mean(z**2) < 1.3
    assert np.abs(np.corrcoef(draws[:, 100], draws[:, 101])[0, 1]) < 0.03 and (draws[0] != draws[1]).any()
    fixed = batches(one, Domain("binary", (16, 16, 1), 2), {"binarization": "threshold"}, batch_size=2, steps=1)[0][0]
    np.testing.assert_array_equal(fixed[0].ravel(), p >= 0.5)


@pytest.mark.parametrize("levels", [3, 17, 129, 256])
def test_each_level_is_binarized_as_a_table_would(levels):
    """Float arithmetic against the rounded probability of every level, over every value of the noise."""
    x, bits = np.arange(levels, dtype=np.uint8)[:, None], np.arange(UNIT, dtype=np.uint16)
    dataset = DataSet("all", "1", {"x": Field("image", (1, 1, 1), levels)}, {"train": levels})
    dynamic = domains.encoding(dataset, Domain("binary", (1, 1, 1), 2), {})
    np.testing.assert_array_equal(dynamic.finish(x, bits), bits < np.round(x * (UNIT / (levels - 1))))
    threshold = domains.encoding(dataset, Domain("binary", (1, 1, 1), 2), {"binarization": "threshold"})
    np.testing.assert_array_equal(threshold.finish(x, None), 2 * x.astype(int) >= levels - 1)


@pytest.mark.parametrize("low, high, levels", [(0.0, 1.0, 256), (-1.0, 1.0, 256), (0.0, 1.0, 17)])
def test_dequantization_stays_inside_its_level(low, high, levels):
    stored = np.repeat(np.arange(levels, dtype=np.uint8), 64).reshape(1, levels, 64, 1)
    dataset = DataSet("all", "1", {"x": Field("image", stored.shape[1:], levels)}, {"train": 1},
                      cache={"train": {"x": stored}})
    x = batches(dataset, Domain("real", stored.shape[1:], levels, (low, high), True), batch_size=200, steps=1)[0][0]
    assert x.dtype == np.float32 and x.min() > low and x.max() < high
    u = (x.astype(np.float64) - low) / (high - low) * levels
    np.testing.assert_array_equal(np.floor(u), np.broadcast_to(stored[0], u.shape))
    u -= np.floor(u)
    assert u.mean() == pytest.approx(0.5, abs=2e-3) and u.var() == pytest.approx(1 / 12, abs=1e-3)
    exact = batches(dataset, Domain("real", stored.shape[1:], None, (low, high), False), batch_size=1, steps=1)[0][0]
    np.testing.assert_allclose(exact[0], low + (high - low) * stored[0] / (levels - 1.0), atol=1e-6)


def test_requantization(digits):
    stored, labels = digits.decoded("train").values()
    first = np.concatenate([b[0] for b in batches(digits, Domain("levels", (8, 8, 1), 17), steps=1)])
    x, condition = batches(digits, DOMAINS["levels"], steps=1)[0]
    np.testing.assert_array_equal(x, first * 4 // 17)
    assert x.max() == 3 and x.dtype == np.int32 and condition.dtype == np.int32
    for image, label in zip(first, condition):  # the labels go with their images
        assert label in labels[(stored == image).all((1, 2, 3))]


@pytest.mark.parametrize("kind", DOMAINS)
def test_evaluation_is_in_order_and_does_not_depend_on_the_batch(digits, kind):
    def run(batch_size, limit=None, **how):
        found = list(data.evaluation_batches(digits, "test", DOMAINS[kind], batch_size, 1, {}, limit,
                                             **how).as_numpy_iterator())
        return [np.concatenate(part) for part in zip(*(b if isinstance(b, tuple) else (b,) for b in found))]

    whole = run(360)
    assert len(whole[0]) == 360
    assert_equal([run(7)], [whole])
    assert_equal([run(50, **STREAMED)], [whole])
    assert_equal([run(7, limit=31)], [[part[:31] for part in whole]])
    if kind == "levels":
        np.testing.assert_array_equal(whole[0], digits.decoded("test")["x"].astype(int) * 4 // 17)
        np.testing.assert_array_equal(whole[1], digits.decoded("test")["label"])


def test_noise_of_rows_and_batches():
    """A row's noise does not depend on its neighbours, no two rows or batches share any, and it is uniform on 15
    bits."""
    key = pipeline.key(0, "noise")
    whole = pipeline.noise(key, 5, 0, 40, (9, 3)).numpy()
    np.testing.assert_array_equal(pipeline.noise(key, 5, 11, 13, (9, 3)).numpy(), whole[11:24])
    many = np.concatenate([pipeline.noise(key, n, 0, 200, (5, 5, 1)).numpy().reshape(200, 25) for n in range(20)])
    assert len(np.unique(many[:, :8], axis=0)) == 4000 and many.max() < 1 << 15
    counts = np.bincount(many.ravel() >> 9, minlength=64)
    assert ((counts - counts.mean())**2 / counts.mean()).sum() < 120  # 63 degrees of freedom


@pytest.mark.parametrize("domain, config, record", [
    (BINARY, {}, dict(binarization="dynamic", levels=2, dequantization=None, range=None)),
    (BINARY, {"binarization": "threshold"}, dict(binarization="threshold", levels=2)),
    (DOMAINS["levels"], {}, dict(binarization=None, levels=4, dequantization=None)),
    (DOMAINS["real"], {}, dict(binarization=None, levels=17, dequantization="uniform", range=[-1.0, 1.0]))])
def test_protocol(digits, domain, config, record):
    found = data.protocol(digits, domain, config)
    assert record.items() <= found.items()
    assert found["dataset"] == "digits" and found["version"] == "1.0.0" and found["held_out"] == {"test": 360}


def test_binary_set_is_taken_as_it_is():
    x = np.random.default_rng(0).integers(0, 2, (20, 4, 4, 1), np.uint8)
    dataset = DataSet("binary", "1", {"x": Field("image", (4, 4, 1), 2)}, {"train": 20}, cache={"train": {"x": x}})
    domain = Domain("binary", (4, 4, 1), 2)
    found = batches(dataset, domain, batch_size=20, steps=1)[0][0]
    assert sorted(image.astype(np.uint8).tobytes() for image in found) == sorted(image.tobytes() for image in x)
    assert data.protocol(dataset, domain, {})["binarization"] == "stored"
    for mode in ("dynamic", "threshold"):
        with pytest.raises(data.dataset.BadInput, match="stored binary"):
            data.check(dataset, domain, {"binarization": mode})


def test_sound_becomes_a_waveform():
    x = np.array([[-32768, 0], [1, 32767]], np.int16)
    dataset = DataSet("sound", "1", {"x": Field("audio", (2,))}, {"train": 2, "test": 2},
                      cache={split: {"x": x} for split in ("train", "test")}, rate=8000)
    domain = Domain("waveform", (2,), 256, range=(-1.0, 1.0))
    found = next(data.evaluation_batches(dataset, "test", domain, 2, 0, {}).as_numpy_iterator())
    np.testing.assert_array_equal(found, np.array([[-1, 0], [2**-15, 1 - 2**-15]], np.float32))
    assert data.training_batches(dataset, domain, 2, 0, {}).element_spec == domain.batch_spec(2)
    assert data.protocol(dataset, domain, {})["rate"] == 8000 and dataset.nbytes("train") == 8
    with pytest.raises(data.dataset.BadInput, match="has sound of shape .* choose a text, for example pysource"):
        data.check(dataset, Domain("tokens", (2,), 5), {})
    with pytest.raises(data.dataset.BadInput, match="set --config.data.length=4."):
        data.check(dataset, Domain("waveform", (4,), 256), {})


def test_labels_as_features(digits):
    """A model of a real-valued condition is given the label's indicator; nothing else stands for features."""
    classes, features = Domain("levels", (8, 8, 1), 17,
                               condition=one_class(10)), Domain("levels", (8, 8, 1), 17, condition=of_features((10,)))
    x, labels = batches(digits, classes, steps=1)[0]
    batch = next(data.training_batches(digits, features, 12, 3, {}).as_numpy_iterator())
    np.testing.assert_array_equal(batch[0], x)
    np.testing.assert_array_equal(batch[1], np.eye(10, dtype=np.float32)[labels])
    assert data.training_batches(digits, features, 12, 3, {}).element_spec == features.batch_spec(12)
    with pytest.raises(data.dataset.BadInput,
                       match=r"features of shape \(10,\), .* of shape \(4, 10\); set --config.model.features=\(10,\)"):
        data.check(digits, Domain("levels", (8, 8, 1), 17, condition=of_features((4, 10))), {})
    with pytest.raises(data.dataset.BadInput, match="neither features nor labels"):
        data.check(numbered(3), Domain("real", (1,), condition=of_features((10,))), {})


def test_features_go_with_their_examples():
    x, y = np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(120, dtype=np.float32).reshape(20, 3, 2)
    dataset = DataSet("featured", "1", {"x": Field("points", (2,)), "features": Field("features", (3, 2))},
                      {"train": 20, "test": 20},
                      cache={split: {"x": x, "features": y} for split in ("train", "test")})
    domain = Domain("real", (2,), condition=of_features((3, 2)))
    for found, condition in data.training_batches(dataset, domain, 7, 0, {}, steps=5).as_numpy_iterator():
        np.testing.assert_array_equal(condition, y[found[:, 0].astype(int) // 2])
    found, condition = next(data.evaluation_batches(dataset, "test", domain, 20, 0, {}).as_numpy_iterator())
    np.testing.assert_array_equal(found, x), np.testing.assert_array_equal(condition, y)
    assert data.training_batches(dataset, domain, 7, 0, {}).element_spec == domain.batch_spec(7)
    assert data.training_batches(dataset, Domain("real", (2,)), 7, 0, {}).element_spec == domain.batch_spec(7)[0]
    with pytest.raises(data.dataset.BadInput, match="no labels"):
        data.check(dataset, Domain("real", (2,), condition=one_class(3)), {})
