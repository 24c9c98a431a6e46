"""Grammars as text, their tables against brute force, the parser against all strings of a length, the tokenizer, and
everything that is no grammar."""

import configparser
import itertools
import json
import pathlib

import numpy as np
import pytest

from tests.trainers.test_data import quiet, sentence
from trainers import data
from trainers.data import grammars, tokenizers
from trainers.data.embedded import expressions
from trainers.data.grammars import NotDerived, Parser
from trainers.data.tokenizers import Derivations
from zoo.distributions import grammar as zoo_grammars
from zoo.distributions.grammar import Grammar

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared/data"
NESTED = "S -> 'a' S T | 'b' | ''\nT -> S 'c' | 'd'"
GRAMMARS = {  # name -> text, whether one character ahead tells the rule
    "sums": ("S -> S '+' T | T\nT -> '(' S ')' | 'x'", True),
    "nested": (NESTED, False),
    "pairs": ("S -> '(' S ')' S | ''", True),
    "ambiguous": ("S -> S S | '(' S ')' | 'x'", False),
    "palindromes": ("S -> 'x' S 'x' | '(' S '(' | 'x' | '('", False),
    "overlapping": ("A -> 'xx' ')' | B '+'\nB -> 'x' \"xx\" | 'x'", True),  # a longest match would take xx of x+
    "finite": ("S -> A B\nA -> 'x' | ''\nB -> '+' A | '()'", True),
}


def derivations(grammar, length):
    """All derivations of at most `length` rules, by trying every rule."""
    found, todo = [], [((), (grammar.start,))]
    while todo:
        rules, left = todo.pop()
        if not left:
            found.append(rules)
            continue
        if len(rules) < length:
            for number, rule in enumerate(grammar.rules):
                if rule.left == left[0]:
                    todo.append((rules + (number,), tuple(s for s in rule.right if not isinstance(s, str)) + left[1:]))
    return found


