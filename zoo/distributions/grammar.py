"""Context-free grammars, and strings as derivations: which rule rewrites the leftmost nonterminal, step after step,
from the start symbol on.

A grammar is text, a nonterminal and what it may become in each line: `S -> S '+' T | T`. Terminals are quoted, an
alternative may be empty, a line that begins with `|` goes on with the one before, and `#` begins a comment. The first
nonterminal is the start symbol; rules are numbered nonterminal by nonterminal, as they stand.
"""

import importlib.resources
import re
from typing import NamedTuple

import numpy as np

_FOLDER = importlib.resources.files("zoo") / "grammars"
_TOKEN = re.compile(
    r"""(?P<space>\s+|\#.*)|(?P<arrow>->)|(?P<bar>\|)|(?P<name>[^\W\d]\w*)|(?P<terminal>'[^']*'|"[^"]*")""", re.VERBOSE
)


class Rule(NamedTuple):
    """left -> right: a nonterminal's number, and a tuple of such numbers and of terminals, which are strings."""

    left: int
    right: tuple


class Grammar:
    """A context-free grammar, and what a machine that derives its strings has to know: K rules and the step `done`,
    which follows the last of a derivation.

    Args:
        text: the grammar's text.

    Attributes:
        text: the same without comments, a line for each nonterminal. nonterminals: their names. rules: `Rule`s, rule k
            being number k. done: K.
        size: K + 1. left: int32 [K + 1], the nonterminal that a rule rewrites; of `done` it is `nothing`, a number that
            is no nonterminal's.
        pushed: int32 [K + 1, M], the nonterminals of a rule's right side, the last of them first, filled up with
            `nothing`; count: int32 [K + 1], how many.
        shortest: int32 [nonterminals], rules of a nonterminal's shortest derivation. gain: int32 [K + 1], by how much a
            rule changes the sum of
        `shortest` over what is still to be rewritten: -1 on a shortest way.

    Raises:
        ValueError: for text that is no grammar, a nonterminal without a rule, one that nothing leads to, one that
            derives no string, one that derives itself, and a rule that stands twice.
    """

    def __init__(self, text):
        lines = list(_read(text))
        names = list(dict.fromkeys(left for _, left, _ in lines))
        if not lines:
            raise ValueError("the grammar has no rule; a rule reads S -> S '+' T.")
        numbers = {name: number for number, name in enumerate(names)}
        for number, _, right in lines:
            for symbol in right:
                if not _quoted(symbol) and symbol not in numbers:
                    raise ValueError(f"line {number} of the grammar: no rule says what {symbol!r} becomes; terminals "
                                     "are quoted.")
        self.nonterminals, self.start = tuple(names), 0
        # rules of a nonterminal that stand apart come together
        ordered = sorted(lines, key=lambda line: numbers[line[1]])
        self.rules = tuple(Rule(numbers[left],
                                tuple(s[1:-1] if _quoted(s) else numbers[s] for s in right if s not in ("''", '""')))
                           for _, left, right in ordered)
        self.text = "\n".join(f"{name} -> " + " | ".join(" ".join(right) or "''" for _, left,
                                                         right in ordered if left == name) for name in names)
        self.done, self.size, self.nothing = len(self.rules), len(self.rules) + 1, len(names)
        self._check(ordered)
        inner = [[s for s in rule.right if not isinstance(s, str)][::-1] for rule in self.rules] + [[]]
        self.left = np.array([rule.left for rule in self.rules] + [self.nothing], np.int32)
        self.count = np.array([len(symbols) for symbols in inner], np.int32)
        width = max(1, self.count.max())
        self.pushed = np.array([symbols + [self.nothing] * (width - len(symbols)) for symbols in inner], np.int32)
        cost = np.append(self.shortest, 0)
        self.gain = np.array([cost[symbols].sum() - cost[left] for symbols, left in zip(inner, self.left)], np.int32)

    def expand(self, rules):
        """Returns (the string that the rules derive, whether nothing is left to rewrite in it).

        Of what is no derivation it is what the rules before the first wrong one derive, nonterminals being shown as
        ⟨name⟩.
        """
        text, left = [], [self.start]
        for rule in map(int, rules):
            while left and isinstance(left[-1], str):
                text.append(left.pop())
            if rule == self.done or not left or self.rules[rule].left != left[-1]:
                break
            left[-1:] = self.rules[rule].right[::-1]
        rest = left[::-1]
        text += [s if isinstance(s, str) else f"⟨{self.nonterminals[s]}⟩" for s in rest]
        return "".join(text), all(isinstance(s, str) for s in rest)

    def _check(self, ordered):
        """Raises ValueError for a rule that stands twice, a nonterminal that is of no use, or endless derivations."""
        seen = {}
        for number, left, right in ordered:
            first = seen.setdefault((left, tuple(right)), number)
            if first != number or ordered.count((number, left, right)) > 1:
                raise ValueError(f"line {number} of the grammar: the rule {left} -> {' '.join(right)} stands twice "
                                 f"(line {first}).")
        reached = self._reached()
        lost = [name for number, name in enumerate(self.nonterminals) if number not in reached]
        if lost:
            raise ValueError(f"nothing leads from the start symbol {self.nonterminals[0]!r} to {_list(lost)}: "
                             "unreachable in the grammar.")
        self.shortest = self._shortest()
        endless = [name for number, name in enumerate(self.nonterminals) if self.shortest[number] < 0]
        if endless:
            raise ValueError(f"no derivation from {_list(endless)} ends: unproductive in the grammar.")
        name = self._itself()
        if name is not None:
            raise ValueError(f"{self.nonterminals[name]!r} derives itself, so that strings have endlessly many "
                             "derivations; take out a rule.")

    def _reached(self):
        """Returns the nonterminals that the start symbol leads to, itself included."""
        reached, todo = {self.start}, [self.start]
        while todo:
            left = todo.pop()
            found = {s for rule in self.rules if rule.left == left for s in rule.right if not isinstance(s, str)}
            todo += found - reached
            reached |= found
        return reached

    def _shortest(self):
        """Counts the rules of each nonterminal's shortest derivation, -1 where none ends."""
        found = np.full(len(self.nonterminals), -1, np.int64)
        while True:
            before = found.copy()
            for left, right in self.rules:
                parts = [before[s] for s in right if not isinstance(s, str)]
                if min(parts, default=0) >= 0 and not 0 <= found[left] <= 1 + sum(parts):
                    found[left] = 1 + sum(parts)
            if np.array_equal(found, before):
                return found.astype(np.int32)

    def _itself(self):
        """Returns a nonterminal that derives itself alone, or None."""
        empty, size = self._empty(), len(self.nonterminals)
        alone = np.zeros((size, size), bool)
        for left, right in self.rules:
            for place, symbol in enumerate(right):
                if not isinstance(symbol, str) and empty.issuperset(right[:place] + right[place + 1:]):
                    alone[left, symbol] = True
        for middle in range(size):
            alone |= alone[:, middle:middle + 1] & alone[middle]
        found = np.flatnonzero(alone.diagonal())
        return int(found[0]) if len(found) else None

    def _empty(self):
        """Returns the nonterminals that derive the empty string."""
        empty, before = set(), None
        while empty != before:
            before = empty
            empty = {rule.left for rule in self.rules if empty.issuperset(rule.right)}
        return empty


