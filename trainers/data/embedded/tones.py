"""`tones`: short melodies by four instruments, made here: 8,192 samples at 8 kHz, a note every 512 to 2,048 of them.

An instrument is a series of harmonics and an envelope. Labels are the instruments; beside them stands what was played,
the melody: for each frame of 64 samples the note, in octaves above A4 = 440 Hz, and the loudness, both on about [-1,
1]. 400 melodies to train, 100 for validation, 100 to test.
"""

import numpy as np
import tensorflow_datasets as tfds

RATE, LENGTH, FRAME = 8000, 8192, 64
SIZES = {"train": 400, "validation": 100, "test": 100}
INSTRUMENTS = {  # name -> amplitudes of the harmonics from the first on, seconds of attack, seconds of decay
    "flute": ((1.0, 0.15, 0.05), 0.02, None),
    "clarinet": ((1.0, 0.0, 0.6, 0.0, 0.35, 0.0, 0.15), 0.008, None),
    "organ": ((1.0, 0.7, 0.0, 0.5), 0.003, None),
    "string": (tuple(1.0 / k for k in range(1, 9)), 0.002, 0.06),
}
SCALE = (0, 2, 4, 7, 9)  # the major pentatonic, in semitones: notes that go together
LOWEST, HIGHEST = -12, 9  # semitones above A4: 220 to 740 Hz


def melody(rng, instrument):
    """Returns (waveform, float64 [LENGTH] on [-1, 1], melody float32 [frames, 2]) of one player."""
    amplitudes, attack, decay = INSTRUMENTS[instrument]
    notes = [s for s in range(LOWEST, HIGHEST + 1) if s % 12 in SCALE]
    place, start = rng.randint(len(notes)), 0
    x, played = np.zeros(LENGTH), np.zeros([LENGTH // FRAME, 2])
    while start < LENGTH:
        length = min(FRAME * rng.randint(8, 33), LENGTH - start)
        place = int(np.clip(place + rng.randint(-2, 3), 0, len(notes) - 1))  # melodies move in small steps
        frequency, loudness = 440.0 * 2 ** (notes[place] / 12), rng.uniform(0.2, 0.8)
        t = np.arange(length) / RATE
        envelope = np.minimum(t / attack, 1.0) * np.minimum((length / RATE - t) / 0.004,
                                                            1.0) * (1.0 if decay is None else np.exp(-t / decay))
        phases = 2 * np.pi * rng.uniform(size=len(amplitudes))
        wave = sum(a * np.sin(2 * np.pi * k * frequency * t + p) for k,
                   (a, p) in enumerate(zip(amplitudes, phases), 1) if k * frequency < RATE / 2)
        x[start:start + length] = loudness * envelope * wave / sum(amplitudes)
        frames = slice(start // FRAME, (start + length) // FRAME)
        played[frames, 0] = notes[place] / 12
        played[frames, 1] = loudness * envelope.reshape(-1, FRAME).mean(1)
        start += length
    return np.clip(x + 1e-3 * rng.normal(size=LENGTH), -1, 1), played.astype(np.float32)


class Tones(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            description=__doc__,
            features=tfds.features.FeaturesDict({
                "audio": tfds.features.Tensor(shape=(LENGTH,), dtype=np.int16, encoding=tfds.features.Encoding.BYTES),
                "melody": tfds.features.Tensor(shape=(LENGTH // FRAME, 2), dtype=np.float32),
                "label": tfds.features.ClassLabel(names=list(INSTRUMENTS))}),
            supervised_keys=("audio", "label"))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(seed, num) for seed, (split, num) in enumerate(SIZES.items())}

    def _generate_examples(self, seed, num):
        rng = np.random.RandomState(seed)
        for index in range(num):
            instrument = list(INSTRUMENTS)[index % len(INSTRUMENTS)]
            x, played = melody(rng, instrument)
            yield index, {"audio": np.round(32767 * x).astype(np.int16), "melody": played, "label": instrument}
