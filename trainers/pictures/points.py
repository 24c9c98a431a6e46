"""Pictures of points: where they lie, or how often their values occur."""

import numpy as np

from trainers.pictures import figures


def scatter(x):
    """Plots points [num, ...] by their first two entries, or the histogram of points with one; leaves out what is not
    finite."""
    x = np.asarray(x, np.float64).reshape(len(x), -1)
    x = x[np.isfinite(x).all(axis=1)]
    figure, (axes,) = figures.panels(1, 1, 4.5)
    if x.shape[1] == 1:
        axes.hist(x[:, 0], bins=100, density=True)
    else:
        # A few far points must not shrink the rest to a dot.
        limit = 1.3 * np.quantile(np.abs(x[:, :2]), 0.99) if len(x) else 1.0
        axes.scatter(x[:, 0], x[:, 1], s=3, alpha=0.5, linewidths=0)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    return figures.pixels(figure)