def names():
    """Lists the grammars that come with the zoo."""
    return sorted(path.name.removesuffix(".cfg") for path in _FOLDER.iterdir() if path.name.endswith(".cfg"))


def packaged(name):
    """Reads the `Grammar` of this name that comes with the zoo."""
    return Grammar((_FOLDER / f"{name}.cfg").read_text(encoding="utf-8"))


def _read(text):
    """Yields (line's number, left, [symbols of an alternative]) of each rule; terminals still quoted."""
    left = None
    for number, line in enumerate(text.split("\n"), 1):
        tokens = list(_tokens(number, line))
        if not tokens:
            continue
        kinds = [kind for kind, _ in tokens]
        if kinds[:2] == ["name", "arrow"]:
            left, tokens = tokens[0][1], tokens[2:]
        elif kinds[0] == "bar" and left is not None:
            tokens = tokens[1:]
        else:
            raise ValueError(f"line {number} of the grammar: {line.strip()!r} is no rule; a rule reads S -> S '+' T, "
                             "and a line that begins with | goes on with one.")
        right = []
        for kind, symbol in [*tokens, ("bar", "|")]:
            if kind == "arrow":
                raise ValueError(f"line {number} of the grammar: a second -> in {line.strip()!r}; each rule has a line "
                                 "of its own.")
            if kind == "bar":
                yield number, left, right
                right = []
            else:
                right.append(symbol)


def _tokens(number, line):
    place = 0
    while place < len(line):
        found = _TOKEN.match(line, place)
        if not found:
            raise ValueError(f"line {number} of the grammar: {line[place:].strip()!r} is neither a name, a quoted "
                             "terminal, -> nor |.")
        place = found.end()
        if found.lastgroup != "space":
            yield found.lastgroup, found[0]


def _quoted(symbol):
    return symbol[0] in "'\""


def _list(names):
    return ", ".join(map(repr, names))
