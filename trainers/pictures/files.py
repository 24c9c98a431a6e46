"""Examples as files that people look at, read or listen to: pictures of images and points, text of tokens, sound and
its picture of waveforms, lines of strokes."""

from typing import NamedTuple

import numpy as np

from trainers.data import tokenizers
from trainers.pictures import images, sound, strokes

COLUMNS = 10  # examples in a line, with what was made of them beneath
_SOUNDS = 8  # that a picture has panels for
ENDINGS = {"tokens": (".txt",), "waveform": (".wav", ".png"), "strokes": (".png", ".svg")}


class Medium(NamedTuple):
    """What examples mean: the tokenizer of a text, the rate of a sound in Hz."""

    tokenizer: object = None
    rate: int | None = None


def medium(dataset):
    """Makes the `Medium` of an open data set."""
    return Medium(getattr(dataset, "tokenizer", None), getattr(dataset, "rate", None))


def stored(workdir, description):
    """Makes the `Medium` of a run, from its folder and its description."""
    tokenizer = workdir.read_tokenizer()
    if tokenizer is not None:
        tokenizer = tokenizers.from_dict(tokenizer)
    return Medium(tokenizer, description.get("data", {}).get("rate"))


def endings(domain):
    """Lists the endings of the files that show examples of the domain, the usual one first."""
    return ENDINGS.get(domain.kind, (".png",))


def file(x, domain, ending, medium=Medium(), columns=None):
    """Makes the bytes of the file with this ending that shows examples [num, *shape] in the domain's units."""
    if domain.group:  # the examples of one label in a line
        x, columns = x.reshape(-1, *domain.shape), columns or domain.group
    if ending == ".txt":
        return text(x, medium.tokenizer).encode()
    if ending == ".wav":
        return sound.wav_bytes(x.reshape(-1), medium.rate)
    if domain.kind == "strokes":
        return strokes.file(x, ending, columns)
    if domain.kind == "waveform":
        return images.png(sound.waveforms(x[:_SOUNDS], medium.rate))
    return images.png(images.picture(x, domain, columns))


def beneath(stacks, domain, ending, medium=Medium(), columns=None):
    """Makes the same of equally long arrays of examples, line by line beneath one another; in text and sound the
    examples of a place follow one another."""
    if domain.group:
        stacks, columns = [x.reshape(-1, *domain.shape) for x in stacks], domain.group
    columns = columns or len(stacks[0])
    if domain.kind == "strokes":
        return strokes.file(strokes.beneath(stacks, columns), ending, columns)
    if ending != ".png" or domain.kind == "waveform":
        return file(np.stack(stacks, 1).reshape(-1, *stacks[0].shape[1:]), domain, ending, medium)
    if not images.is_image(domain):
        return images.png(images.picture(stacks[-1], domain))
    return images.png(images.grid(_lines([images.to_uint8(stack, domain) for stack in stacks], columns),
                                  columns=columns))


def translated(x, made, domain, ending, medium=Medium(), columns=None):
    """Makes the bytes of the file that shows examples with their translations into the partner's domain beneath.

    Where the two are not images of one size, the translations alone.
    """
    other = domain.partner or domain
    if not (images.is_image(domain) and images.is_image(other)) or domain.shape[:2] != other.shape[:2]:
        return file(made, other, ending, medium, columns)
    stacks = [images.to_uint8(stack, of) for stack, of in ((x, domain), (made, other))]
    channels = max(stack.shape[-1] for stack in stacks)
    stacks = [np.repeat(stack, channels // stack.shape[-1], axis=-1) for stack in stacks]
    return images.png(images.grid(_lines(stacks, columns or len(x)), columns=columns or len(x)))


def _lines(stacks, columns):
    """Puts equally long arrays of images, uint8 [num, H, W, C], as lines beneath one another, those of the last line
    filled up."""
    lines = []
    for x in stacks:
        x = np.concatenate([x, np.full((-len(x) % columns, *x.shape[1:]), images.SEPARATOR, np.uint8)])
        lines.append(x.reshape(-1, columns, *x.shape[1:]))
    cells = np.stack(lines, axis=1)  # [lines, stacks, columns, H, W, C]
    return cells.reshape(-1, *cells.shape[3:])


def text(x, tokenizer):
    """Writes the texts of rows of tokens, parted by lines of dashes if they have several lines."""
    texts = [tokenizer.decode(row) for row in x]
    between = f"\n{'-' * 40}\n" if any("\n" in text for text in texts) else "\n"
    return between.join(texts) + "\n"
