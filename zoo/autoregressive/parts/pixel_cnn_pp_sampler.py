"""Drawing from PixelCNN++ with every layer's outputs remembered: each is computed once, as soon as what it reads is
there.

The vertical stream of a row reads the rows above alone, so it is computed a row at a time, and so is all that the
horizontal stream reads from above: its row's `contexts`. What is left for a pixel is a column of small products with
what its left neighbour remembers. A scale r has a row in every 2^r-th row, a pixel in every 2^r-th column of it; a
group of 2^(resolutions - 1) rows and of columns is unrolled in the graph of the loop.

    row i of scale r      vertical stream: from rows i - 1 and i; at even i scale r + 1 follows, at odd i its last row
                          is read again
    pixel (i, j)          horizontal stream: from contexts[j] and pixel j - 1; at even i and j scale r + 1 follows; at
                          odd j its last pixel is read again, at odd i its last row

P. Ramachandran et al., Fast Generation for Convolutional Autoregressive Models, 2017, arXiv:1704.06001. The
matrices are those of `pixel_cnn_pp_matrices`, and so is the layout of rows.
"""

import tensorflow as tf

from zoo.autoregressive.parts.pixel_cnn_pp_matrices import Scale, beside, interleave, matrix, product
from zoo.layers.shifted_convolution import concat_elu


def generate(model, noise, condition=None, x=None, known=None):
    """Draws images [batch, *model.shape] from `model.noise`'s draws; where `known` (bool [batch, height, width]), x's
    pixels stand."""
    sampler = _Sampler(model, noise, condition, x, known)
    groups = model.shape[0] >> sampler.last
    image = tf.while_loop(lambda group, *_: group < groups, sampler.draw_rows, sampler.start())[-1]
    return tf.cast(tf.transpose(image.stack(), [2, 0, 1, 3]), model.domain.dtype)


