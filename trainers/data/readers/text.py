"""Text: `text_file:PATH`, `lines:PATH`, and what a data set of TFDS has under the feature `text`.

A long text's examples are windows of T tokens: to train, the window that starts at any token; to evaluate, those that
follow one another. A file of lines has an example a line, filled up with the end token. Tokens are what the training
split's tokenizer gives.
"""

import hashlib
import pathlib

import numpy as np

from trainers.data import grammars, options, tokenizers
from trainers.data.dataset import DataSet, Field, Text, hold_out_by_content, said_of_hold_out
from trainers.data.pipeline import CACHE_BYTES
from trainers.errors import BadInput

LENGTH = 64  # tokens of a window, where nothing else is asked for
LARGEST = 1 << 30  # bytes of a text: it is kept in memory, four bytes a token


def open_text_file(name, entries, log, tokenizer):
    """Opens `text_file:PATH`: the first 90 % of the characters to train, 5 % for validation, the last 5 % to test."""
    asked = options.take(options.Text, name, entries)
    _no_validation(name, asked, "the last but one 5 % of the text are")
    text, version = read(name)
    first, second = len(text) * 90 // 100, len(text) * 95 // 100
    return windows(name, version, {"train": text[:first], "validation": text[first:second], "test": text[second:]},
                   asked, log, tokenizer, dict(hold_out="the last 5 % of the characters, validation the 5 % before"))


def open_lines(name, entries, log, tokenizer):
    """Opens `lines:PATH`: a line that is not blank is an example, 10 % (the entry `held_out`) for validation and as
    many to test by their contents."""
    asked = options.take(options.Lines, name, entries)
    _no_validation(name, asked, "a part of the lines, --config.data.held_out, is")
    text, version = read(name)
    stored = [line.removesuffix("\r") for line in text.split("\n")]
    places = [place for place, line in enumerate(stored) if line.strip()]
    rows = hold_out_by_content(name, [stored[place].encode() for place in places], "lines", asked.held_out)
    texts = {}
    for split, found in rows.items():
        numbers = [places[row] + 1 for row in found]
        texts[split] = [(f"line {number}", stored[number - 1]) for number in numbers]
    return lines(name, version, texts, asked, log, tokenizer,
                 dict(hold_out=said_of_hold_out("lines", " of their contents", asked.held_out)))


def lines(name, version, texts, asked, log, tokenizer, facts, grammar=None):
    """Makes the `DataSet` of {split: [(what to call a text, the text)]} whose examples are texts, filled up with the
    end; `grammar`: where --config.data names none."""
    called = {split: [name for name, _ in found] for split, found in texts.items()}
    texts = {split: [text for _, text in found] for split, found in texts.items()}
    tokenizer = tokenizer or _make(name, asked, texts["train"], log, True, grammar)
    if tokenizer.end is None:
        raise BadInput(f"--dataset={name}: the run's tokenizer has no end token, which lines need.")
    tokens = {split: _encode(name, tokenizer, split, texts[split], called[split]) for split in texts}
    lengths = {split: np.array([len(line) for line in found]) for split, found in tokens.items()}
    longest = max(map(np.max, lengths.values())) + 1  # with its end
    length = asked.length or int(longest)
    if length < longest:
        what = _first_of(longest - 1, lengths, called)
        raise BadInput(f"--config.data.length={length}: {what} of --dataset={name} has {longest - 1} tokens and an "
                       f"end; at least {longest} is needed (0: the longest line's).")
    if sum(map(len, tokens.values())) * length * 4 > CACHE_BYTES:
        raise BadInput(f"--dataset={name}: {sum(map(len, tokens.values()))} lines filled up to the {length} tokens of "
                       "the longest take more than "
                       f"{CACHE_BYTES >> 30} GiB; shorten the longest, or train on windows of text_file:PATH.")
    cache, streams = {}, {}
    for split, found in tokens.items():
        x = np.full((len(found), length), tokenizer.end, np.int32)
        x[np.arange(length) < lengths[split][:, None]] = np.concatenate(found)
        cache[split], streams[split] = {"x": x}, x[np.arange(length) <= lengths[split][:, None]]
    held = Text(tokenizer, streams,
                {split: sum(len(line.encode()) + 1 for line in found) for split, found in texts.items()}, windows=False)
    return DataSet(name, version, {"x": Field("text", (length,), tokenizer.size)},
                   {split: len(found) for split, found in tokens.items()}, cache=cache,
                   text=held, facts=_facts(held) | facts, options=asked)


