"""Drawing images in raster order, each layer's activations remembered, in one loop in the graph.

A causal network at one pixel is a column of small matrix products, if what its convolutions read at earlier pixels is
at hand. Layers that
read the same neighbours share a `Memory`: what the earlier pixels contribute to all of them is one gather, through a
table of the neighbours that the mask lets through, and one product. A kernel looks only a few columns to the right in
the rows above, so that pixel (i, j) can be drawn as soon as (i - 1, j + lag - 1) is: step t of the loop draws all
pixels with j + lag * i = t, at most ceil(width / lag) of them. The distribution, and with the same noise the image, is
that of one pixel at a time.

A network that sees all of the rows above has no such lag: `generate_by_rows` computes what a row reads of them when it
begins, for all columns at once, and then draws the row from left to right.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.distributions import pixels


class Memory(NamedTuple):
    """What is remembered of each pixel for some layers that read the same neighbours.

    offsets: T (row, column) offsets, all before (0, 0) in raster order.
    layers: their number, L.
    features: that each of them reads of a pixel, C.
    """

    offsets: Sequence
    layers: int
    features: int


class Schedule:
    """Which pixels each step draws: row i in slot i % slots, column j in step j + lag * i."""

    def __init__(self, height, width, offsets):
        self.lag = 1 + max([v // -u for u, v in offsets if u < 0], default=width - 1)
        self.steps, self.slots = width + self.lag * (height - 1), -(-width // self.lag)
        self.height, self.width = height, width
        row, column = np.mgrid[:height, :width]
        # position: [pixels], of a pixel in [steps, slots]
        self.position = (self.slots * (column + self.lag * row) + row % self.slots).ravel()
        # an idle slot draws pixel 0 once more, and nobody looks
        self.pixel = np.zeros([self.steps * self.slots], np.int32)
        self.pixel[self.position] = np.arange(height * width)
        self.pixel = self.pixel.reshape(self.steps, self.slots)

    def ring(self, offsets):
        """Counts how many steps back the offsets reach: what a memory must hold."""
        return max(-(v + self.lag * u) for u, v in offsets)

    def table(self, offsets):
        """Returns a memory's entry for each neighbour of what each slot draws, int32 [steps, T * slots]; the last
        entry, zeros, is for those outside."""
        ring = self.ring(offsets)
        up, right = np.array(offsets).T[..., None]  # [T, 1] each
        # row, column: [steps, T, slots]
        row, column = self.pixel[:, None] // self.width + up, self.pixel[:, None] % self.width + right
        inside = (row >= 0) & (column >= 0) & (column < self.width)
        entry = (column + self.lag * row) % ring * self.slots + row % self.slots
        return np.where(inside, entry, ring * self.slots).astype(np.int32).reshape(self.steps, -1)


class _Store:
    """A memory while images are drawn: a ring with an entry for each slot of the last steps, and an entry of zeros."""

    def __init__(self, memory, schedule):
        self.memory, self.slots, self.ring = memory, schedule.slots, schedule.ring(memory.offsets)
        self.table = tf.constant(schedule.table(memory.offsets))

    def empty(self, batch):
        """Makes the entries before the first step."""
        layers, features, zeros = self.memory.layers, self.memory.features, self.ring * self.slots
        entries = tf.TensorArray(tf.float32, zeros + 1, clear_after_read=False, element_shape=[layers, None, features])
        return entries.write(zeros, tf.zeros([layers, batch, features]))

    def recall(self, entries, step):
        """Returns, for each layer, its neighbours' features side by side, [slots * batch, T * C]."""
        taps, layers, features = len(self.memory.offsets), self.memory.layers, self.memory.features
        seen = tf.reshape(entries.gather(self.table[step]), [taps, self.slots, layers, -1, features])
        seen = tf.concat(tf.unstack(seen), axis=-1)  # several times faster than a transpose of such small pieces
        return [tf.reshape(s, [-1, taps * features]) for s in tf.unstack(seen, axis=1)]

    def remember(self, entries, step, features):
        """Returns the entries with a step's features, [slots * batch, C] of each layer."""
        features = [tf.reshape(f, [self.slots, -1, f.shape[-1]]) for f in features]
        # Stacked: [slots, L, batch, C]
        return entries.scatter(step % self.ring * self.slots + tf.range(self.slots), tf.stack(features, axis=1))


