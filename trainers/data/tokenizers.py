"""Tokenizers: a text as integers, and back. Characters of the training split, UTF-8 bytes, pairs of bytes that occur
together, or the rules of a grammar.

Byte-pair encoding is GPT-2's (A. Radford et al., Language Models are Unsupervised Multitask Learners, 2019; R.
Sennrich, B. Haddow and A. Birch, Neural Machine Translation of Rare Words with Subword Units, 2016, arXiv:1508.07909):
it starts from all 256 bytes, so that every text can be encoded, and merges the most frequent pair within a word until
the vocabulary is full.
"""

import abc
import hashlib
import re

import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from trainers.data import grammars, options
from trainers.errors import BadInput
from zoo.distributions.grammar import Grammar

# characters that the library is given at once: what it keeps of each token takes far more memory than the token
PIECE = 1 << 20


class Tokenizer(abc.ABC):
    """Tokens are 0..size-1; `end`, the last of them where there is one, follows a text's last token and stands for no
    character.

    `grammar`: the one by which texts are judged, where there is one.
    """

    name: str
    grammar = None

    def __init__(self, known, end):
        self.size = known + bool(end)
        self.end = known if end else None

    @abc.abstractmethod
    def encode(self, text):
        """Encodes a str as int32 [n], without an end. Raises BadInput for a character that has no token."""

    def encode_all(self, texts):
        """Encodes many, as a list of int32 [n]."""
        return [self.encode(text) for text in texts]

    def whole(self, tokens):
        """Tells whether tokens [T] are all of a text."""
        return True

    def decode(self, tokens):
        """Decodes integers [n], up to the first end. What is no UTF-8, as half of a character, becomes U+FFFD."""
        tokens = np.asarray(tokens).astype(np.int64)
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.size:
            raise ValueError(f"tokens are 0 to {self.size - 1}, found {tokens.min()} to {tokens.max()}.")
        if self.end is not None:
            tokens = tokens[:np.argmax(np.append(tokens, self.end) == self.end)]
        return self._decode(tokens)

    @abc.abstractmethod
    def _decode(self, tokens):
        """Decodes tokens that are known to be right."""

    @abc.abstractmethod
    def _state(self):
        """Returns what `from_dict` makes it again from, a JSON value."""

    def to_dict(self):
        """Describes the whole tokenizer as a JSON object."""
        judged = {} if self.grammar is None else dict(grammar=self.grammar.text)
        return dict(tokenizer=self.name, end=self.end is not None, state=self._state()) | judged

    def describe(self):
        """Says what a record says of it."""
        said = dict(name=self.name, size=self.size, end=self.end)
        if self.grammar is not None:
            said["grammar"] = f"sha256:{hashlib.sha256(self.grammar.text.encode()).hexdigest()[:12]}"
        return said


class Characters(Tokenizer):
    """A token for each of `alphabet`, in the order of their code points."""

    name = "characters"

    def __init__(self, alphabet, end=False):
        self._codes = np.unique(_codes(alphabet))
        super().__init__(len(self._codes), end)

    def encode(self, text):
        codes = _codes(text)
        tokens = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        unknown = np.flatnonzero(self._codes[tokens] != codes)
        if unknown.size:
            place, code = unknown[0], codes[unknown[0]]
            raise BadInput(f"the character {chr(code)!r} (U+{code:04X}) at place {place} is none of the "
                           f"{len(self._codes)} of the training split")
        return tokens.astype(np.int32)

    def encode_all(self, texts):
        try:
            # at once: a call takes as long as a thousand characters
            return _cut(self.encode("".join(texts)), map(len, texts))
        except BadInput:
            return super().encode_all(texts)  # says at which place of its own text the character is

    def _decode(self, tokens):
        return self._codes[tokens].tobytes().decode("utf-32-le", "replace")

    def _state(self):
        return self._codes.tobytes().decode("utf-32-le")


class Bytes(Tokenizer):
    """A token for each of the 256 bytes of UTF-8."""

    name = "bytes"

    def __init__(self, end=False):
        super().__init__(256, end)

    def encode(self, text):
        return np.frombuffer(_utf8(text), np.uint8).astype(np.int32)

    def encode_all(self, texts):
        return _cut(self.encode("".join(texts)), (len(_utf8(text)) for text in texts))

    def _decode(self, tokens):
        return tokens.astype(np.uint8).tobytes().decode("utf-8", "replace")

    def _state(self):
        return None