def windows(name, version, texts, asked, log, tokenizer, facts):
    """Makes the `DataSet` of {split: text} whose examples are windows."""
    length = asked.length or LENGTH
    tokenizer = tokenizer or _make(name, asked, [texts["train"]], log)
    streams = {split: _encode(name, tokenizer, split, text) for split, text in texts.items()}
    for split, stream in streams.items():
        if len(stream) < length:
            shorter = f"set --config.data.length={len(stream)}, or less, or " if len(stream) else ""
            raise BadInput(f"--dataset={name}: split {split!r} has {len(stream)} tokens, a window takes {length}; "
                           f"{shorter}give a longer text.")
    held = Text(tokenizer, streams, {split: len(text.encode()) for split, text in texts.items()}, windows=True)
    sizes = {split: len(stream) // length for split, stream in streams.items()}
    scored = {split: num * length for split, num in sizes.items()}
    return DataSet(name, version, {"x": Field("text", (length,), tokenizer.size)}, sizes, text=held,
                   facts=_facts(held) | dict(tokens_in_windows=scored) | facts, options=asked)


def read(name):
    """Returns (text, version) of the file at the end of `name`. Raises BadInput where it is missing, empty, too large,
    or no text in UTF-8."""
    kind, _, path = name.partition(":")
    if not path:
        raise BadInput(f"--dataset={name} lacks the path of a file: {kind}:PATH.")
    path = pathlib.Path(path).expanduser()
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise BadInput(f"--dataset={name}: {path} has {size} bytes, at most {LARGEST} are taken.")
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"--dataset={name}: {path} can't be read: {error.strerror}; give the path of a text file."
        ) from error
    return decode(name, content), f"sha256:{hashlib.sha256(content).hexdigest()[:12]}"


def decode(name, content):
    """Decodes bytes to text; a byte order mark is no part of it."""
    try:
        text = content.decode("utf-8-sig")
        place, found = content.find(b"\0"), "a zero byte"
    except UnicodeDecodeError as error:
        place, found = error.start, f"the byte 0x{content[error.start]:02x}, which is no UTF-8"
    if place >= 0:
        raise BadInput(f"--dataset={name}: has {found} at byte {place} (line {content[:place].count(10) + 1}); a text "
                       "in UTF-8 is needed.")
    if not text.strip():
        raise BadInput(f"--dataset={name}: the text is empty.")
    return text


def _no_validation(name, asked, what):
    if asked.validation:
        raise BadInput(f"--config.data.validation={asked.validation}: {what} the validation split of "
                       f"--dataset={name} already; leave it 0.")


def _make(name, asked, texts, log, end=False, grammar=None):
    """Makes the tokenizer that is asked for, of the training split's texts."""
    if isinstance(asked, options.Lines) and asked.grammar:
        grammar = grammars.read(asked.grammar)
    tokenizer = tokenizers.make(asked.tokenizer, asked.vocabulary, texts, end, grammar)
    if tokenizer.size < asked.vocabulary:
        log(f"--dataset={name}: no pair of tokens is left that occurs twice, so the vocabulary has {tokenizer.size} in "
            f"place of {asked.vocabulary}.")
    return tokenizer


def _first_of(num, lengths, called):
    """Returns what the first text of `num` tokens is called; lengths: {split: int [n]}."""
    for split, found in lengths.items():
        if num in found:
            return called[split][np.flatnonzero(found == num)[0]]


def _encode(name, tokenizer, split, text, called=None):
    """Encodes a text, or many if there is a list of what to call them."""
    try:
        return tokenizer.encode(text) if called is None else tokenizer.encode_all(text)
    except BadInput as error:
        row = getattr(error, "row", None)
        if row is not None:
            raise BadInput(
                f"--dataset={name}: {called[row]}, {error}; correct it, or --config.data.grammar."
            ) from error
        raise BadInput(f"--dataset={name}: split {split!r}: {error}; set --config.data.tokenizer=bytes, which knows "
                       "every text.") from error


def _facts(text):
    """Says what a record says of a text."""
    counts = {split: len(stream) for split, stream in text.streams.items()}
    return dict(tokenizer=text.tokenizer.describe(), tokens=counts, text_bytes=dict(text.num_bytes),
                bytes_per_token={split: text.num_bytes[split] / max(num, 1) for split, num in counts.items()})
