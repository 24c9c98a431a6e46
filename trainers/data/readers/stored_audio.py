"""Sound of TFDS: data sets with an audio feature such as `spoken_digit`, and the embedded `tones`.

Of a clip the first samples are taken, silence after those of a shorter one; a clip of `tones` is cut as a file of a
folder is.
"""

import numpy as np

from trainers.data import options, sizes
from trainers.data.dataset import Field
from trainers.data.embedded import tones
from trainers.data.readers.audio import LENGTH, Sounds, at_rate, dataset_of, sixteen_bit
from trainers.errors import BadInput
from zoo.checks import nearest

LENGTHS = {"spoken_digit": 4096, "tones": 2048}
RATES = {"spoken_digit": 8000, "speech_commands": 16000}  # samples a second, of sets that do not say it
LABELS = {"spoken_digit": ("digit", "speaker"), "tones": ("instrument", "melody")}  # of others: their own


def open_stored(name, builder, entries, log):
    """Opens a prepared TFDS builder with the feature `audio`, `tones` included.

    The entry `label` chooses what the label is: `label` (the data set's own), for `spoken_digit` `digit` or `speaker`,
    for `tones` `instrument` or `melody`, of which each example has its frames: float32 [length / 64, 2].
    """
    asked = options.take(options.StoredSound, name, entries)
    base = name.partition("/")[0].partition(":")[0]
    kinds = LABELS.get(base, ("label",))
    label = asked.label or kinds[0]
    if label not in kinds:
        raise BadInput(f"--config.data.label={label}: --dataset={name} has no such label; {nearest(label, kinds)}")
    if base == "tones":
        return _open_tones(name, builder, asked, label)
    length, stored_rate = asked.length or LENGTHS.get(base, LENGTH), _stored_rate(name, builder, base)
    rate = asked.rate or stored_rate
    clips, groups = _read_clips(name, builder, label if base == "spoken_digit" else None)
    field, labels = _labels(builder, label, groups)
    counts = sizes.hold_out(name, {split: len(part) for split, part in clips.items()}, asked.validation)
    if asked.validation:  # the last ones
        for parts in (clips, labels):
            parts["validation"], parts["train"] = parts["train"][counts["train"]:], parts["train"][:counts["train"]]
    every = [clip for part in clips.values() for clip in part]
    every, resampled = at_rate(name, every, [stored_rate] * len(every), rate, log)
    silence = _silence(name, every, length, log)
    cache, done = {}, 0
    for split, part in clips.items():
        cache[split] = _rows(every[done:done + len(part)], length), np.array(labels[split], np.int32)
        done += len(part)
    facts = dict(hold_out=_said_of_splits(base, asked.validation), label=label,
                 crops="the first samples of each clip, silence after a shorter one", silence=round(silence, 4),
                 resampled_files=resampled)
    return dataset_of(name, str(builder.info.version), Sounds(length, rate, field, cache, facts), asked)


def _stored_rate(name, builder, base):
    """Returns the samples a second of a set's sound. Raises BadInput where nobody knows."""
    rate = getattr(builder.info.features["audio"], "sample_rate", None) or RATES.get(base)
    if not rate:
        raise BadInput(f"--dataset={name}: it does not say how many samples a second its sound has; export it as wav "
                       "files and use wav_folder:PATH.")
    return rate


def _read_clips(name, builder, spoken):
    """Reads ({split: int16 clips}, {split: what each one's label stands for}).

    spoken: `digit` or `speaker`, of a recording whose file is DIGIT_SPEAKER_INDEX.wav; None for any other set.
    """
    clips, groups = {}, {}
    for stored in builder.info.splits:
        for example in builder.as_dataset(split=stored).as_numpy_iterator():
            split, group = _spoken_digit(example, spoken) if spoken else (stored, int(example.get("label", 0)))
            clips.setdefault(split, []).append(sixteen_bit(name, f"an example of {stored}", example["audio"]))
            groups.setdefault(split, []).append(group)
    return clips, groups


def _spoken_digit(example, label):
    """Returns (split, label) of a recording whose file is DIGIT_SPEAKER_INDEX.wav."""
    digit, speaker, index = example["audio/filename"].decode().removesuffix(".wav").split("_")
    if int(index) < 5:
        split = "test"
    elif int(index) < 10:
        split = "validation"
    else:
        split = "train"
    return split, speaker if label == "speaker" else int(digit)


def _labels(builder, label, groups):
    """Returns (the label's `Field`, or None where there is none, {split: labels}) of what the labels stand for."""
    order = sorted({group for part in groups.values() for group in part})
    names, labels = tuple(map(str, order)), groups
    if label == "speaker":
        labels = {split: [order.index(group) for group in part] for split, part in groups.items()}
    elif "label" in builder.info.features:
        names = tuple(builder.info.features["label"].names)
    named = label != "label" or "label" in builder.info.features
    return Field("class", (), len(names), names) if named else None, labels


def _silence(name, clips, length, log):
    """Returns the part of all samples that is added silence, and says in the log how many clips are cut."""
    short = [length - len(clip) for clip in clips if len(clip) < length]
    silence = sum(short) / (len(clips) * length)
    cut = sum(len(clip) > length for clip in clips)
    log(f"{name}: {len(short)} of {len(clips)} clips are shorter than {length} samples and end in silence "
        f"({100 * silence:.1f} % of all samples), {cut} are cut.")
    return silence


def _rows(clips, length):
    """Returns the first samples of each clip, silence after a shorter one: int16 [n, length]."""
    rows = np.zeros([len(clips), length], np.int16)
    for row, clip in zip(rows, clips):
        row[:min(length, len(clip))] = clip[:length]
    return rows


def _said_of_splits(base, validation):
    """Says in words, for a record, what is held out."""
    if base == "spoken_digit":
        return "recordings 0-4 of each speaker and digit to test, 5-9 for validation"
    return f"the last {validation} training examples for validation" if validation else "the data set's own"


def _open_tones(name, builder, asked, label):
    """Opens the builder of `tones`, each clip cut into examples."""
    length = asked.length or LENGTHS["tones"]
    if asked.rate not in (0, tones.RATE):
        raise BadInput(f"--config.data.rate={asked.rate}: --dataset={name} is made at {tones.RATE} Hz; leave it out.")
    if length > tones.LENGTH or length % tones.FRAME:
        near = min(tones.LENGTH, max(1, round(length / tones.FRAME)) * tones.FRAME)
        raise BadInput(f"--config.data.length={length}: --dataset={name} has {tones.LENGTH} samples in frames of "
                       f"{tones.FRAME}; the nearest length is {near}.")
    sizes.hold_out(name, tones.SIZES, asked.validation)
    crops, frames = tones.LENGTH // length, length // tones.FRAME
    cache = {}
    for split in tones.SIZES:
        examples = list(builder.as_dataset(split=split).as_numpy_iterator())
        x = np.stack([e["audio"] for e in examples])[:, :crops * length].reshape(-1, length)
        melody = np.stack([e["melody"] for e in examples])[:, :crops * frames].reshape(-1, frames, 2)
        instrument = np.repeat([e["label"] for e in examples], crops).astype(np.int32)
        cache[split] = x, melody if label == "melody" else instrument
    second = Field("class", (), len(tones.INSTRUMENTS), tuple(tones.INSTRUMENTS))
    if label == "melody":
        second = Field("features", (frames, 2))
    facts = dict(hold_out="the data set's own", label=label, crops="one after another")
    return dataset_of(name, str(builder.info.version), Sounds(length, tones.RATE, second, cache, facts), asked)
