"""`tones`: what was played is what sounds, the same in every build."""

import numpy as np
import pytest

from trainers.data.embedded import tones


def strongest(x):
    """The frequency with the most power, in Hz."""
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 8 * len(x)))
    return spectrum.argmax() * tones.RATE / (8 * len(x))


@pytest.mark.parametrize("instrument", tones.INSTRUMENTS)
def test_each_note_has_the_pitch_and_loudness_of_its_melody(instrument):
    x, melody = tones.melody(np.random.RandomState(3), instrument)
    assert x.shape == (tones.LENGTH,) and np.abs(x).max() <= 1 and melody.shape == (tones.LENGTH // tones.FRAME, 2)
    starts = np.flatnonzero(np.diff(melody[:, 0], prepend=np.nan) != 0)
    ends = [*starts[1:], len(melody)]
    assert len(starts) >= 3 and set(np.round(12 * melody[:, 0]) % 12) <= set(tones.SCALE)
    for start, end in zip(starts, ends):
        note = x[start * tones.FRAME:(start + min(8, end - start)) * tones.FRAME]
        assert abs(12 * np.log2(strongest(note) / 440) - 12 * melody[start, 0]) < 0.5  # within a quarter tone
    power = np.sqrt(np.square(x.reshape(-1, tones.FRAME)).mean(1))
    assert np.corrcoef(power, melody[:, 1])[0, 1] > 0.9


def test_the_string_dies_away_and_the_clarinet_has_odd_harmonics():
    def note(instrument):
        for seed in range(20):  # one whose first note is long
            x, melody = tones.melody(np.random.RandomState(seed), instrument)
            if (melody[:16, 0] == melody[0, 0]).all():
                return x[:1024], 440 * 2.0 ** melody[0, 0]

    x, _ = note("string")
    assert np.abs(x[100:200]).max() > 3 * np.abs(x[800:900]).max()
    x, frequency = note("clarinet")
    spectrum = np.abs(np.fft.rfft(x * np.hanning(1024), 8192))
    second, third = (spectrum[round(k * frequency * 8192 / tones.RATE)] for k in (2, 3))
    assert third > 20 * second


def test_splits_differ_and_a_build_is_repeatable(tmp_path):
    builder = tones.Tones(data_dir=tmp_path)
    first, again, other = (next(builder._generate_examples(seed, 1))[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["audio"], again["audio"])
    assert np.any(first["audio"] != other["audio"]) and first["audio"].dtype == np.int16
