"""Sound: wav folders, what they refuse, resampling, `spoken_digit`, `tones`, wav files and pictures."""

import io
import pathlib
import wave

import numpy as np
import pytest
import tensorflow_datasets as tfds
from scipy.io import wavfile

from trainers.data.embedded import tones
from trainers.data.options import DEFAULTS
from trainers.data.readers import audio, stored_audio
from trainers.errors import BadInput
from trainers.pictures import sound


def opened(path, lines=None, **options):
    return audio.open_wav_folder(f"wav_folder:{path}", DEFAULTS | dict(length=100) | options,
                                 (lines if lines is not None else []).append)


def sine(samples, frequency=200.0, rate=8000, seed=0):
    return np.round(20_000 * np.sin(2 * np.pi * frequency * np.arange(samples) / rate + seed)).astype(np.int16)


@pytest.fixture
def folder(tmp_path):
    """Twelve files of two labels, each a little longer than the one before."""
    for number in range(12):
        path = tmp_path / ("one" if number % 2 else "two") / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        wavfile.write(path, 8000, sine(210 + 10 * number, seed=number))
    return tmp_path


def test_each_file_is_cut_and_lies_in_one_split(folder):
    dataset = opened(folder)
    assert (dataset.kind, dataset.shape, dataset.rate, dataset.classes,
            dataset.levels) == ("audio", (100,), 8000, 2, None)
    assert set(dataset.sizes) == {"train", "validation", "test"} and sum(dataset.sizes.values()) == sum(
        (210 + 10 * n) // 100 for n in range(12)
    )
    seen = []
    for split, size in dataset.sizes.items():
        x, labels = dataset.cache[split]["x"], dataset.cache[split]["label"]
        assert x.shape == (size, 100) and x.dtype == np.int16 and labels.dtype == np.int32
        for row, label in zip(x, labels):
            number, = [n for n in range(12)
                       if np.any(np.all(row == sine(210 + 10 * n, seed=n)[:300 if n >= 9 else 200].reshape(-1, 100),
                                        axis=1))]
            assert label == (0 if number % 2 else 1)
            seen.append((number, split))
    assert len(set(seen)) == 12  # no file in two splits
    assert opened(folder).cache["test"]["x"].tobytes() == dataset.cache["test"]["x"].tobytes()


def test_another_rate_is_resampled_and_said(folder):
    wavfile.write(folder / "one" / "fast.wav", 16000, sine(8000, frequency=440.0, rate=16000))
    lines = []
    dataset = opened(folder, lines)
    assert dataset.rate == 8000 and dataset.facts["resampled_files"] == 1
    assert any("1 of 13 clips have 16000 Hz; SciPy resamples them to 8000 Hz" in line for line in lines)
    split, = [s for s, x in ((s, kept["x"]) for s, kept in dataset.cache.items())
              if any(np.array_equal(r, x[0]) for r in x) and len(x) >= 40]
    expected = sine(4000, frequency=440.0, rate=8000)[200:3800].reshape(-1, 100)
    x = dataset.cache[split]["x"].astype(float)
    assert sum(np.abs(x - row).max(1).min() < 200 for row in expected) == len(expected)
    assert opened(folder, rate=4000).rate == 4000


@pytest.mark.parametrize("values, expected", [
    (np.array([0, 128, 255], np.uint8), [-32768, 0, 32512]),
    (np.array([-2**31, 0, 2**30], np.int32), [-32768, 0, 16384]),
    (np.array([-1.0, 0.25, 1.5], np.float32), [-32768, 8192, 32767])])
def test_samples_of_any_type_become_16_bits(tmp_path, values, expected):
    for number in range(3):
        wavfile.write(tmp_path / f"{number}.wav", 8000, np.roll(np.tile(values, 40), number))
    x = np.concatenate([kept["x"] for kept in opened(tmp_path).cache.values()])
    assert set(np.unique(x)) == set(expected)


def broken(kind, folder):
    path = folder / "one" / "bad.wav"
    if kind == "stereo":
        wavfile.write(path, 8000, np.stack([sine(300)] * 2, -1))
    elif kind == "short":
        wavfile.write(path, 8000, sine(60))
    elif kind == "text":
        path.write_text("no sound at all")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes((folder / "one" / "1.wav").read_bytes()[:20])
    else:
        wavfile.write(path, 8000, np.full(300, np.nan, np.float32))


@pytest.mark.parametrize("kind, message", [
    ("stereo", "bad.wav has 2 channels, one is needed"),
    ("short", r"1 of 13 files are shorter than the 100 samples of an example, such as one/bad.wav of 60; "
                                                                   "set --config.data.length=60"),
    ("text", "bad.wav can't be read as a wav file"), ("empty", "bad.wav can't be read as a wav file"),
    ("cut", "bad.wav can't be read as a wav file"),
    ("nan", "bad.wav has samples that are not finite")])
def test_a_bad_file_is_named(folder, kind, message):
    broken(kind, folder)
    with pytest.raises(BadInput, match=message):
        opened(folder)


