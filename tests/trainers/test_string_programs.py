"""Autoencoders of strings through the programs: every number against direct computation, lines as files, RDKit's
verdict, and what is refused."""

import json
import sys
import types

import numpy as np
import pytest

from trainers import evaluate, recipes, sample, train
from trainers.data.grammars import Parser
from trainers.recipes import Published, Recipe
from trainers.runs import records as run_records
from trainers.runs import run as runs
from zoo import operations
from zoo.distributions import grammar as zoo_grammars

SMALL = ["--config.model.latent_size=2", "--config.model.filters=(4,)", "--config.model.kernels=(2,)",
         "--config.model.dense=8", "--config.model.hidden=6",
         "--config.model.layers=1", "--batch_size=8", "--steps=3", "--sample_every=3", "--noexport",
         "--config.evaluation.samples=60"]
ALWAYS = "--config.data.grammar=smiles"
METRICS = {"negative_elbo", "negative_log_likelihood", "reconstruction_accuracy", "token_accuracy",
           "validity_of_decodings", "validity", "uniqueness", "novelty"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of each model on the same strings, which are molecules' too, evaluated where RDKit says that those with an
    N are none."""
    folder = tmp_path_factory.mktemp("strings")
    strings = {"".join(np.random.default_rng(i).choice(["C", "N", "O", "c1", "(C)"], size=1 + i % 4))
               for i in range(300)}
    (folder / "x.txt").write_text("".join(f"C{string}\n" for string in sorted(strings)
                                          if Parser(zoo_grammars.packaged("smiles")).derives(f"C{string}")))
    chem = types.ModuleType("rdkit.Chem")
    chem.MolFromSmiles = lambda text: None if "N" in text else object()
    logger = types.ModuleType("rdkit.RDLogger")
    logger.DisableLog = lambda what: None
    stub = types.ModuleType("rdkit")
    stub.__version__ = "0.1"
    with pytest.MonkeyPatch.context() as patch:
        for module in (stub, chem, logger):
            patch.setitem(sys.modules, module.__name__, module)
        for model in ("grammar_vae", "character_vae"):
            run = f"--workdir={folder / model}"
            assert train.run(["zoo-train", f"--model={model}", f"--dataset=lines:{folder / 'x.txt'}", run, ALWAYS,
                              *SMALL]) == 0
            assert evaluate.run(["zoo-evaluate", run, "--batch_size=7", "--importance_samples=5"]) == 0
    return folder


def records(folder):
    return {record["metric"]: record for record in json.loads((folder / "results.json").read_text())}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["grammar_vae", "character_vae"])
def test_published_numbers_stand_beside_models_whose_levels_the_strings_decide(folder, model, monkeypatch):
    run = runs.load(folder / model)
    published = Published("rdkit_validity", 0.5, "fraction", "A")
    recipe = Recipe(model, "lines:x.txt", 1, 1, data=run.config.data.to_dict(), published=(published,))
    monkeypatch.setattr(recipes, "RECIPES", [recipe, Recipe(model, recipes.ANY, 1, 1)])
    make = lambda: run_records.make(run, "test", "rdkit_validity", 0.25, "fraction", "estimate", 0.1, {},
                                    "")["published"]
    assert make() == dict(value=0.5, source="A")
    run.config.data.held_out = 0.3
    assert make() is None


@pytest.mark.parametrize("model", ["grammar_vae", "character_vae"])
def test_every_number(folder, model):
    found, run = records(folder / model), runs.load(folder / model)
    assert METRICS | {"rdkit_validity", "rdkit_validity_of_decodings"} <= set(found)
    from trainers.runs.examples import dataset_of

    dataset, tokenizer = dataset_of(run), run.medium.tokenizer
    assert (
        tokenizer.name == {"grammar_vae": "grammar", "character_vae": "characters"}[model]
        and tokenizer.grammar.text == zoo_grammars.packaged("smiles").text
    )
    x = dataset.decoded("test")["x"]
    decoded = operations.reconstruct(run.model, x).numpy()
    texts = [tokenizer.decode(row) for row in decoded]
    parser = Parser(tokenizer.grammar)
    same = [text == tokenizer.decode(row) for text, row in zip(texts, x)]
    right = [(a == b)[t] for a, b in zip(x, decoded) for t in range(len(a)) if t == 0 or a[t - 1] != tokenizer.end]
    expected = dict(reconstruction_accuracy=np.mean(same), token_accuracy=np.mean(right),
                    validity_of_decodings=np.mean(list(map(parser.derives, texts))),
                    rdkit_validity_of_decodings=np.mean([bool(text) and "N" not in text for text in texts]))
    for metric, value in expected.items():
        assert (
            found[metric]["value"] == pytest.approx(value, abs=1e-6)
            and found[metric]["unit"] == "fraction"
            and found[metric]["kind"] == "estimate"
        )
    assert found["token_accuracy"]["protocol"]["tokens"] == len(right) == len(dataset.tokens("test"))
    assert found["validity"]["stderr"] == pytest.approx(
        np.sqrt(found["validity"]["value"] * (1 - found["validity"]["value"]) / 60)
    )
    assert (
        found["negative_elbo"]["kind"] == "upper_bound" and "RDKit 0.1" in found["rdkit_validity"]["protocol"]["judge"]
    )
    if model == "grammar_vae":
        assert found["validity"]["value"] == found["validity_of_decodings"]["value"] == 1.0


@pytest.mark.parametrize("model", ["grammar_vae", "character_vae"])
def test_uniqueness_and_novelty_of_samples(folder, model, monkeypatch):
    """Of samples whose numbers are known: in the place of the model's own, training lines, a new line twice, and what
    is no string. Without RDKit."""
    from trainers.evaluation import strings
    from trainers.evaluation.evaluation import Evaluation
    from trainers.runs.examples import dataset_of

    monkeypatch.setitem(sys.modules, "rdkit", None)
    run = runs.load(folder / model)
    dataset = dataset_of(run)
    tokenizer, known = run.medium.tokenizer, dataset.decoded("train")["x"]
    new = np.full((2, dataset.shape[0]), tokenizer.end)
    new[:, :len(tokenizer.encode("OO"))] = tokenizer.encode("OO")
    assert "OO" not in {tokenizer.decode(row) for row in known}
    wrong = np.full((1, dataset.shape[0]), tokenizer.end)  # nothing at all
    monkeypatch.setattr(strings, "draw", lambda *args, **kwargs: np.concatenate([known[:3], known[:1], new, wrong]))
    evaluation = Evaluation(run, dataset, "test", 5, 5, 0, 5)
    found = {metric: estimate.value for metric, estimate, *_ in strings.samples(evaluation)}
    distinct = len({tokenizer.decode(row) for row in known[:3]}) + 1
    assert found == dict(validity=pytest.approx(6 / 7), uniqueness=pytest.approx(distinct / 6),
                         novelty=pytest.approx(1 / distinct))


def test_molecules_are_what_rdkit_reads():
    pytest.importorskip("rdkit")
    from trainers.evaluation import strings

    molecule, version = strings._rdkit()
    assert version and molecule("CCO") and molecule("c1ccccc1")
    # no string, a carbon of five bonds, nothing
    assert not molecule("CC(C)(C)(C)C(") and not molecule("C(C)(C)(C)(C)C") and not molecule("")


def draw(folder, model, out, *arguments):
    assert sample.run(["zoo-sample", f"--workdir={folder / model}", f"--out={out}", *arguments]) == 0
    return out.read_text().split("\n")[:-1] if out.suffix == ".txt" else np.load(out)


def test_strings_as_lines(folder, tmp_path):
    parser = Parser(zoo_grammars.packaged("smiles"))
    drawn = draw(folder, "grammar_vae", tmp_path / "x.txt", "--num_samples=30")
    assert len(drawn) == 30 and all(map(parser.derives, drawn))
    assert drawn[:5] == draw(folder, "grammar_vae", tmp_path / "y.txt", "--num_samples=5")
    between = draw(folder, "grammar_vae", tmp_path / "x.txt", "--mode=interpolate", "--num_samples=3")
    assert len(between) == 30 and all(map(parser.derives, between))
    both = draw(folder, "grammar_vae", tmp_path / "x.txt", "--mode=reconstruct", "--num_samples=4")
    numbers = draw(folder, "grammar_vae", tmp_path / "x.npy", "--mode=reconstruct", "--num_samples=4")
    run = runs.load(folder / "grammar_vae")
    from trainers.runs.examples import first_examples

    x = first_examples(run, 4, 0)[0]
    assert both[::2] == [run.medium.tokenizer.decode(row) for row in x] and numbers.shape == (4, 2, *x.shape[1:])
    np.testing.assert_array_equal(numbers[:, 1], operations.reconstruct(run.model, x))
    assert len(draw(folder, "grammar_vae", tmp_path / "x.txt", "--mode=manifold", "--num_samples=9")) == 9
    assert (folder / "grammar_vae" / "samples" / "step-00000003.txt").read_text()
    assert len(draw(folder, "character_vae", tmp_path / "z.npy", "--num_samples=5")) == 5


def test_the_run_keeps_its_grammar(folder):
    from trainers.runs import config as configs

    run = runs.load(folder / "grammar_vae")
    assert run.model.get_config()["grammar"] == run.medium.tokenizer.grammar.text == run.config.model.grammar
    printed = configs.as_flags(run.config)
    assert "--config.model.grammar=chain -> ringed | branched ..." in printed and "isotope" not in printed


@pytest.mark.parametrize("arguments, words", [
    (["--config.data.tokenizer=characters"],
     ["--config.data.tokenizer=characters", "set --config.data.tokenizer=grammar"]),
    (["--config.data.grammar="], ["--config.data.tokenizer=grammar", "set --config.data.grammar"]),
    (["--config.data.grammar=expressions"], ["line ", "is not derived by the grammar"]),
    (["--config.data.grammar=none.cfg"], ["--config.data.grammar=none.cfg"]),
    (["--config.model.grammar=S -> 'x'"], ["--config.model.grammar", "leave it out"]),
    (["--config.model.filters=(5,)"], ["filters and kernels must be equally many"]),
    (["--config.model.beta=0"], ["beta above 0"]), (["--config.data.length=3"], ["--config.data.length=3"]),
    (["--dataset=digits"], ["--config.data.tokenizer", "no use for it"]),
    (["--dataset=pysource"], ["--config.data.grammar"])])
def test_bad_input_is_one_sentence(folder, tmp_path, capsys, arguments, words):
    given = ["zoo-train", "--model=grammar_vae", f"--dataset=lines:{folder / 'x.txt'}", f"--workdir={tmp_path / 'run'}",
             ALWAYS, *SMALL, *arguments]
    assert train.run(given) == 2
    error = capsys.readouterr().err
    assert (
        all(word in error for word in words)
        and len(error.strip().splitlines()) == 1
        and not (tmp_path / "run").exists()
    )
