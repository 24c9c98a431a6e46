"""Grammars as text, their tables against brute force, the parser against all strings of a length, and everything that
is no grammar."""

import configparser
import itertools
import pathlib

import numpy as np
import pytest

from tests.support.grammars import GRAMMARS, derivations
from tests.trainers.test_data import sentence
from trainers.data import grammars
from trainers.data.grammars import NotDerived, Parser
from zoo.distributions import grammar as zoo_grammars
from zoo.distributions.grammar import Grammar

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared/data"


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
