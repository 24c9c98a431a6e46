"""Variants: several recipes of one model on one data set, each with its own published number, run folder and
records."""

import json

import pytest

from trainers import evaluate, recipes, train
from trainers import list as program
from trainers.errors import BadInput
from trainers.recipes import Published, Recipe
from trainers.runs import config, records

SMALL = dict(levels=2, latent_size=2, hidden=(6,))


@pytest.fixture
def known(monkeypatch):
    def published(value):
        return (Published("negative_elbo", value, "nats", "a table"),)

    monkeypatch.setattr(recipes, "RECIPES", [Recipe("vae", "digits", 2, 8, arguments=SMALL, published=published(1.0)),
                                             Recipe("vae", "digits", 3, 8, arguments=SMALL | dict(latent_size=3),
                                                    variant="wide", published=published(2.0)),
                                             Recipe("vae", "mnist", 2, 8, variant="deep"),
                                             Recipe("vae", recipes.ANY, 2, 8)])


def test_a_variant_is_another_recipe(known):
    assert config.default("vae", "digits").steps == 2 and config.default("vae", "digits", "wide").model.latent_size == 3
    assert recipes.find("vae", "sketches", "wide") is None and recipes.find("vae", "sketches").dataset == recipes.ANY
    with pytest.raises(BadInput, match="--variant=wade.*'wide'"):
        config.default("vae", "digits", "wade")
    with pytest.raises(BadInput, match="--variant=deep: .*wide"):
        config.default("vae", "digits", "deep")
    with pytest.raises(BadInput, match="leave it out"):
        config.default("vae", "sketches", "wide")


@pytest.mark.parametrize("model", ["vae", "iwae", "dlgm", "ladder_vae"])
def test_published_likelihoods_are_compared_at_the_same_number_of_draws(model):
    """Those of the papers are L_5000; so is what any data set without a recipe of its own gets."""
    found = [(recipe.dataset, recipe.variant) for recipe in recipes.of_model(model) if recipe.published] + [
        ("cars196", "")
    ]
    assert len(found) > 1 and {config.default(model, *chosen).evaluation.importance_samples for chosen in found} == {
        5000
    }


@pytest.mark.slow
def test_both_runs_stand_beside_each_other(known, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for flags in ([], ["--variant=wide"]):
        assert train.run(["zoo-train", "--model=vae", "--dataset=digits", "--noexport", "--sample_every=0",
                          *flags]) == 0
    folders = [tmp_path / "runs" / name for name in ("vae-digits", "vae-digits-wide")]
    assert [json.loads((folder / "config.json").read_text()).get("variant") for folder in folders] == [None, "wide"]
    for folder in folders:
        assert evaluate.run(["zoo-evaluate", f"--workdir={folder}", "--importance_samples=2", "--publish=results"]) == 0
    found = [record for record in records.load_results(tmp_path / "results") if record["metric"] == "negative_elbo"]
    assert [(record.get("variant"), record["steps"], record["published"]["value"])
            for record in found] == [(None, 2, 1.0), ("wide", 3, 2.0)]
    assert (tmp_path / "results" / "vae" / "digits-wide.json").exists()
    table = program.results_table(program.models(records.load_results(tmp_path / "results")))
    assert "| `vae` | digits | negative elbo |" in table and "| `vae` | digits (wide) | negative elbo |" in table
    assert "digits (wide)" in program.models_table(program.models())


def test_another_variant_in_the_same_folder_is_refused(known, tmp_path, capsys):
    command = ["zoo-train", "--model=vae", "--dataset=digits", "--noexport", "--sample_every=0",
               f"--workdir={tmp_path / 'run'}"]
    assert train.run(command) == 0 and train.run([*command, "--variant=wide"]) == 2
    assert "variant" in capsys.readouterr().err.splitlines()[-1]
