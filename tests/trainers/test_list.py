"""zoo-list: what it says of every model, the tables of README.md, and the numbers from the records."""

import json
import os
import pathlib

import pytest

import zoo
from trainers import list as program
from trainers import recipes
from trainers.recipes import Published, Recipe
from trainers.runs import records
from zoo.paper import Paper

ROOT = pathlib.Path(__file__).parents[2]
RECORD = dict(model="vae", dataset="mnist", split="test", metric="negative_log_likelihood", value=86.789, unit="nats",
              kind="upper_bound", stderr=0.25, protocol=dict(importance_samples=5000),
              published=dict(value=86.76, source="a table"), seed=0, steps=24_000, batch_size=100, train_seconds=1830.0,
              hardware={}, versions={}, commit=None, command="zoo-train")
README = "# Zoo\n\n<!-- models -->\nold\n<!-- /models -->\nbetween\n<!-- results -->\n<!-- /results -->\nthe end\n"


@pytest.fixture
def results(tmp_path):
    """A folder with two records."""
    folder = tmp_path / "results"
    records.publish([RECORD,
                     RECORD | dict(metric="bits_per_dimension", value=0.1597, unit="bits/dim", stderr=None,
                                   kind="exact", published=None, train_seconds=12.0)], folder)
    return folder


@pytest.mark.parametrize("paper, arxiv, short", [
    (Paper(("Kingma", "Welling"), "Auto-Encoding Variational Bayes", 2013, "arXiv:1312.6114"), "1312.6114",
     "Kingma and Welling 2013"),
    (Paper(("van den Oord", "Kalchbrenner", "Kavukcuoglu"), "Pixel Recurrent Neural Networks", 2016,
           "arXiv:1601.06759"), "1601.06759", "van den Oord et al. 2016"),
    (Paper(("Parzen",), "On Estimation of a Probability Density Function and Mode", 1962,
           "Annals of Mathematical Statistics 33"), None, "Parzen 1962")])
def test_how_a_paper_is_cited(paper, arxiv, short):
    assert (paper.arxiv, paper.short) == (arxiv, short)


@pytest.mark.parametrize("name, cited", [
    ("vae", "Kingma and Welling 2013, Auto-Encoding Variational Bayes, arXiv:1312.6114"),
    ("kernel_density", "Parzen 1962, On Estimation of a Probability Density Function and Mode")])
def test_a_line_cites_the_paper(name, cited, capsys):
    assert program.run(["zoo-list"]) == 0
    of_model = capsys.readouterr().out.partition(f"{name}  (")[2].splitlines()
    assert of_model[1] == f"  paper         {cited}"


def test_every_model_is_listed_with_its_paper():
    listed = {model["name"]: model for model in program.models()}
    assert list(listed) == list(zoo.MODELS)
    for name, model in listed.items():
        assert (
            f"zoo.{model['family']}." in zoo.MODELS[name].__module__ + "."
            and {"sample", "reconstruct"} & set(model["capabilities"])
            and model["description"]
        )
    vae = listed["vae"]
    assert (vae["family"], vae["cite"], vae["likelihood"]) == ("latent", "Kingma and Welling 2013", "lower_bound")
    assert vae["capabilities"] == ["sample", "sample_mean", "log_prob", "elbo", "encode", "decode", "complete",
                                   "reconstruct", "interpolate", "traverse", "arithmetic"]
    assert vae["recipes"][0] == "digits" and {p["dataset"] for p in vae["published"]} == {
        "mnist",
        "binarized_mnist",
        "binarized_mnist (small)",
        "binarized_mnist (vamp)",
    }
    assert listed["denoising_autoencoder"]["capabilities"] == ["encode", "decode", "denoise", "reconstruct",
                                                               "interpolate", "traverse", "arithmetic"]
    assert listed["denoising_autoencoder"]["likelihood"] is listed["autoencoder"]["likelihood"] is None
    assert listed["gan"]["likelihood"] is None and listed["real_nvp"]["likelihood"] == "exact"


