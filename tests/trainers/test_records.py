"""The records of an evaluation: complete, held against published numbers, printed, published, and written whole or not
at all."""

import json
import math
import os

import pytest
import tensorflow as tf

from tests.support.evaluations import case  # noqa: F401
from trainers import evaluate
from trainers.errors import BadInput
from trainers.recipes import Published, Recipe
from trainers.runs import records


def test_a_record_is_complete(case):
    c = case("vae")
    record = c.records["negative_log_likelihood"]
    assert tuple(record) == records.FIELDS
    assert (record["model"], record["dataset"], record["split"], record["steps"], record["seed"],
            record["train_seconds"]) == (
        "vae", "digits", "test", 7, 5, 90.0)
    assert record["batch_size"] == c.run.config.batch_size and record["published"] is None
    assert record["versions"] == dict(evaluation=records.versions(), training=None)  # `training`: what config.json says
    assert records.versions()["tensorflow"] == tf.__version__ and record["commit"] == dict(
        evaluation=records.commit(), training=None
    )
    assert (
        record["hardware"]["evaluation"]["cores"] == len(os.sched_getaffinity(0))
        and record["hardware"]["evaluation"]["cpu"]
    )
    assert record["command"].startswith("zoo-train && zoo-evaluate --batch_size=16")
    assert record["protocol"]["binarization"] == "dynamic" and record["protocol"]["dataset"] == "digits"


def test_published_numbers_match_by_metric_and_unit(case, monkeypatch):
    run = case("vae").run
    numbers = (Published("bits_per_dimension", 0.5, "bits/dim", "A"),
               Published("negative_log_likelihood", 30.0, "nats", "B"))
    monkeypatch.setattr(records.recipes, "of_model",
                        lambda model: [Recipe(model, "mnist", 1, 1,
                                              published=(Published("negative_elbo", 9.0, "nats", "C"),)),
                                                                     Recipe(model, "digits", 1, 1, published=numbers)])
    make = lambda metric, unit: records.make(run, "test", metric, 1.0, unit, "exact", math.nan, {}, "")
    assert make("negative_log_likelihood", "nats")["published"] == dict(value=30.0, source="B")
    assert make("bits_per_dimension", "bits/dim")["published"] == dict(value=0.5, source="A")
    assert (
        make("negative_log_likelihood", "bits/dim")["published"] is None
        and make("negative_elbo", "nats")["published"] is None
    )
    assert make("negative_elbo", "nats")["stderr"] is None  # NaN is no JSON
    part = records.make(run, "test", "negative_log_likelihood", 1.0, "nats", "exact", math.nan, {}, "", whole=False)
    assert (
        part["published"] is None
        and records.make(run, "train", "negative_log_likelihood", 1.0, "nats", "exact", 0, {}, "")["published"] is None
    )
    run.config.data.binarization = "threshold"  # another protocol: the published number does not stand beside it
    try:
        assert make("negative_log_likelihood", "nats")["published"] is None
    finally:
        run.config.data.binarization = "auto"
    report = evaluate.report([make("negative_log_likelihood", "nats")])
    assert report.splitlines()[1].split() == ["negative_log_likelihood", "1", "nats", "exact", "30"]


def test_a_bound_is_printed_with_its_sign(case):
    lines = evaluate.report(list(case("vae").records.values())).splitlines()
    bounds = [line for line in lines if line.startswith(("negative", "bits"))]
    assert len(bounds) == 3 and all("<= " in line and "upper bound" in line and "±" in line for line in bounds)
    assert "<=" not in evaluate.report(list(case("real_nvp_points").records.values()))
    assert len({line.index("nats") for line in lines[1:3]}) == 1


