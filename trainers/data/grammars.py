"""Grammars of a data set's strings: where they are read, and the parser.

Parsing is lark's, character by character. A grammar of which one character ahead tells the next rule (LALR(1), checked
without any conflict, so that every string has one derivation) takes a third of a millisecond for a molecule; any other
one is parsed by Earley's algorithm, fifty times slower, and of an ambiguous string's derivations the same one is always
taken.
"""

import pathlib

import lark
from lark.exceptions import GrammarError, UnexpectedInput
from lark.lexer import Lexer, Token

from trainers.errors import BadInput
from zoo.distributions import grammar as grammars


class NotDerived(BadInput):
    """A string that the grammar does not derive. place: of the first character (or of the end) that no string which it
    derives has after those before.
    row: which one of many."""

    def __init__(self, text, place, row=0):
        found = (
            f"{text[place]!r} at place {place} can't stand there"
            if place < len(text)
            else f"it ends too soon, at place {place}"
        )
        super().__init__(f"{text!r} is not derived by the grammar: {found}")
        self.text, self.place, self.row = text, place, row


class Parser:
    """Strings -> leftmost derivations of a `zoo.distributions.grammar.Grammar`."""

    def __init__(self, grammar):
        # A token for each character, whatever the terminals are: no string is refused because a longest match went
        # wrong.
        terminals = [symbol for rule in grammar.rules for symbol in rule.right if isinstance(symbol, str)]
        characters = sorted(set("".join(terminals)))
        self._names = {c: f"_C{number}" for number, c in enumerate(characters)}
        bodies = {}
        for number, (left, right) in enumerate(grammar.rules):
            body = []
            for symbol in right:
                body += [self._names[c] for c in symbol] if isinstance(symbol, str) else [f"n{symbol}"]
            bodies.setdefault(left, []).append(f"{' '.join(body)} -> r{number}")
        declared = [f"%declare {' '.join(self._names.values())}"] if characters else []
        text = "\n".join(declared + [f"n{left}: " + "\n | ".join(body) for left, body in bodies.items()])
        arguments = dict(start=f"n{grammar.start}", lexer=_lexer(self._names))
        try:
            self._lark, self.fast = lark.Lark(text, parser="lalr", strict=True, **arguments), True
        except GrammarError:
            self._lark, self.fast = lark.Lark(text, parser="earley", **arguments), False

    def rules(self, text):
        """Returns the rules of the text's derivation, in order. Raises NotDerived."""
        try:
            tree = self._lark.parse(text)
        except _Unknown as error:
            raise NotDerived(text, error.place) from None
        except UnexpectedInput as error:
            raise NotDerived(text, _place(error, text)) from None
        found, left = [], [tree]
        while left:
            node = left.pop()
            found.append(int(node.data[1:]))
            left += reversed(node.children)
        return found

    def derives(self, text):
        """Tells whether the grammar derives the text."""
        try:
            self.rules(text)
        except NotDerived:
            return False
        return True


def _place(error, text):
    """Returns where a string goes wrong: the token of its end has no place, or that of the last character."""
    token = getattr(error, "token", None)
    place = getattr(token, "start_pos", None)
    return len(text) if place is None or token.type == "$END" else place


class _Unknown(Exception):
    """A character of no terminal."""

    def __init__(self, place):
        self.place = place


def _lexer(names):
    class Characters(Lexer):
        def __init__(self, conf):
            pass

        def lex(self, text):
            for place, character in enumerate(text):
                if character not in names:
                    raise _Unknown(place)
                yield Token(names[character], character, start_pos=place)

    return Characters


def validity(tokenizer):
    """Makes the function from tokens [T] to whether they are a string of the tokenizer's grammar; None where it has
    none."""
    if tokenizer.grammar is None:
        return None
    parser = Parser(tokenizer.grammar)
    return lambda tokens: tokenizer.whole(tokens) and parser.derives(tokenizer.decode(tokens))


known = grammars.names


def read(name):
    """Reads the `Grammar` that --config.data.grammar names, None if it names none: one that comes with the zoo, or a
    file. Raises BadInput where it is none."""
    if not name:
        return None
    if name in grammars.names():
        return grammars.packaged(name)
    path = pathlib.Path(name).expanduser()
    try:
        return grammars.Grammar(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        allowed = f"give a file with a grammar, or one of {', '.join(grammars.names())}"
        raise BadInput(f"--config.data.grammar={name}: can't be read: {error.strerror}; {allowed}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(
            f"--config.data.grammar={name}: the byte at place {error.start} is no UTF-8; a text is needed."
        ) from error
    except ValueError as error:
        raise BadInput(f"--config.data.grammar={name}: {error}") from error