def test_json_holds_recipes_published_and_our_numbers(results, monkeypatch, capsys):
    number = Published("negative_log_likelihood", 86.76, "nats", "a table")
    monkeypatch.setattr(recipes, "RECIPES",
                        [Recipe("vae", "mnist", 1, 1, published=(number,)), Recipe("gan", "digits", 1, 1)])
    assert program.run(["zoo-list", "--json", f"--results={results}"]) == 0
    listed = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    assert (
        listed["vae"]["recipes"] == ["mnist"]
        and listed["gan"]["recipes"] == ["digits"]
        and listed["ddpm"]["recipes"] == []
    )
    assert listed["vae"]["published"] == [dict(dataset="mnist", metric="negative_log_likelihood", value=86.76,
                                               unit="nats", source="a table")]
    assert [r["metric"] for r in listed["vae"]["results"]] == ["bits_per_dimension", "negative_log_likelihood"]
    assert listed["vae"]["results"][1] == RECORD and listed["gan"]["results"] == []


def test_the_text_shows_a_bound_as_a_bound(results, capsys):
    assert program.run(["zoo-list", f"--results={results}"]) == 0
    out = capsys.readouterr().out
    assert "ours          mnist: negative_log_likelihood <= 86.79 ± 0.25 nats (24,000 steps of 100, 30 min)" in out
    assert "ours          mnist: bits_per_dimension 0.1597 bits/dim (24,000 steps of 100, 12 s)" in out
    assert all(f"\n{name}  (" in f"\n{out}" for name in zoo.MODELS)


def test_markdown_tables_are_well_formed(results, capsys):
    assert program.run(["zoo-list", "--markdown", f"--results={results}"]) == 0
    models, numbers = (table.splitlines() for table in capsys.readouterr().out.strip().split("\n\n"))
    for table in (models, numbers):
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert len(models) == 2 + len(zoo.MODELS) and len(numbers) == 4
    assert numbers[3] == ("| `vae` | mnist | negative log likelihood | <= 86.79 ± 0.25 nats | upper bound | 86.76 (a "
                          "table) | "
                          "24,000 steps of 100, 30 min |")
    assert "[Kingma and Welling 2013](https://arxiv.org/abs/1312.6114)" in models[2 + list(zoo.MODELS).index("vae")]


def test_update_readme_replaces_what_is_between_the_markers(results, tmp_path, capsys):
    path = tmp_path / "README.md"
    path.write_text(README)
    for _ in range(2):  # the second time nothing changes
        assert program.run(["zoo-list", f"--update_readme={path}", f"--results={results}"]) == 0
        listed = program.models(records.load_results(results))
        assert path.read_text() == (f"# Zoo\n\n<!-- models -->\n{program.models_table(listed)}\n<!-- /models "
                                    "-->\nbetween\n<!-- results -->\n"
                                    f"{program.results_table(listed)}\n<!-- /results -->\nthe end\n")


@pytest.mark.parametrize("arguments, text, said", [
    (["--update_readme={tmp}/none.md"], README, "No such file"),
    (["--update_readme={tmp}/README.md"], README.replace("<!-- models -->", ""), "<!-- models -->"),
    (["--update_readme={tmp}/README.md"], README.replace("<!-- /results -->", ""), "<!-- /results -->"),
    (["--results={tmp}/none"], README, "no such folder"),
    (["--json", "--markdown"], README, "one of them"),
])
def test_bad_input(tmp_path, capsys, arguments, text, said):
    (tmp_path / "README.md").write_text(text)
    assert program.run(["zoo-list", *(argument.format(tmp=tmp_path) for argument in arguments)]) == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == text and os.listdir(tmp_path) == ["README.md"]


def test_readme_shows_what_the_program_makes():
    readme = (ROOT / "README.md").read_text()
    assert program.with_tables(readme, program.models(records.load_results(program.RESULTS))) == readme, (
        "run zoo-list --update_readme=README.md"
    )