class BytePairs(Tokenizer):
    """Byte-pair encoding; `state` is what the library `tokenizers` serializes it to."""

    name = "bpe"

    def __init__(self, state, end=False):
        self._pairs = tokenizers.Tokenizer.from_str(state)
        super().__init__(self._pairs.get_vocab_size(), end)

    @classmethod
    def train(cls, texts, vocabulary, end=False):
        """Makes the one of these texts with at most `vocabulary` tokens: fewer where no pair is left that occurs twice.
        """
        pairs = tokenizers.Tokenizer(models.BPE())
        pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        pairs.decoder = decoders.ByteLevel()
        trainer = BpeTrainer(vocab_size=vocabulary - bool(end), min_frequency=2, show_progress=False,
                             initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
        pairs.train_from_iterator((piece for text in texts for piece in _pieces(text)), trainer)
        return cls(pairs.to_str(), end)

    def encode(self, text):
        _utf8(text)
        return np.concatenate([np.zeros(0, np.int32),
                               *(np.array(self._pairs.encode(piece).ids, np.int32) for piece in _pieces(text))])

    def encode_all(self, texts):
        return [np.array(found.ids, np.int32) for found in self._pairs.encode_batch(texts)]

    def _decode(self, tokens):
        return self._pairs.decode(tokens.tolist(), skip_special_tokens=False)

    def _state(self):
        return self._pairs.to_str()


class Derivations(Tokenizer):
    """A token for each rule of the grammar, in their order; a line is its derivation, and the end fills it up."""

    name = "grammar"

    def __init__(self, grammar):
        super().__init__(len(grammar.rules), end=True)
        self.grammar, self._parser = grammar, grammars.Parser(grammar)

    def encode(self, text):
        return np.array(self._parser.rules(text), np.int32)

    def encode_all(self, texts):
        found = []
        for row, text in enumerate(texts):
            try:
                found.append(self.encode(text))
            except grammars.NotDerived as error:
                raise grammars.NotDerived(text, error.place, row) from None
        return found

    def whole(self, tokens):
        return self.grammar.expand(tokens)[1]  # a nonterminal that is left over is no text

    def _decode(self, tokens):
        return self.grammar.expand(tokens)[0]

    def _state(self):
        return None  # the grammar is all


def make(name, vocabulary, texts, end=False, grammar=None):
    """Makes the tokenizer that --config.data asks for, of the training split's texts. Raises BadInput for a name or a
    size that is none."""
    tokenizer = _make(name, vocabulary, texts, end, grammar)
    tokenizer.grammar = grammar
    return tokenizer


def _make(name, vocabulary, texts, end, grammar):
    options.check({"tokenizer": name})
    if name == "auto":
        name = "bpe" if vocabulary else "characters"
    if name == "bpe":
        fewest = 257 + bool(end)
        if type(vocabulary) is not int or vocabulary < fewest:
            raise BadInput(f"--config.data.vocabulary={vocabulary}: byte-pair encoding needs a size of at least "
                           f"{fewest}, for example --config.data.vocabulary=1024.")
        return BytePairs.train(texts, vocabulary, end)
    if vocabulary:
        raise BadInput(f"--config.data.vocabulary={vocabulary}: --config.data.tokenizer={name} has a size of its own; "
                       "leave it 0, or set --config.data.tokenizer=bpe.")
    if name == "grammar":
        if not end:
            raise BadInput("--config.data.tokenizer=grammar: a derivation is that of a line; choose lines:PATH.")
        if grammar is None:
            raise BadInput("--config.data.tokenizer=grammar: tokens are a grammar's rules; set --config.data.grammar "
                           "to a file with a grammar, or to one of "
                           f"{', '.join(grammars.known())}.")
        return Derivations(grammar)
    return Bytes(end) if name == "bytes" else Characters("".join(texts), end)


def from_dict(values):
    """Makes the tokenizer that `to_dict` described. Raises BadInput where it is no such description."""
    try:
        name, end, state = values["tokenizer"], bool(values["end"]), values["state"]
        grammar = Grammar(values["grammar"]) if "grammar" in values else None
        tokenizer = {"characters": lambda: Characters(state, end), "bytes": lambda: Bytes(end),
                     "bpe": lambda: BytePairs(state, end),
                     "grammar": lambda: _make(name, 0, (), end, grammar)}[name]()
    except Exception as error:  # the library raises plain `Exception`
        raise BadInput(f"the run's tokenizer can't be read: {type(error).__name__}: {error}.") from error
    tokenizer.grammar = grammar
    return tokenizer


def _cut(tokens, lengths):
    """Cuts tokens into pieces of these lengths."""
    return np.split(tokens, np.cumsum(list(lengths))[:-1])


def _codes(text):
    """Returns the code points of a str, uint32 [n]."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _utf8(text):
    try:
        return text.encode()
    except UnicodeEncodeError as error:  # as a command line gives bytes that are no UTF-8
        raise BadInput(f"the character at place {error.start} is no UTF-8") from error


def _pieces(text):
    """Cuts a text into pieces of about a million characters, where a single line feed ends a line: words of the two
    sides never merge there."""
    first, cut = 0, re.compile(r"(?<=\S\n)(?=\S)")
    while first < len(text):
        found = cut.search(text, first + PIECE)
        end = found.start() if found else len(text)
        yield text[first:end]
        first = end