def test_a_grammar_is_its_rules():
    grammar = Grammar("""
        # sums
        S -> S '+' T   # left to right
           | T
        T -> "(" S ')' | 'x'
        T -> '#' | '\\' | "'"
        """)
    assert grammar.nonterminals == ("S", "T") and grammar.rules == (
        (0, (0, "+", 1)), (0, (1,)), (1, ("(", 0, ")")), (1, ("x",)), (1, ("#",)), (1, ("\\",)), (1, ("'",)))
    assert (grammar.done, grammar.size, grammar.nothing, grammar.start) == (7, 8, 2, 0)
    np.testing.assert_array_equal(grammar.left, [0, 0, 1, 1, 1, 1, 1, 2])
    np.testing.assert_array_equal(grammar.count, [2, 1, 1, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(grammar.pushed[:3], [[1, 0], [1, 2], [0, 2]])
    assert grammar.text == "S -> S '+' T | T\nT -> \"(\" S ')' | 'x' | '#' | '\\' | \"'\""
    again = Grammar(grammar.text)
    assert (again.rules, again.text) == (grammar.rules, grammar.text)


def test_rules_that_stand_apart_come_together_and_alternatives_may_be_empty():
    grammar = Grammar("S -> 'a' T |\nT -> 'b'\nS -> 'c' | '' 'd' ''")
    assert grammar.rules == ((0, ("a", 1)), (0, ()), (0, ("c",)), (0, ("d",)), (1, ("b",)))
    assert grammar.text == "S -> 'a' T | '' | 'c' | '' 'd' ''\nT -> 'b'"
    assert Grammar(grammar.text).rules == grammar.rules


@pytest.mark.parametrize("name", GRAMMARS)
def test_tables_against_all_derivations(name):
    grammar = Grammar(GRAMMARS[name][0])
    for number, nonterminal in enumerate(grammar.nonterminals):
        started = Grammar(grammar.text)
        started.start = number
        found = derivations(started, 7)
        assert grammar.shortest[number] == min(map(len, found))
        for rules in found[:200]:
            assert grammar.gain[list(rules)].sum() == -grammar.shortest[number]
    assert grammar.gain.min() == -1 and grammar.gain[grammar.done] == 0


def test_expanding_derivations_and_what_is_none():
    grammar = Grammar(GRAMMARS["sums"][0])
    assert grammar.expand([0, 1, 3, 2, 1, 3]) == ("x+(x)", True) == grammar.expand([0, 1, 3, 2, 1, 3, 4, 4])
    assert grammar.expand([]) == ("⟨S⟩", False) and grammar.expand([0, 1, 3]) == ("x+⟨T⟩", False)
    assert grammar.expand([0, 1, 3, 4, 3]) == ("x+⟨T⟩", False)  # done too soon
    assert grammar.expand([0, 3, 3]) == ("⟨S⟩+⟨T⟩", False)  # a rule of another nonterminal
    assert grammar.expand([1, 3, 3]) == ("x", True)  # one rule too many
    for name, (text, _) in GRAMMARS.items():
        language = Grammar(text)
        assert all(language.expand(rules)[1] for rules in derivations(language, 6)), name


@pytest.mark.parametrize("text, said", [
    ("", "has no rule"), ("# nothing\n\n", "has no rule"), ("S", "line 1 of the grammar: 'S' is no rule"),
    ("\n| 'a'", "line 2"), ("S -> 'a' -> 'b'", "a second ->"),
    ("S -> 'a\n", "line 1 of the grammar: \"'a\" is neither"), ("S -> 'a' S2 $", "'\\$' is neither"),
    ("S -> T", "line 1 of the grammar: no rule says what 'T'"),
    ("S -> 'a'\nT -> 'b' | U\nU -> 'c'", "nothing leads from the start symbol 'S' to 'T', 'U': unreachable"),
    ("S -> 'a' | T\nT -> T 'b'", "no derivation from 'T' ends: unproductive"),
    ("S -> S 'a'", "no derivation from 'S' ends"),
    ("S -> S | 'a'", "'S' derives itself"), ("S -> T | 'a'\nT -> E S\nE -> '' | 'e'", "'S' derives itself"),
    ("S -> 'a' | 'b' | 'a'", "the rule S -> 'a' stands twice"),
    ("S -> 'a'\nS -> 'a'", "line 2 of the grammar.*twice \\(line 1\\)")])
def test_what_is_no_grammar_is_one_sentence(tmp_path, text, said):
    with pytest.raises(ValueError, match=said) as caught:
        Grammar(text)
    path = tmp_path / "grammar.cfg"
    path.write_text(text)
    sentence(lambda: grammars.read(str(path)), f"--config.data.grammar={path}: {caught.value}")


def test_a_recursive_grammar_with_an_end_is_one():
    for text in ("S -> E S 'x' | ''\nE -> ''", "S -> S S 'a' | 'b'", "S -> ''"):
        Grammar(text)


@pytest.mark.parametrize("name", GRAMMARS)
def test_the_parser_against_every_short_string(name):
    """What the grammar derives comes back as a derivation of it; anything else is refused at the first character that
    no string of the grammar has there."""
    text, fast = GRAMMARS[name]
    grammar = Grammar(text)
    parser, longest = Parser(grammar), 4
    assert parser.fast == fast
    language = {}
    for rules in derivations(grammar, 11 if name == "sums" else 9):
        language.setdefault(grammar.expand(rules)[0], []).append(list(rules))
    begun = {string[:end] for string in language for end in range(len(string) + 1)}
    alphabet = sorted({c for string in language for c in string}) + ["?"]
    for size in range(longest + 1):
        for string in map("".join, itertools.product(alphabet, repeat=size)):
            if string in language:
                assert parser.rules(string) in language[string] and parser.derives(string)
                assert parser.rules(string) == Parser(grammar).rules(string)
                continue
            with pytest.raises(NotDerived) as caught:
                parser.rules(string)
            assert not parser.derives(string)
            assert caught.value.place == next((place for place in range(size) if string[:place + 1] not in begun),
                                              size), string
    unambiguous = all(len(found) == 1 for found in language.values())
    assert unambiguous == (name not in ("ambiguous", "nested")) and (unambiguous or not fast)


def test_what_the_parser_says():
    parser = Parser(zoo_grammars.packaged("expressions"))
    for string, said in (("x+*2", "'x+*2' is not derived by the grammar: '*' at place 2 can't stand there"),
                         ("sin(x", "it ends too soon, at place 5"),
                         ("x y", "' ' at place 1"), ("", "at place 0")):
        sentence(lambda: parser.rules(string), said)


def test_long_strings():
    parser = Parser(Grammar("S -> '(' S ')' | 'x'"))
    assert len(parser.rules("(" * 3000 + "x" + ")" * 3000)) == 3001
    assert len(Parser(Grammar(GRAMMARS["ambiguous"][0])).rules("(" * 100 + "x" + ")" * 100)) == 101


@pytest.mark.parametrize("name, strings", [
    ("expressions", ["x", "x+sin(2)*3/exp((1))"]), ("spaced_expressions", ["x + sin( 2 ) * ( 3 )"]),
    ("smiles", ["C", "CC(=O)Oc1ccccc1C(=O)O", "C[C@@H]1CC1/C=C\\C", "[13CH3][NH3+]", "C1CC=1", "BrCCl",
                "c1ccccc-1(C)(N)C#N", "[O-][N+](=O)S[Cl-2]"])])
def test_the_grammars_of_the_zoo(name, strings):
    grammar = zoo_grammars.packaged(name)
    parser = Parser(grammar)
    assert parser.fast and name in zoo_grammars.names()
    for string in strings:
        assert grammar.expand(parser.rules(string)) == (string, True)
    for wrong in ("", "q", strings[-1] + "(", "(" + strings[-1]):
        assert not parser.derives(wrong)


def test_smiles_that_are_none():
    parser = Parser(zoo_grammars.packaged("smiles"))
    for string, place in (("C(C)1", 4), ("CC=", 3), ("C[Zz]", 2), ("C()", 2), ("=C", 0), ("C[C@@@]", 5), ("[CH3", 4),
                          ("C%12", 1)):
        with pytest.raises(NotDerived) as caught:
            parser.rules(string)
        assert caught.value.place == place, string


@pytest.mark.parametrize("path, name, num",
                         [("expressions.txt", "spaced_expressions", 3000), ("zinc/train.txt", "smiles", 3000),
                          ("zinc/test.txt", "smiles", 1000)])
def test_real_strings(path, name, num):
    if not (SHARED / path).exists():
        pytest.skip(f"{SHARED / path} is not there")
    grammar = zoo_grammars.packaged(name)
    parser, strings = Parser(grammar), (SHARED / path).read_text().split("\n")[:-1]
    for string in strings[::len(strings) // num]:
        assert grammar.expand(parser.rules(string)) == (string, True)


def test_an_installed_package_has_the_grammars():
    config = configparser.ConfigParser()
    config.read(pathlib.Path(__file__).parents[2] / "setup.cfg")
    assert config["options.package_data"]["zoo"].split() == ["grammars/*.cfg"]


# The tokenizer.

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


# Data sets.

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
    record = data.protocol(dataset, zoo_domain(dataset), {})
    assert record["tokenizer"]["name"] == "grammar" and json.dumps(record)
    file = tmp_path / "own.cfg"
    file.write_text("S -> 'x+' T '*' T\nT -> '1' | '2' | '(3)' | 'x' | 'sin(2)'")
    assert lines(tmp_path / "x.txt", *strings, grammar=str(file)).shape == (4,)
    judged = lines(tmp_path / "x.txt", *strings, tokenizer="characters")
    assert judged.tokenizer.name == "characters" and judged.tokenizer.grammar.text == dataset.tokenizer.grammar.text
    again = data.open_dataset(f"lines:{tmp_path / 'x.txt'}", data=dict(tokenizer="grammar", grammar="gone.cfg"),
                              tokenizer=dataset.tokenizer)
    assert again.tokenizer is dataset.tokenizer  # a run keeps its grammar


def zoo_domain(dataset):
    from zoo.model import Domain

    return Domain("tokens", dataset.shape, dataset.levels)


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
