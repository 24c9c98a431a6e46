"""Sound as files: wav, and pictures of each waveform over its spectrogram."""

import io
import math
import wave

import numpy as np
from matplotlib.figure import Figure

from trainers.pictures import figures

WINDOW = 256  # samples of a spectrum
PEAK = 2**15  # of 16 bits
FLOOR = -80.0  # decibels below full scale that the picture still shows


def waveforms(x, rate, titles=None):
    """Plots waveforms [num, T] on [-1, 1] as panels, uint8 [height, width, 3]: amplitude over time, and below it the
    power at each time and frequency.

    Args:
        x: the waveforms; what is not a number is silence.
        rate: samples a second.
        titles: a line above each, for example the label; None for none.
    """
    x = np.nan_to_num(np.asarray(x, np.float64))
    columns = math.ceil(math.sqrt(len(x)))
    lines = math.ceil(len(x) / columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * lines), dpi=80, layout="constrained")
    axes = figure.subplots(2 * lines, columns, squeeze=False)
    seconds = x.shape[1] / rate
    for place in range(lines * columns):
        above, below = axes[place // columns * 2][place % columns], axes[place // columns * 2 + 1][place % columns]
        if place >= len(x):
            above.axis("off"), below.axis("off")
            continue
        above.plot(np.arange(x.shape[1]) / rate, x[place], linewidth=0.5)
        above.set(xlim=(0, seconds), ylim=(-1, 1), xticks=[], yticks=[-1, 0, 1])
        above.set_title(titles[place] if titles is not None else "", fontsize=8)
        below.imshow(spectrogram(x[place]), origin="lower", aspect="auto", extent=(0, seconds, 0, rate / 2000),
                     vmin=FLOOR, vmax=0.0, cmap="magma")
        below.set_ylabel("kHz", fontsize=7)
        for axis in (above, below):
            axis.tick_params(labelsize=6)
    return figures.pixels(figure)


def spectrogram(x):
    """Computes the power in decibels below that of a full sine, [frequencies, times], of Hann windows that overlap by
    three quarters."""
    window = min(WINDOW, len(x))
    weights = np.hanning(window + 1)[:-1] if window > 1 else np.ones(1)
    frames = np.lib.stride_tricks.sliding_window_view(x, window)[::max(1, window // 4)]
    amplitude = 2.0 * np.abs(np.fft.rfft(frames * weights, axis=-1)) / weights.sum()
    return 20.0 * np.log10(np.maximum(amplitude, 10.0 ** (FLOOR / 20))).T


def wav_bytes(x, rate):
    """Returns the bytes of a 16-bit wav file of a waveform [T] on [-1, 1]; what is outside is clipped, and what is not
    a number is silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(int(rate))
        out.writeframes(np.clip(np.round(np.nan_to_num(np.asarray(x, np.float64)) * PEAK), -PEAK,
                                PEAK - 1).astype("<i2").tobytes())
    return file.getvalue()
