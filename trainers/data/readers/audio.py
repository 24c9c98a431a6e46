"""Sound: the user's wav files, `wav_folder:PATH`, and what is done alike with stored sound (`stored_audio.py`).

An example is a fixed number of 16-bit samples of one channel, kept in memory as int16; a model reads x / 2^15. Files of
another rate are resampled by SciPy's polyphase filter, and the log says so.
"""

import collections
import math
import pathlib
import struct
import warnings
from typing import NamedTuple

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from trainers.data import folders, options, sizes
from trainers.data.dataset import DataSet, Field, hold_out_by_content, said_of_hold_out
from trainers.data.pipeline import CACHE_BYTES
from trainers.errors import BadInput

LENGTH = 8192  # samples of an example, where nothing else is asked for
PEAK = 1 << 15


def open_wav_folder(name, entries, log):
    """Opens `wav_folder:PATH`: each file cut into examples of `length` samples, the rest of a file left out.

    If every file lies in a sub-folder, the first folder's name is its label. 10 % of the files (`held_out`) are held
    out to test, as many for validation, by a hash of their sound. `rate`: samples a second; 0 is the rate that most
    files have.
    """
    asked = options.take(options.Sound, name, entries)
    root = pathlib.Path(name.partition(":")[2]).expanduser()
    files = _find(name, root)
    log(f"Reading {len(files)} wav files of {root}.")
    rates, clips = zip(*[_read_wav(name, root, file) for file in files])
    rate = asked.rate or collections.Counter(rates).most_common(1)[0][0]
    length = asked.length or LENGTH
    clips, resampled = at_rate(name, clips, rates, rate, log)
    _check_long_enough(name, clips, [file.relative_to(root) for file in files], length)
    paths = [file.relative_to(root).as_posix() for file in files]
    names, labels = folders.labels_of(paths)
    held = hold_out_by_content(name, (clip.tobytes() for clip in clips), "wav files", asked.held_out)
    sizes.hold_out(name, {split: len(index) for split, index in held.items()}, asked.validation)
    cache = {}
    for split, index in held.items():
        crops = [clips[i][:len(clips[i]) // length * length].reshape(-1, length) for i in index]
        cache[split] = np.concatenate(crops), np.repeat(labels[index], [len(crop) for crop in crops])
    facts = dict(hold_out=said_of_hold_out("files", " of their sound", asked.held_out),
                 crops="one after another, the rest of a file left out", resampled_files=resampled)
    label = Field("class", (), len(names), tuple(names)) if names else None
    return dataset_of(name, folders.version_of(paths, files), Sounds(length, rate, label, cache, facts), asked)


def _check_long_enough(name, clips, paths, length):
    """Raises BadInput where a file is shorter than an example."""
    short = [(len(clip), path) for clip, path in zip(clips, paths) if len(clip) < length]
    if short:
        num, path = min(short)
        raise BadInput(f"--dataset={name}: {len(short)} of {len(clips)} files are shorter than the {length} samples of "
                       f"an example, such as {path} of {num}; set --config.data.length={num} or less, or remove them.")


class Sounds(NamedTuple):
    """What a data set of sound holds.

    length: samples of an example. rate: samples a second. second: the `Field` of what goes with a sound, a label or
    features; None where it means nothing. cache: {split: (sounds, labels or features)}. facts: what a record says.
    """

    length: int
    rate: int
    second: Field | None
    cache: dict
    facts: dict


def dataset_of(name, version, sounds, asked):
    """Makes the `DataSet` of `Sounds`, opened with the options `asked`. Raises BadInput where they are too many."""
    length, rate, second, cache, facts = sounds
    num_bytes = sum(x.nbytes for x, _ in cache.values())
    if num_bytes > CACHE_BYTES:
        raise BadInput(f"--dataset={name}: {num_bytes / 2**30:.1f} GiB of sound, at most {CACHE_BYTES / 2**30:.0f} are "
                       f"kept in memory; take a part of it, or a lower rate than --config.data.rate={rate}.")
    named = {}
    if second is not None:
        named["label" if second.kind == "class" else "features"] = second
    kept = {}
    for split, (x, values) in cache.items():
        kept[split] = {"x": x} | dict.fromkeys(named, values)
    return DataSet(name, version, {"x": Field("audio", (length,))} | named,
                   {split: len(x) for split, (x, _) in cache.items()}, cache=kept, rate=rate, facts=facts,
                   options=asked)


def _find(name, root):
    """Finds the wav files under `root`, sorted; raises BadInput if there are too few."""
    wavs, num = folders.find_files(name, root, ("wav_folder", "wav files", (".wav",)))
    if len(wavs) < 3:
        raise BadInput(f"--dataset={name}: found {len(wavs)} files that end in .wav among {num}, at least 3 are "
                       "needed: to train, for validation and to test.")
    return wavs


def _read_wav(name, root, path):
    """Reads (rate, int16 [n]) of one file."""
    shown = path.relative_to(root)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that it does not know
            rate, x = wavfile.read(path)
    except (ValueError, EOFError, OSError, struct.error) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise BadInput(f"--dataset={name}: {shown} can't be read as a wav file: {reason}; remove or replace "
                       "it.") from error
    if x.ndim != 1:
        raise BadInput(f"--dataset={name}: {shown} has {x.shape[1]} channels, one is needed; mix it down, for example "
                       "by `sox IN.wav -c 1 OUT.wav`.")
    return int(rate), sixteen_bit(name, shown, x)


def sixteen_bit(name, shown, x):
    """Returns samples of any type that a wav file can hold as int16."""
    x = np.asarray(x)
    if x.dtype == np.int16:
        return x
    if x.dtype == np.uint8:
        return (x.astype(np.int16) - 128) * 256
    if x.dtype == np.int32:  # 24 and 32 bits
        return (x >> 16).astype(np.int16)
    if x.dtype.kind == "f":
        if not np.isfinite(x).all():
            raise BadInput(f"--dataset={name}: {shown} has samples that are not finite; remove or replace it.")
        return _rounded(x.astype(np.float64) * PEAK)
    if x.dtype == np.int64 and np.abs(x).max(initial=0) <= PEAK:  # as TFDS keeps 16 bits
        return np.clip(x, -PEAK, PEAK - 1).astype(np.int16)
    raise BadInput(f"--dataset={name}: {shown} has samples of {x.dtype}, 16-bit sound is needed.")


def at_rate(name, clips, rates, rate, log):
    """Returns (the clips at `rate`, how many had another one)."""
    others = collections.Counter(r for r in rates if r != rate)
    if not others:
        return list(clips), 0
    log(f"{name}: {sum(others.values())} of {len(clips)} clips have {', '.join(f'{r} Hz' for r in sorted(others))}; "
        f"SciPy resamples them to {rate} Hz.")

    def resampled(clip, old):
        common = math.gcd(rate, old)
        return _rounded(resample_poly(clip.astype(np.float64), rate // common, old // common))

    return [clip if old == rate else resampled(clip, old) for clip, old in zip(clips, rates)], sum(others.values())


def _rounded(x):
    return np.clip(np.round(x), -PEAK, PEAK - 1).astype(np.int16)
