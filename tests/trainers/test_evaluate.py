"""Evaluation against direct computation: values, standard errors, labels of bounds."""

import json
import math

import numpy as np
import pytest

from tests.support.evaluations import NUM, case  # noqa: F401
from trainers import evaluate
from trainers.data import masks, open_dataset
from trainers.data.embedded import toy2d
from trainers.evaluation import bits, samples
from trainers.evaluation.number import Number
from zoo import random


def test_exact_likelihood(case):
    c = case("pixel_cnn")
    nll = -c.model.log_prob(c.x, c.condition)
    assert len(np.unique(c.condition)) > 5
    c.check("negative_log_likelihood", nll, "nats", "exact")
    c.check("bits_per_dimension", nll / (64 * math.log(2)), "bits/dim", "exact")
    assert c.records["negative_log_likelihood"]["protocol"]["given"] == "class label"
    assert "negative_elbo" not in c.records and c.records["bits_per_dimension"]["protocol"]["levels"] == 4


def test_completions_measure_what_is_hidden_given_the_rest(case):
    c = case("pixel_cnn")
    mask = np.zeros([NUM, 8, 8], bool)
    mask[:, :4] = True
    top = -np.where(mask, 0.0, c.model.log_probs(c.x, c.condition)).sum((1, 2))
    np.testing.assert_allclose(c.records["missing_negative_log_likelihood_top"]["value"], top.mean(), rtol=1e-5)
    assert [c.records[f"missing_negative_log_likelihood_{name}"]["kind"]
            for name in masks.names((8, 8))] == ["exact", "upper_bound", "upper_bound"]
    assert c.records["missing_negative_log_likelihood_left"]["protocol"]["hidden_places"] == 32
    assert 0.4 < masks.make("random", (8, 8), NUM).mean() < 0.6
    np.testing.assert_array_equal(masks.make("random", (8, 8), NUM)[:5], masks.make("random", (8, 8), 5))


def test_a_density_of_dequantized_images_bounds_their_bits(case):
    c = case("real_nvp")
    nll = -c.model.log_prob(c.x)
    c.check("negative_log_likelihood", nll, "nats", "exact")
    assert "density" in c.records["negative_log_likelihood"]["protocol"]["measure"]
    c.check("bits_per_dimension", nll / (64 * math.log(2)) + math.log2(17), "bits/dim", "upper_bound")


def test_bits_of_the_uniform_density_do_not_depend_on_the_range():
    class Evaluation:  # images of 4 levels on [-1, 1]: the uniform density is 2^-D, and each level has probability 1/4
        domain = evaluate_domain(range=(-1.0, 1.0))
        dataset = type("DataSet", (), dict(levels=4))

    values = np.full(5, -12 * math.log(2.0))
    metric, estimate, unit, kind, _ = bits.per_dimension(values, Evaluation,
                                                           Number("", None, "nats", "exact", {}))
    assert (metric, unit, kind) == ("bits_per_dimension", "bits/dim", "upper_bound")
    assert estimate.value == pytest.approx(2.0)


def evaluate_domain(**arguments):
    from zoo.model import Domain

    return Domain("real", (2, 2, 3), 4, dequantized=True, **arguments)


def test_a_density_of_points_has_no_bits(case):
    c = case("real_nvp_points")
    c.check("negative_log_likelihood", -c.model.log_prob(c.x), "nats", "exact")
    assert "given" not in c.records["negative_log_likelihood"]["protocol"]
    assert "bits_per_dimension" not in c.records and "measure" not in c.records["negative_log_likelihood"]["protocol"]


def test_bounds_are_called_bounds(case):
    c = case("vae")
    c.check("negative_elbo", -c.model.elbo(c.x, c.rows(2)), "nats", "upper_bound")
    rate, distortion = c.model.rate_distortion(c.x, c.rows(2))
    c.check("rate", rate, "nats", "estimate")
    c.check("distortion", distortion, "nats", "estimate")
    assert c.records["active_units"]["value"] == np.sum(np.var(c.model.encode(c.x), 0) > 0.01)
    assert c.records["active_units"]["protocol"]["latents"] == c.model.latent_size
    weighted = -c.model.log_prob(c.x, c.rows(1), num_samples=20)
    c.check("negative_log_likelihood", weighted, "nats", "upper_bound")
    c.check("bits_per_dimension", weighted / (64 * math.log(2)), "bits/dim", "upper_bound")
    assert [c.records[m]["protocol"].get("importance_samples")
            for m in ("negative_elbo", "negative_log_likelihood", "bits_per_dimension")] == [
        None, 20, 20]
    # The weighted bound is the tighter one, up to the noise of its samples.
    assert (
        c.records["negative_log_likelihood"]["value"]
        < c.records["negative_elbo"]["value"] + 3 * c.records["negative_elbo"]["stderr"]
    )


