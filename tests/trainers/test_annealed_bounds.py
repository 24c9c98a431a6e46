"""`zoo-evaluate --metrics=ais` of a model of two latents against quadrature, and what it refuses."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support import runs
from trainers import evaluate
from trainers.data import evaluation_batches, open_dataset
from trainers.runs import run as run_module

NUM = 7  # examples, not a multiple of the batch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return runs.make(tmp_path_factory.mktemp("ais") / "vae", "vae",
                     arguments=dict(levels=2, latent_size=2, hidden=(6,)))


def integrated(model, x, width=6.0, num=121):
    """log p(x), [batch], by the trapezoidal rule over both latents."""
    grid = np.linspace(-width, width, num, dtype=np.float32)
    z = tf.constant(np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 1, 2))
    terms = model.likelihood(z).log_prob(x) + model.log_prior(z)
    return tf.reduce_logsumexp(terms, 0).numpy() + 2 * np.log(grid[1] - grid[0])


@pytest.mark.slow
def test_bounds_enclose_what_quadrature_finds(folder):
    assert evaluate.run(["zoo-evaluate", f"--workdir={folder}", "--num_examples=30", "--batch_size=4", "--metrics=ais",
                         "--ais_steps=30", "--ais_chains=8",
                         f"--ais_examples={NUM}", "--importance_samples=500"]) == 0
    found = {record["metric"]: record for record in json.loads((folder / "results.json").read_text())}
    model = run_module.load(folder).model
    x = next(iter(evaluation_batches(open_dataset("digits"), "test", model.domain, NUM, 0,
                                     run_module.load(folder).config.data, limit=NUM)))
    truth, ours = -integrated(model, x).mean(), found["ais_negative_log_likelihood"]
    assert ours["value"] == pytest.approx(truth, abs=0.1) and ours["kind"] == "upper_bound"
    assert (
        ours["protocol"]["num_examples"] == NUM
        and ours["protocol"]["annealing_steps"] == 30
        and ours["protocol"]["chains"] == 8
    )
    gap = found["bdmc_negative_log_likelihood_upper"]["value"] - found["bdmc_negative_log_likelihood_lower"]["value"]
    assert found["bdmc_gap"]["value"] == pytest.approx(gap, abs=1e-4) and abs(gap) < 0.2
    assert {found[f"bdmc_negative_log_likelihood_{side}"]["kind"]
            for side in ("upper", "lower")} == {"upper_bound", "lower_bound"}
    assert "negative_elbo" in found  # beside what is always measured


@pytest.mark.parametrize("flag,message",
                         [("--metrics=fid", "fid"), ("--ais_steps=0", "ais_steps"), ("--ais_chains=-1", "ais_chains")])
def test_bad_flags(folder, capsys, flag, message):
    before = {path.name for path in folder.iterdir()}
    assert evaluate.run(["zoo-evaluate", f"--workdir={folder}", "--metrics=ais", flag]) == 2
    assert message in capsys.readouterr().err and {path.name for path in folder.iterdir()} == before


def test_its_flags_go_with_it(folder, capsys):
    assert (
        evaluate.run(["zoo-evaluate", f"--workdir={folder}", "--ais_chains=3"]) == 2
        and "--metrics=ais" in capsys.readouterr().err
    )


def test_a_model_without_latents_is_refused_before_anything_is_measured(tmp_path, capsys):
    folder = runs.make(tmp_path / "cnn", "fvsbn", arguments={})
    assert evaluate.run(["zoo-evaluate", f"--workdir={folder}", "--metrics=ais"]) == 2
    assert "no latents" in capsys.readouterr().err and not (folder / "results.json").exists()