def test_publish_and_load(case, tmp_path, capsys):
    c = case("gan")
    folder = tmp_path / "results"
    assert evaluate.run(["zoo-evaluate", f"--workdir={c.path}", "--data_dir=/elsewhere", f"--publish={folder}"]) == 0
    file = folder / "gan" / "toy2d-eight_gaussians.json"
    assert sorted(folder.rglob("*.json")) == [file] and os.fspath(file) in capsys.readouterr().out
    loaded = records.load_results(folder)
    assert [r["metric"] for r in loaded] == ["energy_distance", "high_quality_fraction", "modes_covered"]
    ours = sorted(json.loads((c.path / "results.json").read_text()), key=lambda r: r["metric"])
    assert [r | dict(command="") for r in loaded] == [r | dict(command="") for r in ours]
    assert all(tuple(r) == records.FIELDS for r in loaded)
    assert all("/elsewhere" in r["command"] for r in ours) and all("--data_dir=DIR" in r["command"] for r in loaded)
    for partial in ("--num_examples=20", "--split=validation"):
        assert evaluate.run(["zoo-evaluate", f"--workdir={c.path}", partial, f"--publish={folder}"]) == 2
    assert records.load_results(tmp_path / "none") == []
    whole = json.loads(file.read_text())
    for spoiled, said in ((whole | dict(numbers=[{"value": 1.0}]), "'metric' is missing"),
                          ({k: v for k, v in whole.items() if k != "protocol"}, "holds no records"),
                          ([whole], "holds no records"),
                          (whole | dict(numbers=[n | dict(kind="likelihood") for n in whole["numbers"]]), "likelihood"),
                          ({k: v for k, v in whole.items() if k != "seed"}, "'seed' is missing")):
        (folder / "gan" / "x.json").write_text(json.dumps(spoiled))
        with pytest.raises(BadInput, match=f"x.json: .*{said}"):
            records.load_results(folder)
    (folder / "gan" / "x.json").write_text("{")
    with pytest.raises(BadInput, match="x.json"):
        records.load_results(folder)
    (folder / "gan-digits-mmd.json").write_text("{}")  # as 0.2 published a number
    with pytest.raises(BadInput, match="gan-digits-mmd.json: stands directly in the folder"):
        records.load_results(folder)


def test_a_run_has_one_file_and_a_metric_one_number_in_it(case, tmp_path):
    first, *others = sorted(case("vae").records.values(), key=lambda record: record["metric"])
    file, = records.publish([first, *others], tmp_path)
    assert file == tmp_path / "vae" / "digits.json" and len(records.load_results(tmp_path)) == 1 + len(others)
    again = first | dict(value=5.0, steps=99, protocol=first["protocol"] | dict(noise_draws=7))
    wide = first | dict(variant="wide")
    assert set(records.publish([again, wide], tmp_path)) == {file, file.with_name("digits-wide.json")}
    found = records.load_results(tmp_path)
    plain = [record for record in found if "variant" not in record]
    assert [record["metric"] for record in plain] == [first["metric"], *(record["metric"] for record in others)]
    assert (plain[0]["value"], plain[0]["steps"], plain[0]["protocol"]["noise_draws"]) == (5.0, 99, 7)
    assert [r | dict(command="") for r in plain[1:]] == [r | dict(command="") for r in others]
    assert [record["value"] for record in found if record.get("variant") == "wide"] == [first["value"]]


@pytest.mark.parametrize("command, told", [
    ("zoo-train --dataset=lines:/x/y/names.txt --data_dir=/a/b --workdir=/x/runs/q --steps=1 && zoo-evaluate "
     "--publish=/x/results --workdir=/x/runs/q",
     "zoo-train --dataset=lines:DIR/names.txt --data_dir=DIR --workdir=runs/q --steps=1 && zoo-evaluate "
     "--publish=results --workdir=runs/q"),
    ("zoo-train --dataset=toy2d/claw --workdir=q/", "zoo-train --dataset=toy2d/claw --workdir=runs/q"),
    ("zoo-train --dataset=digits --workdir runs/x", "zoo-train --dataset=digits --workdir runs/x")])
def test_a_published_command_names_no_place_of_the_machine(command, told):
    assert records.portable(command) == told


def test_results_are_written_whole_or_not_at_all(case, monkeypatch, capsys):
    c = case("gan")
    before = (c.path / "results.json").read_bytes()

    def no_space(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    assert evaluate.run(["zoo-evaluate", f"--workdir={c.path}", "--num_examples=10"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert (c.path / "results.json").read_bytes() == before and not list(c.path.glob(".*.part"))


def test_the_commit_is_that_of_this_checkout(monkeypatch, tmp_path):
    commit = records.commit()
    assert commit is None or len(commit.removesuffix("-dirty")) == 40
    monkeypatch.setattr(records, "__file__", str(tmp_path / "trainers" / "runs" / "records.py"))
    assert records.commit() is None
