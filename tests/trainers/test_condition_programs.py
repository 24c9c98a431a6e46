"""Conditions of every kind, unpaired sets and groups through fit, the programs and exports, by their declaration
alone."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases, standins
from tests.support.standins import NAMES, scenes
from trainers import data, evaluate, recipes, sample, train
from trainers.modes import conditions
from trainers.runs.run import load
from zoo import random
from zoo.serving import check
from zoo.serving.export import export


@pytest.fixture
def stand_in(monkeypatch):
    """The stand-in models are models of the zoo, and `scenes` is the data set."""
    for name, cls in standins.MODELS.items():
        monkeypatch.setitem(zoo.MODELS, name, cls)
    monkeypatch.setattr(recipes, "RECIPES", recipes.RECIPES + standins.RECIPES)
    monkeypatch.setattr(data, "open_dataset",
                        lambda *_, **__: scenes({"train": 23, "test": 11, "validation": 7}, partner=scenes(
        {"train": 7, "test": 5, "validation": 4}, 100)))


@pytest.mark.parametrize("case", cases.slow_but(list(standins.CASES), "several by name", "groups", "a partner"))
def test_fit_and_export_follow_from_the_declaration(case, tmp_path):
    cls, arguments = standins.CASES[case]
    model = cls(**arguments)
    before = model.get_weights()
    model.compile()
    model.fit(tf.data.Dataset.from_tensors(cases.batch(model, 6)).repeat(3), verbose=0)
    assert all(np.any(old != new) for old, new in zip(before, model.get_weights()))
    folder = export(model, tmp_path)
    signatures = json.loads((folder / "assets.extra" / "card.json").read_text())["signatures"]
    named = arguments.get("named")
    inputs = (
        {f"condition_{part}" for part in model.domain.condition}
        if named
        else {"condition"}
        if model.domain.conditional
        else set()
    )
    for signature in signatures.values():
        assert inputs <= set(signature["inputs"]) and (
            inputs or not any(name.startswith("condition") for name in signature["inputs"])
        )
    if named:
        assert signatures["sample"]["inputs"]["condition_mask"] == dict(
            dtype="int32", shape=["batch", 4, 4], meaning="mask: the class of every pixel", unit="class", range=[0, 2])
    assert "signatures" in check.check(folder)


@pytest.mark.parametrize("model, parts",
                         [pytest.param("painter", [], marks=pytest.mark.slow),
                          pytest.param("painter",
                                       ["--config.model.parts=('mask','label','pose','sketch')",
                                        "--config.model.named=true"], marks=pytest.mark.slow),
                          pytest.param("crowd", [], marks=pytest.mark.slow), ("translator", [])],
                         ids=["label map", "dict", "group", "partner"])
def test_the_programs_follow_from_the_declaration(stand_in, tmp_path, model, parts):
    """A run is trained, looked at, stopped and resumed to the same weights, drawn from and measured."""
    config = ["--config.data.binarization=threshold"] if model != "translator" else ["--config.data.partner=another"]
    arguments = [f"--model={model}", "--dataset=scenes", "--sample_every=2", "--eval_every=2", "--checkpoint_every=2",
                 *parts, *config]
    at = [f"--workdir={tmp_path / name}" for name in ("whole", "resumed")]
    assert train.run(["zoo-train", at[0], *arguments, "--export"]) == 0
    assert train.run(["zoo-train", at[1], *arguments, "--noexport",
                      "--steps=2"]) == train.run(["zoo-train", at[1], *arguments, "--noexport"]) == 0
    whole, resumed = (load(tmp_path / name) for name in ("whole", "resumed"))
    for one, two in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (tmp_path / "whole" / "samples" / "step-00000002.png").exists()
    mode = "translate" if model == "translator" else "sample"
    for ending in ("npy", "png"):
        assert sample.run(["zoo-sample", at[0], f"--mode={mode}", "--num_samples=5",
                           f"--out={tmp_path / 'x'}.{ending}"]) == 0
    drawn, domain = np.load(tmp_path / "x.npy"), whole.model.domain
    x, condition, _ = domain.split(next(iter(data.evaluation_batches(data.open_dataset(), "test", domain, 5, 0,
                                                                     whole.config.data, limit=5))))
    if mode == "translate":
        np.testing.assert_allclose(drawn, whole.model.translate(x), atol=1e-6)
    else:
        condition = condition if model == "painter" else np.arange(5) % 3
        np.testing.assert_array_equal(drawn, whole.model.sample(5, condition))
    assert evaluate.run(["zoo-evaluate", at[0]]) == 0
    found = {record["metric"]: record for record in json.loads((tmp_path / "whole" / "results.json").read_text())}
    if model == "painter":
        assert (
            found["negative_log_likelihood"]["kind"] == "exact"
            and "label map" in found["negative_log_likelihood"]["protocol"]["given"]
        )
    if model == "crowd":
        assert (
            found["estimated_negative_log_likelihood"]["kind"]
            == found["estimated_bits_per_dimension"]["kind"]
            == "estimate"
        )
        assert (
            "negative_log_likelihood" not in found
            and found["estimated_negative_log_likelihood"]["protocol"]["num_examples"] == 5
        )
    if model == "translator":
        assert whole.description["data"]["partner"]["held_out"] == {"test": 5, "validation": 4}


def test_what_is_asked_for_is_drawn(stand_in, tmp_path, capsys):
    folder = tmp_path / "run"
    assert train.run(["zoo-train", f"--workdir={folder}", "--model=painter", "--dataset=scenes",
                      "--config.model.parts=('label',)", "--noexport",
                      "--sample_every=0"]) == 0
    model = load(folder).model
    assert json.loads((folder / "config.json").read_text())["class_names"] == list(NAMES)

    def draw(condition, out="x.npy"):
        capsys.readouterr()
        code = sample.run(["zoo-sample", f"--workdir={folder}", "--num_samples=5", f"--condition={condition}",
                           "--seed=3", f"--out={tmp_path / out}"])
        return code, capsys.readouterr()

    for asked, classes, told in (("2", [2] * 5, "classes: blue"), ("Green,0", [1, 0, 1, 0, 1], "classes: green, red")):
        code, said = draw(asked)
        assert code == 0 and said.out.splitlines()[0] == told
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"),
                                      model.sample(random.rows(random.seed(3), 5), np.array(classes)))
    np.save(tmp_path / "c.npy", np.array([2, 1, 0, 1, 2]))
    assert draw(tmp_path / "c.npy", "y.npy")[0] == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"),
                                  model.sample(random.rows(random.seed(3), 5), np.array([2, 1, 0, 1, 2])))
    for asked, words in (("gren", ["--condition=gren", "did you mean 'green'", "red, green, blue"]),
                         ("3", ["--condition=3", "0 to 2"]),
                         (tmp_path / "no.npy", ["no.npy", "can't be read"])):
        code, said = draw(asked)
        assert code == 2 and all(word in said.err for word in words) and len(said.err.strip().splitlines()) == 1, (
            said.err
        )


def test_arrays_are_asked_for_by_their_file(stand_in, tmp_path, capsys):
    folder = tmp_path / "run"
    assert train.run(["zoo-train", f"--workdir={folder}", "--model=painter", "--dataset=scenes",
                      "--config.model.parts=('mask','label')",
                      "--config.model.named=true", "--noexport", "--sample_every=0"]) == 0
    arrays = dict(mask=np.arange(16).reshape(4, 4) % 3, label=np.array([0, 1, 2, 0, 1]))
    np.savez(tmp_path / "c.npz", **arrays)
    np.savez(tmp_path / "wrong.npz", **(arrays | dict(mask=np.full((4, 4), 3))))

    def draw(condition):
        capsys.readouterr()
        return sample.run(["zoo-sample", f"--workdir={folder}", "--num_samples=5", f"--condition={condition}",
                           f"--out={tmp_path / 'x.npy'}"])

    assert draw(tmp_path / "c.npz") == 0
    given = dict(mask=np.repeat(arrays["mask"][None], 5, 0), label=arrays["label"])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), load(folder).model.sample(5, given))
    for asked, words in ((tmp_path / "wrong.npz", ["mask", "0 to 2"]),
                         ("1", ["'mask', a label map of 4x4 with 3 classes", ".npz"])):
        assert draw(asked) == 2
        error = capsys.readouterr().err
        assert all(word in error for word in words) and len(error.strip().splitlines()) == 1, error


@pytest.mark.parametrize("condition, num, columns", [
    (["3"], 64, 8), (["3", "8", "5"], 64, 9), (list("0123456789"), 64, 10), (["1", "2"], 1, 2), (["x.npy"], 9, None),
    (None, 9, None)])
def test_a_picture_of_asked_classes_is_as_good_as_a_square(condition, num, columns):
    assert conditions.columns(types.SimpleNamespace(condition=condition), num) == columns
