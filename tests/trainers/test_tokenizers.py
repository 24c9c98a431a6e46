"""Tokenizers: the text comes back, tokens are what they are said to be, and what can't be taken is one sentence."""

import json

import numpy as np
import pytest

from tests.trainers.test_data import sentence
from tests.trainers.test_text_data import POEM, RHYME
from trainers.data import tokenizers
from trainers.data.tokenizers import BytePairs, Bytes, Characters


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("name, vocabulary", [("characters", 0), ("bytes", 0), ("bpe", 270)])
def test_a_tokenizer_gives_the_text_back(name, vocabulary, end):
    tokenizer = tokenizers.make(name, vocabulary, [RHYME], end)
    tokens = tokenizer.encode(RHYME)
    known = {"characters": len(set(RHYME)), "bytes": 256, "bpe": 270 - end}[name]
    assert tokens.dtype == np.int32 and tokens.min() >= 0 and tokens.max() < known
    assert tokenizer.size == known + end and tokenizer.end == (known if end else None)
    assert tokenizer.decode(tokens) == RHYME and tokenizer.decode([]) == ""
    again = tokenizers.from_dict(json.loads(json.dumps(tokenizer.to_dict())))
    np.testing.assert_array_equal(again.encode(RHYME), tokens)
    assert (again.decode(tokens), again.size, again.end, again.describe()) == (RHYME, tokenizer.size, tokenizer.end,
                                                                               tokenizer.describe())
    parts = ["The cat", "", "☕", "mat.\n"]
    for part, found in zip(parts, tokenizer.encode_all(parts), strict=True):
        np.testing.assert_array_equal(found, tokenizer.encode(part))
    if end:  # what follows the first end is no text
        assert tokenizer.decode(np.concatenate([tokenizer.encode("cat"), [tokenizer.end], tokens])) == "cat"


def test_characters_are_numbered_by_code_point():
    tokenizer = tokenizers.make("auto", 0, ["banana", " c"])
    np.testing.assert_array_equal(tokenizer.encode(" abcn"), np.arange(5))


def test_bytes_are_those_of_utf_8():
    np.testing.assert_array_equal(Bytes().encode("é☕"), list("é☕".encode()))
    assert Bytes().decode([0xe2, 0x98]) == "\ufffd"  # half of a character


def test_byte_pairs_merge_the_most_frequent_pair_within_a_word():
    tokenizer = tokenizers.make("auto", 257, ["xy xy xy", " zw zw"])  # x y: 3, space x: 2, space z: 2, z w: 2
    tokens = tokenizer.encode("xyzw")
    assert tokenizer.size == 257 and [tokenizer.decode([token]) for token in tokens] == ["xy", "z", "w"]
    assert len(set(tokenizer.encode("xy xy")) & set(tokens)) == 1
    text = "hello there, hello where, hello here. " * 30
    large = tokenizers.make("bpe", 280, [text])
    # and no text is refused
    assert 4 * len(large.encode(text)) < len(text)
    assert large.decode(large.encode("ünseen ☕\x00\n")) == "ünseen ☕\x00\n"


def test_byte_pairs_of_pieces_are_those_of_the_whole(monkeypatch):
    whole = BytePairs.train([POEM + RHYME], 300)
    tokens = whole.encode(POEM + RHYME)
    monkeypatch.setattr(tokenizers, "PIECE", 20)
    assert (
        len(list(tokenizers._pieces(POEM + RHYME))) > 100 and "".join(tokenizers._pieces(POEM + RHYME)) == POEM + RHYME
    )
    assert BytePairs.train([POEM + RHYME], 300).to_dict() == whole.to_dict()
    np.testing.assert_array_equal(whole.encode(POEM + RHYME), tokens)


@pytest.mark.parametrize("name, vocabulary, words", [
    ("caracters", 0, ["--config.data.tokenizer=caracters", "'characters'"]),
    ("bpe", 0, ["--config.data.vocabulary=0", "257", "1024"]),
    ("auto", 256, ["--config.data.vocabulary=256", "257"]),
    ("bytes", 300, ["--config.data.vocabulary=300", "bytes", "tokenizer=bpe"])])
def test_tokenizers_that_there_are_not(name, vocabulary, words):
    sentence(lambda: tokenizers.make(name, vocabulary, [RHYME]), *words)


def test_what_a_tokenizer_can_not_take():
    tokenizer = Characters("abc", end=True)
    sentence(lambda: tokenizer.encode("abécd"), "'é' (U+00E9) at place 2", "none of the 3")
    sentence(lambda: tokenizer.encode_all(["ab", "cbé"]), "'é' (U+00E9) at place 2")
    for prompt in ("ab\udce9", "\udce9"):  # a byte of the command line that is no UTF-8
        for one in (tokenizer, Bytes(), BytePairs.train(["abc"], 300)):
            sentence(lambda: one.encode(prompt), f"at place {prompt.index(chr(0xdce9))}")
    for tokens in ([4], [-1]):
        with pytest.raises(ValueError, match="0 to 3"):
            tokenizer.decode(tokens)
    for values in ({}, dict(tokenizer="bpe", end=False, state="{"), dict(tokenizer="words", end=False, state=None)):
        sentence(lambda: tokenizers.from_dict(values), "tokenizer can't be read")


# Windows of a text.