def test_a_model_with_an_elbo_alone_has_bits_from_it(case):
    c = case("ddpm")
    values = -c.model.elbo(c.x, c.rows(2))
    c.check("negative_elbo", values, "nats", "upper_bound", rtol=1e-4)
    c.check("bits_per_dimension", values / (64 * math.log(2)), "bits/dim", "upper_bound", rtol=1e-4)
    assert "negative_log_likelihood" not in c.records


def test_samples_against_test_examples(case):
    c = case("gan")
    seed = random.fold_in(random.seed(3), 3)
    x, y = (np.asarray(a[:40], np.float64) for a in (c.model.sample(random.rows(seed, 40)), c.x))
    assert set(c.records) == {"energy_distance", "modes_covered", "high_quality_fraction"}

    def mean(a, b, same):
        total = sum(np.linalg.norm(p - q) for i, p in enumerate(a) for j, q in enumerate(b) if not (same and i == j))
        return total / (len(a) * (len(b) - same))

    distance = c.records["energy_distance"]
    assert distance["value"] == pytest.approx(2 * mean(x, y, False) - mean(x, x, True) - mean(y, y, True), rel=1e-5)
    assert distance["kind"] == "estimate" and distance["stderr"] > 0
    assert distance["protocol"]["generated_samples"] == distance["protocol"]["num_examples"] == 40
    assert c.records["modes_covered"]["stderr"] is None and c.records["modes_covered"]["protocol"]["modes"] == 8


def test_energy_distance_takes_images_on_the_unit_interval(case):
    from zoo.metrics.divergences import energy_distance

    c = case("pixel_cnn")
    x = c.model.sample(random.rows(random.fold_in(random.seed(3), 3), 40), c.condition[:40])
    expected = energy_distance(np.asarray(x) / 3.0, np.asarray(c.x[:40]) / 3.0)
    assert c.records["energy_distance"]["value"] == pytest.approx(expected.value, abs=1e-6)
    assert c.records["energy_distance"]["stderr"] == pytest.approx(expected.stderr, rel=1e-4)


def test_modes_of_true_samples():
    known = open_dataset("toy2d/eight_gaussians").modes
    centres, std = known
    x = toy2d.eight_gaussians(np.random.RandomState(0), 20_000)
    nearest = np.linalg.norm(x[:, None] - centres, axis=-1)
    assert (np.bincount(nearest.argmin(1)) > 2000).all() and np.sqrt((nearest.min(1) ** 2).mean() / 2) == pytest.approx(
        std, rel=0.02
    )
    found = {metric: (estimate, kind) for metric, estimate, _, kind,
             _ in samples.coverage(x, known)}
    assert found["modes_covered"][0].value == 8
    fraction, expected = found["high_quality_fraction"][0], 1 - math.exp(-9 / 2)
    assert abs(fraction.value - expected) < 4 * fraction.stderr
    assert fraction.stderr == pytest.approx(math.sqrt(expected * (1 - expected) / 20_000), rel=0.1)
    assert open_dataset("toy2d/two_moons").modes is None and samples.coverage(x, None) == []


def test_batch_size_does_not_change_a_number(case):
    c = case("vae")
    old = c.records
    assert evaluate.run(["zoo-evaluate", f"--workdir={c.path}", f"--num_examples={NUM}", "--batch_size=50",
                         "--seed=3"]) == 0
    for record in json.loads((c.path / "results.json").read_text()):
        assert record["value"] == pytest.approx(old[record["metric"]]["value"], rel=1e-5)
        assert record["command"].endswith("--batch_size=50 --num_examples=50 --seed=3 " + f"--workdir={c.path}")


@pytest.mark.parametrize("arguments, said", [
    ([], "--workdir"),
    (["--workdir={missing}"], "no such folder"),
    (["--workdir={vae}", "--split=tset"], "did you mean 'test'"),
    (["--workdir={vae}", "--num_examples=0"], "--num_examples"),
    (["--workdir={vae}", "--num_examples=2"], "--num_examples"),
    (["--workdir={vae}", "--num_examples=361"], "360"),
    (["--workdir={vae}", "--batch_size=-1"], "--batch_size"),
    (["--workdir={vae}", "--importance_samples=0"], "--importance_samples"),
    (["--workdir={vae}", "--importance_samples=many"], "importance_samples"),
    (["--workdir={gan}", "--importance_samples=5"], "no importance-weighted bound"),
    (["--workdir={vae}", "--publish={vae}/config.json"], "is a file"),
    (["--workdir={vae}", "--publish={vae}/no/where"], "--publish"),
    (["--workdir={vae}", "left"], "left"),
])
def test_bad_input(case, capsys, tmp_path, arguments, said):
    folders = dict(vae=case("vae").path, gan=case("gan").path, missing=tmp_path / "missing")
    before = {name: (folders[name] / "results.json").stat().st_mtime_ns for name in ("vae", "gan")}
    capsys.readouterr()
    assert evaluate.run(["zoo-evaluate", *(argument.format(**folders) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1 and "Traceback" not in error
    assert before == {name: (folders[name] / "results.json").stat().st_mtime_ns for name in ("vae", "gan")}
