"""Figures with panels, and the pixels that they become."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def panels(lines, columns, size):
    """Makes a figure with `lines` times `columns` panels of `size` hundred pixels a side: (figure, its axes in order).
    """
    # The object itself, not pyplot: no display, and nothing kept from one picture to the next.
    figure = Figure(figsize=(columns * size, lines * size), dpi=100, layout="constrained")
    return figure, list(figure.subplots(lines, columns, squeeze=False).flat)


def pixels(figure):
    """Draws a figure: uint8 [height, width, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
