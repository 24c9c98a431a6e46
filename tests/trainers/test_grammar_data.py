"""Grammars in the data: the tokenizer of derivations, lines of a file and the embedded expressions as derivations, and
everything that can't be used.
"""

import json

import numpy as np
import pytest

from tests.trainers.test_data import quiet, sentence
from trainers import data
from trainers.data import grammars, tokenizers
from trainers.data.embedded import expressions
from trainers.data.grammars import NotDerived
from trainers.data.tokenizers import Derivations
from zoo.distributions import grammar as zoo_grammars
from zoo.distributions.grammar import Grammar
from zoo.model import Domain


def test_the_tokenizer_of_a_grammar():
    grammar = zoo_grammars.packaged("expressions")
    tokenizer = tokenizers.make("grammar", 0, [], end=True, grammar=grammar)
    assert (tokenizer.size, tokenizer.end, tokenizer.grammar) == (12, 11, grammar)
    tokens = tokenizer.encode("x*sin(2)")
    assert tokens.dtype == np.int32 and tokens.tolist() == [1, 3, 7, 5, 3, 9]
    assert (
        tokenizer.decode(tokens) == "x*sin(2)" == tokenizer.decode([*tokens, 11, 11, 3])
        and tokenizer.decode([1, 3]) == "⟨T⟩*⟨T⟩"
    )
    with pytest.raises(ValueError, match="0 to 11"):
        tokenizer.decode([12])
    again = tokenizers.from_dict(json.loads(json.dumps(tokenizer.to_dict())))
    assert (
        isinstance(again, Derivations)
        and again.to_dict() == tokenizer.to_dict()
        and again.describe() == tokenizer.describe()
    )
    np.testing.assert_array_equal(again.encode("x*sin(2)"), tokens)
    assert tokenizer.describe()["grammar"].startswith("sha256:")
    with pytest.raises(NotDerived, match="at place 1") as caught:
        tokenizer.encode_all(["x", "xx", "2"])
    assert caught.value.row == 1


def test_other_tokenizers_keep_the_grammar_that_judges_their_texts():
    grammar = zoo_grammars.packaged("expressions")
    for name in ("characters", "bytes"):
        tokenizer = tokenizers.make(name, 0, ["x+1"], True, grammar)
        again = tokenizers.from_dict(json.loads(json.dumps(tokenizer.to_dict())))
        assert again.grammar.text == grammar.text and again.to_dict() == tokenizer.to_dict()
        valid = grammars.validity(again)
        assert valid(again.encode("x+1")) and not valid(again.encode("x+")) and not valid([again.end])
    plain = tokenizers.make("characters", 0, ["x"], True)
    assert "grammar" not in plain.to_dict() and "grammar" not in plain.describe() and grammars.validity(plain) is None


def test_what_is_left_over_of_a_derivation_is_not_valid():
    """Even where the grammar's own terminals look like it."""
    tokenizer = Derivations(Grammar("S -> S 'x' | '⟨S⟩'"))
    valid = grammars.validity(tokenizer)
    assert valid([0, 1]) and not valid([0]) and tokenizer.decode([0]) == tokenizer.decode([0, 1]) == "⟨S⟩x"


def lines(path, *strings, **options):
    path.write_text("".join(f"{string}\n" for string in strings))
    return data.open_dataset(f"lines:{path}", data=dict(tokenizer="grammar", grammar="expressions") | options,
                             log=quiet)


def test_lines_as_derivations(tmp_path):
    strings = [f"x+{a}*{b}" for a in ("1", "2", "(3)", "x") for b in ("1", "sin(2)", "x")]
    dataset = lines(tmp_path / "x.txt", *strings)
    # x+(3)*sin(2): ten rules and an end
    assert dataset.levels == 12 and dataset.shape == (11,) and dataset.tokenizer.name == "grammar"
    found = {dataset.tokenizer.decode(row) for split in dataset.sizes for row in dataset.decoded(split)["x"]}
    assert found == set(strings)
    record = data.protocol(dataset, Domain("tokens", dataset.shape, dataset.levels), {})
    assert record["tokenizer"]["name"] == "grammar" and json.dumps(record)
    file = tmp_path / "own.cfg"
    file.write_text("S -> 'x+' T '*' T\nT -> '1' | '2' | '(3)' | 'x' | 'sin(2)'")
    assert lines(tmp_path / "x.txt", *strings, grammar=str(file)).shape == (4,)
    judged = lines(tmp_path / "x.txt", *strings, tokenizer="characters")
    assert judged.tokenizer.name == "characters" and judged.tokenizer.grammar.text == dataset.tokenizer.grammar.text
    again = data.open_dataset(f"lines:{tmp_path / 'x.txt'}", data=dict(tokenizer="grammar", grammar="gone.cfg"),
                              tokenizer=dataset.tokenizer)
    assert again.tokenizer is dataset.tokenizer  # a run keeps its grammar