class _Sampler:
    """The network at a row and at a pixel of each image. `memory`: what the vertical streams read of the row above;
    `past`: what is remembered of its pixels; `contexts`: what a row's pixels need of all that is above."""

    def __init__(self, model, noise, condition, x, known):
        self.model, self.batch, colours = model, tf.shape(noise)[0], model.shape[-1]
        self.scales = [Scale(layer, 0 if r else colours, condition, self.batch) for r, layer in enumerate(model.scales)]
        self.last = len(self.scales) - 1
        first, second, third = (layer.kernel() for layer in model.first)
        self.first, self.first_bias = beside(tf.unstack(first), []), model.first[0].bias + 0.0
        # The horizontal stream's two first kernels meet at the pixel above and to the left.
        self.second, self.here = beside([second[0] + tf.pad(third[0], [[0, 2], [0, 0], [0, 0]])], []), third[1, 0]
        self.second_bias = tf.broadcast_to(model.first[1].bias + model.first[2].bias, [self.batch, model.channels])
        self.head, self.head_bias = matrix(model.head.kernel()), model.head.bias + 0.0
        given = [noise]
        if known is not None:
            given += [tf.cast(x, tf.float32), tf.cast(known[..., None], tf.float32)]
        self.given_sizes = [t.shape[-1] for t in given]
        self.given = tf.transpose(tf.concat(given, -1), [1, 2, 0, 3])  # [H, W, B, ...]

    def start(self):
        """Makes the loop's state before the first row: zeros for whatever lies outside of the image."""
        height, width, colours = self.model.shape
        memory = [[tf.zeros([1, width >> r, self.batch, n]) for n in s.of_row] for r, s in enumerate(self.scales)]
        past = [tf.zeros([width >> r, self.batch, sum(s.of_pixel)]) for r, s in enumerate(self.scales)]
        return 0, memory, past, tf.TensorArray(tf.float32, height, element_shape=[width, None, colours])

    def draw_rows(self, group, memory, past, image):
        """Draws the rows of a group."""
        memory, past, colours = [list(m) for m in memory], list(past), self.model.shape[-1]
        for row in range(2**self.last):
            self._draw_row(group * 2**self.last + row, row, memory, past)
            image = image.write(group * 2**self.last + row, past[0][..., -colours:])
        return group + 1, memory, past, image

    def _draw_row(self, i, row, memory, past):
        """Draws row i, `row` within its group; replaces what is remembered."""
        coarsest, width = self._coarsest(row), self.model.shape[1]
        contexts, sizes = self._contexts(row, coarsest, memory, past)
        given_row = self.given[i]

        def body(group, left, remembered):
            left, remembered, spare = list(left), list(remembered), {}
            for column in range(2**coarsest):
                place = {r: group * 2**(coarsest - r) + column // 2**r for r in range(coarsest + 1)
                         if column % 2**r == 0}  # of each scale that has a pixel here
                context = {r: iter(tf.split(tf.gather(contexts[r], at), sizes[r], axis=-1)) for r, at in place.items()}
                found = self._draw_pixel(row, column, tf.gather(given_row, place[0]), {r: left[r] for r in place},
                                         context, spare)
                for r, at in place.items():
                    left[r] = found[r]
                    remembered[r] = remembered[r].write(at, found[r])
            return group + 1, left, remembered

        left = [tf.zeros([self.batch, sum(s.of_pixel)]) for s in self.scales[:coarsest + 1]]
        remembered = [tf.TensorArray(tf.float32, width >> r, element_shape=[None, sum(self.scales[r].of_pixel)])
                      for r in range(coarsest + 1)]
        _, _, remembered = tf.while_loop(lambda group, *_: group < width >> coarsest, body, (0, left, remembered))
        past[:coarsest + 1] = [r.stack() for r in remembered]

    def _coarsest(self, row):
        """Returns the coarsest scale that has a row of the group."""
        scale = 0
        while scale < self.last and (row >> scale) % 2 == 0:
            scale += 1
        return scale

    def _contexts(self, row, coarsest, memory, past):
        """Returns what the pixels of a row need of all that is above, [width of the scale, batch, n] for each scale up
        to the coarsest, and the sizes of the parts of n."""
        pieces = [tf.split(p[None], s.of_pixel, axis=-1) for p, s in zip(past, self.scales)]
        above = pieces[0].pop(0)  # the embedded pixels of the row above
        memory[0].append(above)
        u = product([memory[0].pop(0), above], self.first) + self.first_bias
        contexts = {0: [(product([above], self.second), self.second_bias)]}
        self._vertical_row(0, row, u, memory, pieces, contexts)
        sums, sizes = [], []
        for r in range(coarsest + 1):
            parts, biases = zip(*contexts[r])
            sums.append(tf.concat(parts, -1)[0] + tf.concat(biases, -1))
            sizes.append([bias.shape[-1] for bias in biases])
        return sums, sizes

    def _vertical_row(self, r, row, u, memory, past, contexts):
        """Computes a row of scale r and of the coarser ones that have one; appends to `contexts[r]` what its pixels
        need, each with a bias to be added."""
        scale, skips, before = self.scales[r], [u], iter(past[r])

        def recall(t):
            memory[r].append(t)
            return memory[r].pop(0)

        for vertical, horizontal in zip(scale.up[::2], scale.up[1::2]):
            u = vertical.row(u, [], recall)
            contexts[r] += zip(horizontal.contexts(before, u), horizontal.biases)
            skips.append(u)
        if r == self.last:
            skips.pop()
        else:
            u = self._coarser_row(r, row, recall(u), u, next(before), memory, past, contexts)
        for vertical, horizontal in zip(scale.down[::2], scale.down[1::2]):
            u = vertical.row(u, [skips.pop()], recall)
            contexts[r] += zip(horizontal.contexts(before, u), horizontal.biases)
        if r:
            recall(u)

    def _coarser_row(self, r, row, u_before, u, v_before, memory, past, contexts):
        """Computes what scale r + 1 gives to a row of scale r, from the row above and this one; at even rows scale r +
        1 has a row of its own."""
        scale = self.scales[r]
        if row % 2:
            v = tf.split(product([past[r + 1][-1]], scale.expand_v[1][None, None]), 2, axis=-1)
            contexts[r].append((interleave(*v), scale.expand_context_bias))
        else:
            contexts[r + 1] = [(product([v_before], scale.reduce_above, 2), scale.reduce_context_bias)]
            coarse = product([u_before, u], scale.reduce_u, 2) + scale.reduce_bias
            self._vertical_row(r + 1, row // 2, coarse, memory, past, contexts)
        # What a coarse pixel gives to the columns to the left of its two, to the first and to the second.
        expanded = product([memory[r + 1][-1]], scale.expand_u[row % 2][None, None])
        to_left, even, odd = tf.split(expanded, 3, axis=-1)
        odd += tf.pad(to_left[:, 1:], [[0, 0], [0, 1], [0, 0], [0, 0]])
        return interleave(even, odd) + scale.expand_bias

    def _draw_pixel(self, row, column, given, left, contexts, spare):
        """Draws one pixel of each image; returns what each scale that has a pixel here remembers of it, {scale: [batch,
        n]}, where `left` is what it remembers of the pixel to the left. Row and column are within the group."""
        lefts = {r: iter(tf.split(t, self.scales[r].of_pixel, axis=-1)) for r, t in left.items()}
        features = {r: [] for r in left}
        v = tf.matmul(next(lefts[0]), self.here) + next(contexts[0])
        v = self._pixel(0, row, column, v, lefts, contexts, features, spare)
        noise, *stands = tf.split(given, self.given_sizes, axis=-1)
        drawn = self.model.from_noise(tf.matmul(tf.nn.elu(v), self.head) + self.head_bias, noise)
        if stands:
            x, known = stands
            drawn = tf.where(known > 0.5, tf.cast(x, drawn.dtype), drawn)
        features[0] = [self.model.embed(drawn), *features[0], tf.cast(drawn, tf.float32)]
        return {r: tf.concat(f, -1) for r, f in features.items()}

    def _pixel(self, r, row, column, v, lefts, contexts, features, spare):
        """Computes scale r's horizontal stream at one pixel; appends to `features[r]` what it remembers."""
        scale, skips, e = self.scales[r], [], concat_elu(v)
        for block in scale.up[1::2]:
            skips.append(e)
            v = block.pixel(v, e, [], lefts[r], contexts[r], features[r])
            e = concat_elu(v)
        if r < self.last:
            skips.append(e)
            features[r].append(v)
            v_left = next(lefts[r])
            if row % 2:
                v = next(contexts[r])
            elif column % 2:
                v = spare.pop(r)
            else:
                v = tf.matmul(tf.concat([v_left, v], -1), scale.reduce_here) + next(contexts[r + 1])
                v = self._pixel(r + 1, row // 2, column // 2, v, lefts, contexts, features, spare)
                v, spare[r] = tf.split(tf.matmul(v, scale.expand_v[0]) + scale.expand_here_bias, 2, axis=-1)
            e = concat_elu(v)
        for block in scale.down[1::2]:
            v = block.pixel(v, e, [skips.pop()], lefts[r], contexts[r], features[r])
            e = concat_elu(v)
        if r:
            features[r].append(v)
        return v