def by_pixel(t):
    """Transposes [batch, height, width, ...] to [height * width, batch, ...]."""
    t = tf.reshape(t, [-1, t.shape[1] * t.shape[2], *t.shape[3:]])
    return tf.transpose(t, [1, 0, *range(2, t.shape.rank)])


def by_channel(network, noise, channels, levels, given, read=pixels.centre):
    """Draws pixels [N, channels], each channel given those before it: red, then green, then blue.

    network: pixels as it reads them -> (logits, anything else), of which the last channel's is returned. given: (x,
    known) at these pixels, or None.
    """
    pixel = tf.zeros([tf.shape(noise)[0], channels], tf.float32 if levels == 2 else tf.int32)
    for channel in range(channels):
        logits, rest = network(read(pixel, levels))
        drawn = _stands(pixels.from_noise(logits, noise, levels), given)
        pixel = tf.where(tf.range(channels) == channel, drawn, pixel) if channels > 1 else drawn
    return pixel, rest


def _stands(drawn, given):
    return drawn if given is None else tf.where(given[1], given[0], drawn)


def generate(column, memories, shape, levels, noise, context=None, x=None, known=None, draw=None, dtype=None):
    """Draws images [batch, height, width, channels], each pixel given those before it.

    Args:
        column: (neighbours, pixel, context) -> (logits, features): the network at N pixels. neighbours: for each
            memory, L tensors [N, T * C] of what was remembered; pixel: [N, channels], centred, of which channel c may
            see those before c. Logits are [N, channels] or [N, channels, levels]; features, what to remember: L tensors
            [N, C] for each memory but the first.
        memories: the first one, with L = 1 and C = channels, remembers the centred image.
        shape: (height, width, channels).
        levels: values of a pixel.
        noise: of `pixels.noise_rows`, or what `draw` reads: tensors [batch, height, width, ...].
        context: [batch, n], what else the network reads, the same at all pixels (for the column [N, n]); None if there
            is nothing.
        x, known: an image, and bool [batch, height, width]: where true, the image's pixels stand.
        draw: (parameters, noise) -> whole pixels [N, channels]: then the network is evaluated once a pixel, with zeros
            for `pixel`, and gives the parameters; None: `pixels.from_noise`, channel after channel.
        dtype: the domain's; None: float32 for two levels, int32 for more.
    """
    channels, dtype = shape[-1], dtype or (tf.float32 if levels == 2 else tf.int32)
    schedule = Schedule(*shape[:2], [o for m in memories for o in m.offsets])
    slots, batch = schedule.slots, tf.shape(tf.nest.flatten(noise)[0])[0]
    noise, drawn_at = tf.nest.map_structure(by_pixel, noise), tf.constant(schedule.pixel)
    context = None if context is None else tf.tile(context, [slots, 1])
    given = None if known is None else (by_pixel(x), by_pixel(known[..., None]))
    stores = [_Store(memory, schedule) for memory in memories]

    def at(t, step):
        """Returns the rows of [pixels, batch, ...] that a step draws, [slots * batch, ...]."""
        return tf.reshape(tf.gather(t, drawn_at[step]), [-1, *t.shape[2:]])

    def body(step, image, remembered):
        seen = [store.recall(entries, step) for store, entries in zip(stores, remembered)]
        stands = None if given is None else [at(t, step) for t in given]
        its_noise = tf.nest.map_structure(lambda t: at(t, step), noise)
        if draw is None:
            pixel, features = by_channel(lambda pixel: column(seen, pixel, context), its_noise, channels, levels,
                                         stands)
        else:
            parameters, features = column(seen, tf.zeros([slots * batch, channels]), context)
            pixel = _stands(draw(parameters, its_noise), stands)
        features = [[pixels.centre(pixel, levels)], *features]
        remembered = [s.remember(entries, step, f) for s, entries, f in zip(stores, remembered, features)]
        return step + 1, image.write(step, pixel), remembered

    image = tf.TensorArray(dtype, schedule.steps, element_shape=[None, channels])
    _, image, _ = tf.while_loop(lambda step, *_: step < schedule.steps, body,
                                (0, image, [store.empty(batch) for store in stores]))
    # image: [pixels, batch, channels]
    image = tf.gather(tf.reshape(image.stack(), [schedule.steps * slots, -1, channels]), schedule.position)
    return tf.reshape(tf.transpose(image, [1, 0, 2]), [-1, *shape])