def test_lines_that_the_grammar_does_not_derive(tmp_path):
    strings = ["x", "1", "2", "3", "", "x+*1", "x+1", "x*1"]
    sentence(lambda: lines(tmp_path / "x.txt", *strings), f"--dataset=lines:{tmp_path / 'x.txt'}: line 6, 'x+*1' is "
                                                          "not derived", "'*' at place 2", "--config.data.grammar")
    sentence(lambda: lines(tmp_path / "x.txt", "x", "1+2", "3/1", "x*x*1", length=6), "--config.data.length=6: line 4",
             "6 tokens and an end")


@pytest.mark.parametrize("options, words", [
    (dict(grammar=""), ["--config.data.tokenizer=grammar", "set --config.data.grammar",
                        "expressions, smiles, spaced_expressions"]),
    (dict(grammar="none.cfg"), ["--config.data.grammar=none.cfg", "No such file", "smiles"]),
    (dict(grammar="."), ["--config.data.grammar=.", "Is a directory"]),
    (dict(vocabulary=300), ["--config.data.vocabulary=300", "tokenizer=grammar has a size of its own"]),
    (dict(tokenizer="gramar"), ["'grammar'"])])
def test_grammars_that_can_not_be_used(tmp_path, options, words):
    sentence(lambda: lines(tmp_path / "x.txt", "x", "1", "2", **options), *words)


def test_where_a_grammar_has_no_use(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("x+1\n" * 100)
    sentence(lambda: data.open_dataset(f"text_file:{path}", data=dict(grammar="expressions")),
             "--config.data.grammar=expressions", "leave it out")
    sentence(lambda: data.open_dataset(f"text_file:{path}", data=dict(tokenizer="grammar")),
             "--config.data.tokenizer=grammar", "lines:PATH")
    path.write_bytes(b"\xff")
    sentence(lambda: grammars.read(str(path)), f"--config.data.grammar={path}", "place 0", "UTF-8")


def test_expressions(tmp_path):
    dataset = data.open_dataset("expressions", tmp_path, dict(tokenizer="grammar"), quiet)
    # every derivation has an even number of rules
    assert dataset.sizes == expressions.SIZES and dataset.levels == 12 and dataset.shape == (15,)
    texts = {split: [dataset.tokenizer.decode(row) for row in dataset.decoded(split)["x"]] for split in dataset.sizes}
    every = sum(texts.values(), [])
    assert len(set(every)) == len(every) == 12_000
    assert all(len(dataset.tokenizer.encode(text)) <= expressions.LONGEST for text in texts["test"])
    assert expressions.draw(50) == expressions.draw(50) != expressions.draw(50, seed=1)
    means = {split: np.mean(list(map(len, found))) for split, found in texts.items()}
    assert means["test"] == pytest.approx(means["train"], abs=0.5)  # the short ones are not all in one split
    judged = data.open_dataset("expressions", tmp_path, {}, quiet)
    assert (
        judged.tokenizer.name == "characters"
        and judged.tokenizer.grammar.text == dataset.tokenizer.grammar.text
        and judged.levels == 15
    )
    assert [judged.tokenizer.decode(row) for row in judged.decoded("test")["x"]] == texts["test"]
    sentence(lambda: data.open_dataset("expressions", tmp_path, dict(grammar="smiles"), quiet),
             "--config.data.grammar=smiles", "leave it out")
    sentence(lambda: data.open_dataset("expressions", tmp_path, dict(length=5), quiet), "--config.data.length=5",
             "expression", "split")
