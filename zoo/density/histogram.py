"""The histogram in one or a few dimensions: a grid of boxes, each with a constant density. Without `bins`, the rule of
Freedman and Diaconis chooses.

Nothing is outside of the grid: log p(x) = -inf there. `margin` widens the grid beyond the data and `smoothing` leaves
no box empty, for data to come.

D. Freedman, P. Diaconis, On the Histogram as a Density Estimator: L2 Theory, 1981.
"""

import math

import numpy as np
import tensorflow as tf

from zoo import random
from zoo.density.parts.fitted import Completes, FittedModel
from zoo.paper import Paper

_CELLS = 1 << 24
_DIMENSIONS = 7  # ten bins in each of eight would be more boxes than that
_UNSIZED = 10  # bins of a dimension of a model that has seen no data


class Histogram(Completes, FittedModel):
    """p(x) = (count of x's box + s) / ((N + s boxes) * volume of the box), 0 outside of the grid.

    Args:
        shape: of a point; its D entries are flattened inside, and the grid has D dimensions.
        bins: number of bins of each dimension, a tuple of D; None: `sized` takes bins of width 2 IQR N^(-1/(D+2)),
            Freedman and Diaconis's for D = 1.
        edges: the bins' edges themselves, in units of x: a tuple of D increasing tuples; None: equal bins over the
            range of the data.
        margin: how far the grid reaches beyond the smallest and the largest value, as a fraction of their difference.
        smoothing: s, added to each box's count.

    Raises:
        ValueError: if D is more than 7, `bins` or `edges` have not D entries, a dimension no bin, the grid more than
            2^24 boxes, `margin` or `smoothing` is negative, or `edges` come together with `bins` or `margin`.
    """

    paper = Paper(("Freedman", "Diaconis"),
                  "On the Histogram as a Density Estimator: L2 Theory",
                  1981, "Zeitschrift für Wahrscheinlichkeitstheorie und verwandte Gebiete 57")

    def __init__(self, shape=(2,), bins: tuple | None = None, edges: tuple | None = None, margin=0.0, smoothing=0.0,
                 **kwargs):
        super().__init__(shape, **kwargs)
        if self.size > _DIMENSIONS:
            raise ValueError(f"shape: a grid has as many dimensions as an example has entries, at most {_DIMENSIONS}, "
                             f"found {self.size}.")
        if edges is not None and (bins is not None or margin):
            raise ValueError("edges: they fix the grid, so bins and margin must be left out.")
        if not 0 <= margin < math.inf or not 0 <= smoothing < math.inf:
            raise ValueError(f"margin and smoothing must be 0 or more, found {margin} and {smoothing}.")
        for name, value in (("bins", bins), ("edges", edges)):
            if value is not None and len(value) != self.size:
                raise ValueError(f"{name} must have an entry for each of the {self.size} dimensions, found "
                                 f"{len(value)}.")
        if edges is not None and any(len(e) < 2 or np.any(np.diff(e) <= 0) for e in edges):
            raise ValueError("edges: each dimension needs at least two, in increasing order.")
        self.bins, self.margin, self.smoothing = bins if bins is None else tuple(bins), margin, smoothing
        self.edges = edges if edges is None else tuple(map(tuple, edges))
        self.counts = tuple(len(e) - 1 for e in edges) if edges is not None else self.bins or (_UNSIZED,) * self.size
        if min(self.counts) < 1 or math.prod(self.counts) > _CELLS:
            raise ValueError(f"the grid must have at least one bin in each dimension and at most {_CELLS:,} boxes, "
                             f"found bins {self.counts}.")
        self.grid = [self.state(f"edges_{d}", [num + 1],
                                _values(edges[d] if edges else np.linspace(-3.0, 3.0, num + 1))) for d,
                     num in enumerate(self.counts)]
        self.mass = self.state("mass", [math.prod(self.counts)],
                               _values(np.full(math.prod(self.counts), 1.0 / math.prod(self.counts))))
        self.build()

    def get_config(self):
        return dict(shape=self.shape, bins=self.bins, edges=self.edges, margin=self.margin, smoothing=self.smoothing)

    @classmethod
    def sized(cls, arguments, x):
        if arguments.get("bins") is None and arguments.get("edges") is None:
            x = np.asarray(x, np.float64).reshape(len(x), -1)
            width = 2.0 * np.subtract(*np.percentile(x, [75, 25], axis=0)) * len(x) ** (-1.0 / (x.shape[1] + 2))
            low, high = _range(x, arguments.get("margin", 0.0))
            # Without a spread between the quartiles there is no rule: one bin.
            bins = np.where(width > 0, np.ceil((high - low) / np.where(width > 0, width, 1.0)), 1.0)
            arguments = arguments | dict(bins=tuple(max(1, int(num)) for num in bins))
        return dict(arguments)

    def start(self, x, seed):
        """Lays the grid and counts. Raises ValueError if no point is inside of given edges."""
        x = self.flat(x)
        if self.edges is None:
            for edges, low, high in zip(self.grid, *_range(x.numpy(), self.margin)):
                edges.assign(np.linspace(low, high, edges.shape[0]))
        cell, inside = self._cell(x)
        num, inside = math.prod(self.counts), tf.cast(inside, tf.float32)
        mass = tf.math.unsorted_segment_sum(inside, cell, num) + self.smoothing
        if not float(tf.reduce_sum(mass)) > 0.0:
            raise ValueError("edges: no point of the data is inside of them.")
        self.mass.assign(mass / tf.reduce_sum(mass))

    def update(self, x):
        """Returns {log_likelihood: mean log p(x) of the data inside of the grid}: nothing is left to improve."""
        values = self._log_prob(x)
        return {"log_likelihood": tf.reduce_mean(tf.boolean_mask(values, self._cell(self.flat(x))[1]))}

    def marginal_log_prob(self, x, known):
        """Computes log of the density of the known entries, [B]: the boxes that they leave open, over the known sides'
        lengths."""
        index, inside = self._bins(x)
        widths = [tf.gather(edges[1:] - edges[:-1], index[d]) for d,
                  edges in enumerate(map(tf.convert_to_tensor, self.grid))]
        log_volume = tf.math.log(tf.stack(widths, axis=1))  # [B, D]
        if known is None:
            mass = tf.gather(tf.convert_to_tensor(self.mass), self._cell(x)[0])
            return tf.where(tf.reduce_all(inside, 1), tf.math.log(mass) - tf.reduce_sum(log_volume, 1), -math.inf)
        mass = tf.map_fn(lambda given: tf.reduce_sum(self._open(*given)), (tf.stack(index, 1), known),
                         fn_output_signature=tf.float32)
        density = tf.math.log(mass) - tf.reduce_sum(tf.where(known, log_volume, 0.0), axis=1)
        return tf.where(tf.reduce_all(inside | ~known, 1), density, -math.inf)

    def conditional(self, seeds, x, known):
        """Draws a box by its mass (of those that the known entries leave open), and a uniform point in it, [B, D]."""
        uniforms = random.uniform_rows(seeds, [1 + self.size])
        mass = tf.convert_to_tensor(self.mass)

        def pick(mass, uniform):
            steps = tf.cumsum(tf.reshape(mass, [-1]))
            return tf.minimum(tf.searchsorted(steps, uniform * steps[-1], side="right"), mass.shape.num_elements() - 1)

        if known is None:
            cell = pick(mass, uniforms[:, 0])
        else:
            def row(given):
                index, known, inside, uniform = given
                weights = tf.where(tf.reduce_all(inside | ~known), self._open(index, known), 0.0)
                # Where what is known has density 0, the rest is drawn as if nothing were known.
                return pick(tf.where(tf.reduce_sum(weights) > 0.0, weights, tf.reshape(mass, self.counts)),
                            uniform[None])[0]

            index, inside = self._bins(x)
            cell = tf.map_fn(row, (tf.stack(index, 1), known, inside, uniforms[:, 0]), fn_output_signature=tf.int32)
        index = []  # of the bin in each dimension, the last one first
        for num in reversed(self.counts):
            index.insert(0, cell % num)
            cell = cell // num
        ends = [(tf.gather(edges, index[d]), tf.gather(edges, index[d] + 1)) for d,
                edges in enumerate(map(tf.convert_to_tensor, self.grid))]
        low, high = (tf.stack(end, axis=1) for end in zip(*ends))  # [B, D]
        return low + (high - low) * uniforms[:, 1:]

    def _bins(self, x):
        """Returns (the bin of each entry, D tensors [B], and whether it is in one, bool [B, D]); the last edge belongs
        to the last bin, as in NumPy."""
        index, inside = [], []
        for d, edges in enumerate(map(tf.convert_to_tensor, self.grid)):
            found = tf.searchsorted(edges, x[:, d], side="right") - 1
            inside.append((x[:, d] >= edges[0]) & (x[:, d] <= edges[-1]))
            index.append(tf.clip_by_value(found, 0, self.counts[d] - 1))
        return index, tf.stack(inside, axis=1)

    def _cell(self, x):
        """Returns (the number of x's box, int32 [B], and whether it is in one, bool [B])."""
        index, inside = self._bins(x)
        cell = index[0]
        for d in range(1, self.size):
            cell = cell * self.counts[d] + index[d]
        return cell, tf.reduce_all(inside, axis=1)

    def _open(self, index, known):
        """Returns the mass of the boxes that agree with one point's known bins (index [D], known [D]), and 0 for
        others, [*bins]."""
        mass = tf.reshape(tf.convert_to_tensor(self.mass), self.counts)
        for d, num in enumerate(self.counts):
            agrees = (tf.range(num) == index[d]) | ~known[d]
            mass *= tf.reshape(tf.cast(agrees, tf.float32), [num if e == d else 1 for e in range(self.size)])
        return mass


def _values(values):
    return lambda shape, dtype: tf.reshape(tf.cast(values, dtype), shape)


def _range(x, margin):
    """Returns (low, high) of each dimension, widened; a dimension of one value gets a bin of width 1, as in NumPy."""
    low, high = np.min(x, axis=0).astype(np.float64), np.max(x, axis=0).astype(np.float64)
    low, high = np.where(low == high, low - 0.5, low), np.where(low == high, high + 0.5, high)
    return low - margin * (high - low), high + margin * (high - low)