def test_wrong_folders_and_options_are_refused(folder, tmp_path):
    for name, message in (("wav_folder:", "lacks the path"), (f"wav_folder:{tmp_path / 'none'}", "is missing"),
                          (f"wav_folder:{folder / 'one' / '1.wav'}", "is no folder")):
        with pytest.raises(BadInput, match=message):
            audio.open_wav_folder(name, {}, print)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="found 0 files that end in .wav among 0, at least 3"):
        opened(tmp_path / "empty")
    with pytest.raises(BadInput, match="image_size=4"):
        opened(folder, image_size=4)
    with pytest.raises(BadInput, match="has a validation split"):
        opened(folder, validation=2)


def test_too_much_for_the_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr(audio, "CACHE_BYTES", 1000)
    with pytest.raises(BadInput, match="GiB of sound"):
        opened(folder)


def test_tones_come_in_crops_with_their_instrument_or_melody(tmp_path, monkeypatch):
    monkeypatch.setattr(tones, "SIZES", {"train": 8, "validation": 4, "test": 4})
    builder = tones.Tones(data_dir=tmp_path)
    builder.download_and_prepare()
    dataset = stored_audio.open_stored("tones", builder, {}, print)
    assert (
        dataset.shape == (2048,)
        and dataset.classes == 4
        and dataset.rate == 8000
        and dataset.sizes == {"train": 32, "validation": 16, "test": 16}
    )
    assert sorted(dataset.cache["train"]["label"]) == sorted([0, 1, 2, 3] * 8)
    melodies = stored_audio.open_stored("tones", builder, dict(label="melody", length=1024), print)
    x, melody = melodies.cache["test"]["x"], melodies.cache["test"]["features"]
    assert (
        x.shape == (32, 1024)
        and melody.shape == (32, 16, 2)
        and melody.dtype == np.float32
        and melodies.classes is None
    )
    power = np.sqrt(np.square(x.astype(float).reshape(-1, tones.FRAME)).mean(1))
    assert np.corrcoef(power, melody[..., 1].ravel())[0, 1] > 0.8  # frames stand beside their own samples
    for options, message in ((dict(length=1000), "the nearest length is 1024"),
                             (dict(length=16384), "the nearest length is 8192"),
                             (dict(rate=16000), "is made at 8000 Hz"),
                             (dict(label="instrumnt"), "did you mean 'instrument'")):
        with pytest.raises(BadInput, match=message):
            stored_audio.open_stored("tones", builder, options, print)


SPOKEN = pathlib.Path(__file__).parents[3] / "shared/data/tfds"


@pytest.mark.skipif(not (SPOKEN / "spoken_digit").exists(), reason="spoken_digit is not there")
def test_spoken_digit_is_held_out_by_the_index_of_its_recordings():
    builder = tfds.builder("spoken_digit", data_dir=SPOKEN)
    lines = []
    dataset = stored_audio.open_stored("spoken_digit", builder, {}, lines.append)
    assert (
        dataset.sizes == {"train": 2400, "test": 300, "validation": 300}
        and dataset.shape == (4096,)
        and dataset.rate == 8000
    )
    assert dataset.classes == 10 and all(len(set(np.bincount(kept["label"]))) == 1 for kept in dataset.cache.values())
    assert "2265 of 3000 clips are shorter than 4096 samples" in lines[-1] and dataset.facts[
        "silence"
    ] == pytest.approx(0.2, abs=0.01)
    speakers = stored_audio.open_stored("spoken_digit", builder, dict(label="speaker", length=500), lines.append)
    assert speakers.classes == 6 and np.all(np.bincount(speakers.cache["test"]["label"]) == 50)
    np.testing.assert_array_equal(speakers.cache["test"]["x"], dataset.cache["test"]["x"][:, :500])


def test_a_wav_file_holds_what_was_written():
    x = np.array([-2.0, -1.0, -0.5, 0.0, 0.25, 1.0, np.nan])
    data = sound.wav_bytes(x, 8000)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (1, 2, 8000, 7)
    rate, values = wavfile.read(io.BytesIO(data))
    assert rate == 8000
    np.testing.assert_array_equal(values, [-32768, -32768, -16384, 0, 8192, 32767, 0])


def test_the_picture_shows_every_waveform_and_its_frequency():
    x = np.stack([0.8 * np.sin(2 * np.pi * f * np.arange(1024) / 8000) for f in (500, 2000, 3000)])
    power = sound.spectrogram(x[1])
    assert (
        power.shape[0] == 129
        and np.all(power.argmax(0) == 64)
        and power.max() == pytest.approx(20 * np.log10(0.8), abs=0.1)
    )
    picture = sound.waveforms(x, 8000, ["a", "b", "c"])
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    assert np.any(picture != sound.waveforms(np.zeros_like(x), 8000, ["a", "b", "c"]))
    assert sound.waveforms(np.full([1, 20], np.nan), 8000).shape[2] == 3
