"""Sound: the user's wav files (`wav_folder:PATH`), TFDS data sets with an audio feature such as `spoken_digit`, and the
embedded `tones`.

An example is a fixed number of 16-bit samples of one channel, kept in memory as int16; a model reads x / 2^15. Files of
another rate are resampled by SciPy's polyphase filter, and the log says so.
"""

import collections
import hashlib
import io
import math
import os
import pathlib
import struct
import warnings

import numpy as np

from trainers.data import sizes
from trainers.data.dataset import DataSet, Field, hold_out_by_content, said_of_hold_out, unused
from trainers.data.pipeline import CACHE_BYTES
from trainers.errors import BadInput
from zoo import nearest

LENGTHS = {"spoken_digit": 4096, "tones": 2048}
LENGTH = 8192  # of an example of any other set
PEAK = 1 << 15


def open_wav_folder(name, options, log):
    """The `DataSet` of `name`, `wav_folder:PATH`: each file cut into examples of `options["length"]` samples, the rest
    of a file left out.

    If every file lies in a sub-folder, the first folder's name is its label. 10 % of the files (`options["held_out"]`)
    are held out to test, as many for validation, by a hash of their sound. `options["rate"]`: samples a second; 0 is
    the rate that most files have.
    """
    unused(name, options, ("length", "rate", "validation", "held_out"), "sound")
    root = pathlib.Path(name.partition(":")[2]).expanduser()
    files = _find(name, root)
    log(f"Reading {len(files)} wav files of {root}.")
    rates, clips = zip(*[_read_wav(name, root, file) for file in files])
    rate = options["rate"] or collections.Counter(rates).most_common(1)[0][0]
    length = options["length"] or LENGTH
    clips, resampled = _at_rate(name, clips, rates, rate, log)
    short = [(len(clip), file) for clip, file in zip(clips, files) if len(clip) < length]
    if short:
        num, file = min(short)
        raise BadInput(f"--dataset={name}: {len(short)} of {len(files)} files are shorter than the {length} samples of "
                       "an example, such as "
                       f"{file.relative_to(root)} of {num}; set --config.data.length={num} or less, or remove them.")
    paths = [file.relative_to(root).as_posix() for file in files]
    names = sorted({path.split("/")[0] for path in paths}) if all("/" in path for path in paths) else None
    labels = [names.index(path.split("/")[0]) if names else 0 for path in paths]
    held = hold_out_by_content(name, (clip.tobytes() for clip in clips), "wav files", options)
    sizes.hold_out(name, {split: len(index) for split, index in held.items()}, options["validation"])
    cache = {}
    for split, index in held.items():
        crops = [clips[i][:len(clips[i]) // length * length].reshape(-1, length) for i in index]
        cache[split] = np.concatenate(crops), np.repeat([labels[i] for i in index],
                                                        [len(c) for c in crops]).astype(np.int32)
    digest = hashlib.sha256("".join(f"{path} {file.stat().st_size}\n" for path,
                                    file in zip(paths, files)).encode()).hexdigest()
    facts = dict(hold_out=said_of_hold_out("files", " of their sound", options),
                 crops="one after another, the rest of a file left out", resampled_files=resampled)
    return _dataset(name, f"sha256:{digest[:12]}", length, rate,
                    Field("class", (), len(names), tuple(names)) if names else None, cache, facts)


def open_stored(name, builder, options, log):
    """The `DataSet` of a prepared TFDS builder with the feature `audio`, `tones` included.

    Of a clip the first `options["length"]` samples are taken, silence after those of a shorter one; a clip of `tones`
    is cut as a file of a folder is. `options["label"]` chooses what the label is: `label` (the data set's own), for
    `spoken_digit` `digit` or `speaker`, for `tones` `instrument`
    or `melody`, of which each example has its frames: float32 [length / 64, 2].
    """
    import tensorflow_datasets as tfds
    base = name.partition("/")[0].partition(":")[0]
    kinds = {"spoken_digit": ("digit", "speaker"), "tones": ("instrument", "melody")}.get(base, ("label",))
    label = options["label"] or kinds[0]
    if label not in kinds:
        raise BadInput(f"--config.data.label={label}: --dataset={name} has no such label; {nearest(label, kinds)}")
    unused(name, options | {"label": ""}, ("length", "rate", "validation"), "sound")
    if base == "tones":
        return _open_tones(name, builder, options, label)
    length = options["length"] or LENGTHS.get(base, LENGTH)
    stored_rate = getattr(builder.info.features["audio"], "sample_rate", None) or {
        "spoken_digit": 8000,
        "speech_commands": 16000,
    }.get(base)
    if not stored_rate:
        raise BadInput(f"--dataset={name}: it does not say how many samples a second its sound has; export it as wav "
                       "files and use wav_folder:PATH.")
    rate = options["rate"] or stored_rate
    clips, labels, groups = {}, {}, set()
    for stored in builder.info.splits:
        for example in tfds.as_numpy(builder.as_dataset(split=stored)):
            split, group = (_spoken_digit(example, label) if base == "spoken_digit"
                            else (stored, int(example.get("label", 0))))
            clips.setdefault(split, []).append(_sixteen_bit(name, f"an example of {stored}", example["audio"]))
            labels.setdefault(split, []).append(group)
            groups.add(group)
    names = tuple(map(str, sorted(groups)))
    if label == "speaker":
        order = sorted(groups)
        labels = {split: [order.index(group) for group in part] for split, part in labels.items()}
    elif "label" in builder.info.features:
        names = tuple(builder.info.features["label"].names)
    counts = sizes.hold_out(name, {split: len(part) for split, part in clips.items()}, options["validation"])
    if options["validation"]:  # the last ones
        for parts in (clips, labels):
            parts["validation"], parts["train"] = parts["train"][counts["train"]:], parts["train"][:counts["train"]]
    every = [clip for part in clips.values() for clip in part]
    every, resampled = _at_rate(name, every, [stored_rate] * len(every), rate, log)
    short, silence = sum(len(clip) < length for clip in every), sum(max(0, length - len(clip))
                                                                    for clip in every) / (len(every) * length)
    cut = sum(len(clip) > length for clip in every)
    log(f"{name}: {short} of {len(every)} clips are shorter than {length} samples and end in silence "
        f"({100 * silence:.1f} % of all samples), {cut} are cut.")
    cache, done = {}, 0
    for split, part in clips.items():
        rows = np.zeros([len(part), length], np.int16)
        for row, clip in zip(rows, every[done:done + len(part)]):
            row[:min(length, len(clip))] = clip[:length]
        done += len(part)
        cache[split] = rows, np.array(labels[split], np.int32)
    hold_out = "recordings 0-4 of each speaker and digit to test, 5-9 for validation" if base == "spoken_digit" else (
        f"the last {options['validation']} training examples for validation" if options["validation"]
        else "the data set's own")
    facts = dict(hold_out=hold_out, label=label, crops="the first samples of each clip, silence after a shorter one",
                 silence=round(silence, 4), resampled_files=resampled)
    return _dataset(name, str(builder.info.version), length, rate,
                    Field("class", (), len(names), names) if label != "label" or "label" in builder.info.features
                    else None, cache, facts)


def _spoken_digit(example, label):
    """(split, label) of a recording whose file is DIGIT_SPEAKER_INDEX.wav."""
    digit, speaker, index = example["audio/filename"].decode().removesuffix(".wav").split("_")
    return "test" if int(index) < 5 else "validation" if int(
        index
    ) < 10 else "train", speaker if label == "speaker" else int(digit)


def _open_tones(name, builder, options, label):
    import tensorflow_datasets as tfds

    from trainers.data.embedded import tones
    length = options["length"] or LENGTHS["tones"]
    if options["rate"] not in (0, tones.RATE):
        raise BadInput(f"--config.data.rate={options['rate']}: --dataset={name} is made at {tones.RATE} Hz; leave it "
                       "out.")
    if length > tones.LENGTH or length % tones.FRAME:
        near = min(tones.LENGTH, max(1, round(length / tones.FRAME)) * tones.FRAME)
        raise BadInput(f"--config.data.length={length}: --dataset={name} has {tones.LENGTH} samples in frames of "
                       f"{tones.FRAME}; the nearest length is {near}.")
    sizes.hold_out(name, tones.SIZES, options["validation"])
    crops, frames = tones.LENGTH // length, length // tones.FRAME
    cache = {}
    for split in tones.SIZES:
        examples = list(tfds.as_numpy(builder.as_dataset(split=split)))
        x = np.stack([e["audio"] for e in examples])[:, :crops * length].reshape(-1, length)
        melody = np.stack([e["melody"] for e in examples])[:, :crops * frames].reshape(-1, frames, 2)
        cache[split] = (
            x,
            melody if label == "melody" else np.repeat([e["label"] for e in examples], crops).astype(np.int32),
        )
    facts = dict(hold_out="the data set's own", label=label, crops="one after another")
    second = (
        Field("features", (frames, 2))
        if label == "melody"
        else Field("class", (), len(tones.INSTRUMENTS), tuple(tones.INSTRUMENTS))
    )
    return _dataset(name, str(builder.info.version), length, tones.RATE, second, cache, facts)


def wav_bytes(x, rate):
    """A waveform [T] on [-1, 1] as the bytes of a 16-bit wav file; what is outside is clipped, and what is not a number
    is silence."""
    import wave
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(int(rate))
        out.writeframes(np.clip(np.round(np.nan_to_num(np.asarray(x, np.float64)) * PEAK), -PEAK,
                                PEAK - 1).astype("<i2").tobytes())
    return file.getvalue()


def _dataset(name, version, length, rate, second, cache, facts):
    """The `DataSet` of {split: (sounds, labels or features)}; `second`: the latter's `Field`, None where they mean
    nothing."""
    num_bytes = sum(x.nbytes for x, _ in cache.values())
    if num_bytes > CACHE_BYTES:
        raise BadInput(f"--dataset={name}: {num_bytes / 2**30:.1f} GiB of sound, at most {CACHE_BYTES / 2**30:.0f} are "
                       "kept in memory; take a part of it, or a "
                       f"lower rate than --config.data.rate={rate}.")
    named = {} if second is None else {"label" if second.kind == "class" else "features": second}
    kept = {split: {"x": x} | {key: values for key in named} for split, (x, values) in cache.items()}
    return DataSet(name, version, {"x": Field("audio", (length,))} | named,
                   {split: len(x) for split, (x, _) in cache.items()}, cache=kept, rate=rate, facts=facts)


def _find(name, root):
    """The wav files under `root`, sorted; BadInput if there is no such folder or nothing in it."""
    if not name.partition(":")[2]:
        raise BadInput(f"--dataset={name} lacks the path of a folder: wav_folder:PATH.")
    if not root.is_dir():
        raise BadInput(f"--dataset={name}: {root} is {'no folder' if root.exists() else 'missing'}; give the path of a "
                       "folder of wav files.")

    def refuse(error):
        raise BadInput(f"--dataset={name}: {error.filename} can't be read: {error.strerror}.") from error

    found = [pathlib.Path(folder, file) for folder, _,
             files in os.walk(root, onerror=refuse, followlinks=True) for file in files if not file.startswith(".")]
    wavs = sorted(file for file in found if file.suffix.lower() == ".wav")
    if len(wavs) < 3:
        raise BadInput(f"--dataset={name}: found {len(wavs)} files that end in .wav among {len(found)}, at least 3 are "
                       "needed: to train, for validation and to test.")
    return wavs


def _read_wav(name, root, path):
    """(rate, int16 [n]) of one file."""
    from scipy.io import wavfile  # late: its import takes a while
    shown = path.relative_to(root)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that it does not know
            rate, x = wavfile.read(path)
    except (ValueError, EOFError, OSError, struct.error) as error:
        raise BadInput(f"--dataset={name}: {shown} can't be read as a wav file: "
                       f"{str(error).splitlines()[0] if str(error) else 'it ends too early'}; "
                       "remove or replace it.") from error
    if x.ndim != 1:
        raise BadInput(f"--dataset={name}: {shown} has {x.shape[1]} channels, one is needed; mix it down, for example "
                       "by `sox IN.wav -c 1 OUT.wav`.")
    return int(rate), _sixteen_bit(name, shown, x)


def _sixteen_bit(name, shown, x):
    """Samples of any type that a wav file can hold as int16."""
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


def _at_rate(name, clips, rates, rate, log):
    """(the clips at `rate`, how many had another one)."""
    others = collections.Counter(r for r in rates if r != rate)
    if not others:
        return list(clips), 0
    from scipy.signal import resample_poly
    log(f"{name}: {sum(others.values())} of {len(clips)} clips have {', '.join(f'{r} Hz' for r in sorted(others))}; "
        f"SciPy resamples them to {rate} Hz.")

    def resampled(clip, old):
        common = math.gcd(rate, old)
        return _rounded(resample_poly(clip.astype(np.float64), rate // common, old // common))

    return [clip if old == rate else resampled(clip, old) for clip, old in zip(clips, rates)], sum(others.values())


def _rounded(x):
    return np.clip(np.round(x), -PEAK, PEAK - 1).astype(np.int16)
