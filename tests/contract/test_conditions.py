"""Conditions of every kind, unpaired sets and groups: from a data set's fields to batches, by their declaration
alone."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.support import standins
from tests.support.standins import SHAPE, scenes
from trainers import data
from trainers.data import groups
from trainers.errors import BadInput
from zoo.domain import Domain, known, label_map, of_features, one_class

SIZES = {"train": 23, "test": 11}
PLAIN = Domain("levels", SHAPE, 256)


def number(x):
    """Which example of `scenes` each image is."""
    return np.asarray(x)[..., 0, 0, 0]


def with_(domain=PLAIN, **what):
    return dataclasses.replace(domain, **what)


def streamed(dataset):
    """The same data set, to be read record by record."""
    return dataclasses.replace(dataset,
                               source=standins.Reread({split: dataset.decoded(split) for split in dataset.sizes}),
                               cache={}, partner=dataset.partner and streamed(dataset.partner))


def batches(dataset, domain, batch_size=6, seed=3, steps=9, **how):
    return [domain.split(batch) for batch in data.training_batches(dataset, domain, batch_size, seed, {}, steps=steps,
                                                                   **how).as_numpy_iterator()]


def flat(parts):
    return [np.asarray(a) for a in tf.nest.flatten(parts) if a is not None]


def assert_equal(one, two):
    assert len(one) == len(two) and flat(one)
    for a, b in zip(flat(one), flat(two), strict=True):
        np.testing.assert_array_equal(a, b)


# What a domain declares.

def test_a_batch_has_the_parts_that_its_domain_says():
    x, y, c = tf.zeros([2, *SHAPE], tf.int32), tf.ones([2, *SHAPE], tf.int32), {"label": tf.zeros([2], tf.int32)}
    for domain, parts in ((PLAIN, (x, None, None)), (with_(condition=one_class(3)), (x, c["label"], None)),
                          (with_(partner=PLAIN), (x, None, y)),
                          (with_(condition={"label": one_class(3)}, partner=PLAIN), (x, c, y))):
        batch = domain.join(*parts)
        assert domain.split(batch) == parts
        tf.nest.assert_same_structure(batch, domain.batch_spec(2))
    with pytest.raises(ValueError, match=r"a batch of \(x, partner\) is needed, found 1 parts"):
        with_(partner=PLAIN).split(x)


@pytest.mark.parametrize("wrong, said", [
    (dict(condition=with_(condition=one_class(2))), "of its own"),
    (dict(partner=with_(condition=one_class(2))), "of its own"), (dict(condition={}), "name"),
    (dict(group=0), "group"), (dict(levels=None), "needs levels"), (dict(mask=np.ones((4, 4))), "mask"),
    (dict(kind="known"), "mask")])
def test_domains_that_mean_nothing(wrong, said):
    with pytest.raises(ValueError, match=said):
        with_(**wrong)


# From fields to conditions.

@pytest.mark.parametrize("condition, made", [
    (one_class(3), lambda n: n % 3), (of_features((2,)), lambda n: np.stack([n, -n], -1).astype(np.float32) / 100),
    (of_features((3,)), lambda n: np.eye(3)[n % 3]),
    (label_map(SHAPE, 3), lambda n: (n[:, None, None] + np.arange(4)[:, None] + np.arange(4)) % 3),
    (Domain("binary", SHAPE, 2), lambda n: ((n[:, None, None] + np.arange(4)[:, None] + np.arange(4)) % 2)[..., None]),
    (known(PLAIN, np.eye(4)), lambda n: np.where(np.eye(4, dtype=bool)[..., None], n[:, None, None, None], -1.0))],
    ids=["class", "features", "indicator", "labels", "image", "known"])
@pytest.mark.parametrize("read", ["kept", "streamed"])
def test_a_condition_is_made_of_the_field_that_fits(condition, made, read):
    dataset, domain, how = scenes(SIZES), with_(condition=condition), {}
    if condition.kind == "real":
        fields = {("features" if name == "pose" else name): field for name,
                  field in dataset.fields.items() if condition.shape == (2,) or name != "pose"}
        cache = {split: {("features" if name == "pose" else name): values for name, values in kept.items()} for split,
                 kept in dataset.cache.items()}
        dataset = dataclasses.replace(dataset, fields=fields, cache=cache)
    if read == "streamed":
        dataset, how = streamed(dataset), dict(cache_bytes=10)
    assert data.training_batches(dataset, domain, 6, 0, {}, **how).element_spec == domain.batch_spec(6)
    found = batches(dataset, domain, **how)
    assert sorted(np.concatenate([number(x) for x, _, _ in found])[:23]) == list(range(23))
    for x, c, _ in found:
        np.testing.assert_array_equal(c, made(number(x)))
    x, c, _ = domain.split(next(data.evaluation_batches(dataset, "test", domain, 11, 0, {}, **how).as_numpy_iterator()))
    np.testing.assert_array_equal(number(x), np.arange(23, 34)), np.testing.assert_array_equal(c, made(number(x)))


def test_named_parts_are_fields_of_their_names_and_nothing_else_is_read():
    domain = with_(condition=dict(standins.PARTS, seen=known(PLAIN, np.ones((4, 4)))))
    dataset = scenes(SIZES)
    for x, c, _ in batches(dataset, domain):
        n = number(x)
        assert list(c) == list(domain.condition) and np.array_equal(c["seen"], x) and np.array_equal(c["label"], n % 3)
        np.testing.assert_allclose(c["pose"], np.stack([n, -n], -1) / 100, rtol=1e-6)
    broken = dataclasses.replace(dataset,
                                 cache={split: {name: kept[name] for name in ("x", "label")} for split,
                                        kept in dataset.cache.items()})
    assert len(batches(broken, with_(condition=one_class(3)))) == 9  # the other fields are not there, and not asked for


@pytest.mark.parametrize("condition, words", [
    (label_map(SHAPE, 4), ["'mask'", "3 classes", "4"]),
    (label_map((5, 5), 3), ["label map of 5x5", "nothing fits", "'mask'"]),
    (one_class(5), ["3 classes", "--config.model.classes=3"]),
    (Domain("waveform", (9,)), ["sound of 9 samples", "nothing fits"]),
    ({"face": one_class(3)}, ["'face'", "class label", "field of that name"]),
    ({"mask": one_class(3)}, ["'mask'", "class label"])])
def test_conditions_that_no_field_fits(condition, words):
    with pytest.raises(BadInput) as caught:
        data.check(scenes(SIZES), with_(condition=condition), {})
    assert all(word in str(caught.value) for word in ["--dataset=scenes", *words]), caught.value


# Partners.

@pytest.mark.parametrize("read", ["kept", "streamed"])
def test_a_partner_has_an_order_and_a_length_of_its_own(read):
    dataset, domain, how = scenes(SIZES,
                                  partner=scenes({"train": 7, "test": 4},
                                                 100)), with_(condition=one_class(3), partner=PLAIN), {}
    if read == "streamed":
        dataset, how = streamed(dataset), dict(cache_bytes=10)
    whole = batches(dataset, domain, steps=14, **how)
    x, y = (np.concatenate([number(batch[part]) for batch in whole]) for part in (0, 2))
    assert all(np.array_equal(c, number(x) % 3) for x, c, _ in whole)
    assert sorted(x[:23]) == list(range(23)) and all(
        sorted(y[at : at + 7]) == list(range(100, 107)) for at in range(0, 84, 7)
    )
    # unpaired
    assert len({tuple(y[at:at + 7]) for at in range(0, 84, 7)}) > 6 and len({(a, b) for a, b in zip(x, y)}) > 40
    assert_equal(batches(dataset, domain, start=5, steps=9, **how), whole[5:])
    parts = [batches(dataset, domain, steps=14, worker=worker, workers=3, **how) for worker in range(3)]
    assert_equal([tf.nest.map_structure(lambda *p: np.concatenate(p), *pieces) for pieces in zip(*parts)], whole)
    assert_equal([x for x, _ in (batch[:2] for batch in batches(dataclasses.replace(dataset, partner=None), with_(),
                                                                steps=14, **how))], [b[0] for b in whole])
    equal = scenes(SIZES, partner=scenes(SIZES, 100))
    assert any(np.any(number(x) != number(y) - 100) for x, _,
               y in batches(streamed(equal) if how else equal, domain, **how))
    _, _, y = domain.split(next(data.evaluation_batches(dataset, "test", domain, 11, 0, {}, **how).as_numpy_iterator()))
    np.testing.assert_array_equal(number(y), np.resize(np.arange(107, 111), 11))


def test_partners_that_are_missing_or_do_not_fit():
    for dataset, domain, config, words in (
            (scenes(SIZES), with_(partner=PLAIN), {}, ["one set of examples", "--config.data.partner"]),
            (scenes(SIZES), PLAIN, dict(partner="digits"), ["--config.data.partner=digits", "leave it out"]),
            (scenes(SIZES, partner=scenes(SIZES)), with_(partner=Domain("levels", (8, 8, 1), 17)), {},
             ["--config.data.partner=scenes", "(8, 8, 1)"])):
        with pytest.raises(BadInput) as caught:
            data.check(dataset, domain, config)
        assert all(word in str(caught.value) for word in words), caught.value
    with pytest.raises(BadInput, match="--config.data.partner=digit is unknown, .* did you mean 'digits'"):
        data.open_dataset("toy2d", data=dict(partner="digit"), log=lambda _: None)


# Groups.

@pytest.mark.parametrize("k", [2, 4])
def test_groups_are_different_examples_of_one_label(k):
    dataset, domain = scenes(SIZES), with_(condition={"label": one_class(3), "pose": of_features((2,))}, group=k)
    assert data.training_batches(dataset, domain, 6, 0, {}).element_spec == domain.batch_spec(6)
    tuples = -(-8 // k) + -(-8 // k) + -(-7 // k)  # of the labels' 8, 8 and 7
    whole = batches(dataset, domain, batch_size=3, steps=4 * tuples)
    x = np.concatenate([number(batch[0]) for batch in whole])
    assert all(len(set(row)) == k and len(set(row % 3)) == 1 for row in x)
    for epoch in range(12):
        assert set(x[epoch * tuples:(epoch + 1) * tuples].ravel()) == set(range(23))
    assert len({tuple(sorted(row)) for row in x}) > tuples  # other tuples in each epoch
    for x, c, _ in whole:
        assert np.array_equal(c["label"], number(x)[:, 0] % 3) and c["pose"].shape == (3, k, 2)
        np.testing.assert_allclose(c["pose"][..., 0], number(x) / 100, rtol=1e-6)
    assert_equal(batches(dataset, domain, batch_size=3, start=11, steps=9), whole[11:20])
    parts = [batches(dataset, domain, batch_size=3, steps=9, worker=worker, workers=3) for worker in range(3)]
    assert_equal([tf.nest.map_structure(lambda *p: np.concatenate(p), *pieces)
                  for pieces in zip(*((b[:2] for b in part) for part in parts))],
                 [batch[:2] for batch in whole[:9]])
    assert np.any(batches(dataset, domain, seed=4, batch_size=3, steps=1)[0][0] != whole[0][0])


def test_groups_that_are_evaluated_are_the_same_in_any_batch_and_of_all_labels():
    dataset, domain = scenes(SIZES), with_(condition=one_class(3), group=3)
    assert data.num_examples(dataset, "test", domain) == 5  # labels of 4, 3 and 4 examples
    one, two = ([domain.split(b) for b in data.evaluation_batches(dataset, "test", domain, size, 0,
                                                                  {}).as_numpy_iterator()] for size in (5, 2))
    x, c, _ = one[0]
    np.testing.assert_array_equal(x, np.concatenate([b[0] for b in two]))
    assert (
        set(number(x).ravel()) == set(range(23, 34))
        and c[:3].tolist() == [0, 1, 2]
        and all(len(set(row)) == 3 for row in number(x))
    )


def test_a_label_with_too_few_examples_comes_again_and_the_record_says_so():
    dataset, domain = scenes({"train": 7}), with_(group=3)  # labels of 3, 2 and 2
    x = np.concatenate([number(x) for x, _, _ in batches(dataset, domain, batch_size=3, steps=1)])
    assert sorted(map(sorted, x.tolist())) == [
        [0, 3, 6],
        *sorted([sorted(row) for row in x.tolist() if row[0] % 3]),
    ] and set(x.ravel()) == set(range(7))
    assert groups.fewer(dataset.decoded("train")["label"], 3) == 2
    assert data.protocol(dataset, domain, {})["group"] == dict(size=3, labels_with_fewer=2)
    with pytest.raises(BadInput, match="groups of one label are formed of at most 0 in memory"):
        batches(streamed(dataset), domain, cache_bytes=10)
    with pytest.raises(BadInput, match="has no labels, the model reads groups of 3"):
        data.check(dataclasses.replace(dataset, fields={"x": dataset.fields["x"]}), domain, {})