def generate_by_rows(begin, column, start, reach, shape, levels, noise, x=None, known=None, read=pixels.centre,
                     depth=None):
    """Draws images [batch, height, width, channels] row by row, what is read of the rows above being computed once a
    row.

    Args:
        begin: (above, kept, memory) -> (here, memory): what a row reads of those above it. above: the last `reach[0]`
            rows of the centred image, [batch, reach[0], width, channels]; kept: [batch, width, n], what `column` kept
            of the row above; here: [batch, width, m].
        column: (left, here, pixel, state) -> (logits, state, kept): the network at one pixel of each image. left: the
            `reach[1]` centred pixels to the left side by side, [batch, reach[1] * channels]; here: the pixel's [batch,
            m]; pixel: [batch, channels], centred, of which channel c may see those before c; state: a structure of
            tensors passed from pixel to pixel; kept: [batch, n]. Logits are as in `generate`.
        start: (memory, state, kept) of the first row's first pixel, zeros for whatever lies outside of the image.
        reach: rows above and columns to the left of which the image itself is read.
        shape, levels, noise, x, known: as in `generate`.
        read, depth: (pixels [N, channels], levels) -> [N, depth], in the place of the centred pixels.
    """
    height, width, channels = shape
    depth = depth or channels
    batch = tf.shape(noise)[0]
    noise = by_pixel(noise)
    if known is not None:
        x, known = by_pixel(x), by_pixel(known[..., None])
    memory, first, kept = start
    dtype = tf.float32 if levels == 2 else tf.int32

    def draw_row(row, image, above, kept, memory):
        here, memory = begin(above, kept, memory)
        here = tf.transpose(here, [1, 0, 2])  # [width, batch, m]

        def draw_pixel(i, image, line, left, state):
            place = row * width + i
            given = None if known is None else (x[place], known[place])
            pixel, (state, keep) = by_channel(lambda pixel: _regroup(column(left, here[i], pixel, state)), noise[place],
                                              channels, levels, given, read)
            centred = read(pixel, levels)
            left = tf.concat([left[:, depth:], centred], -1)
            return i + 1, image.write(place, pixel), line.write(i, tf.concat([centred, keep], -1)), left, state

        line = tf.TensorArray(tf.float32, width, element_shape=[None, depth + kept.shape[-1]])
        left = tf.zeros([batch, reach[1] * depth])
        _, image, line, *_ = tf.while_loop(lambda i, *_: i < width, draw_pixel, (0, image, line, left, first))
        line = tf.transpose(line.stack(), [1, 0, 2])  # [batch, width, channels + n]
        above = tf.concat([above[:, 1:], line[:, None, :, :depth]], 1)
        return row + 1, image, above, line[..., depth:], memory

    image = tf.TensorArray(dtype, height * width, element_shape=[None, channels])
    loop = (0, image, tf.zeros([batch, reach[0], width, depth]), kept, memory)
    image = tf.while_loop(lambda row, *_: row < height, draw_row, loop)[1]
    return tf.reshape(tf.transpose(image.stack(), [1, 0, 2]), [-1, *shape])


def _regroup(result):
    logits, *rest = result
    return logits, rest
