"""Drawing from PixelCNN++ with every layer's outputs remembered: each is computed once, as soon as what it reads is
there.

The vertical stream of a row reads the rows above alone, so it is computed a row at a time, and so is all that the
horizontal stream reads from above: its row's `contexts`. What is left for a pixel is a column of small products with
what its left neighbour remembers. A scale r has a row in every 2^r-th row, a pixel in every 2^r-th column of it; a
group of 2^(resolutions - 1) rows and of columns is unrolled in the graph of the loop.

    row i of scale r      vertical stream: from rows i - 1 and i; at even i scale r + 1 follows, at odd i its last row
        is read again
    pixel (i, j)          horizontal stream: from contexts[j] and pixel j - 1; at even i and j scale r + 1 follows; at
    odd j its last pixel is read
                          again, at odd i its last row

P. Ramachandran et al., Fast Generation for Convolutional Autoregressive Models, 2017, arXiv:1704.06001. Rows are [1,
width, batch, features]: a kernel's columns are those of an image as wide as the batch.
"""

import itertools

import tensorflow as tf

from zoo.layers.shifted_convolution import concat_elu


def product(pieces, kernel, strides=1):
    """Rows [1, width, batch, n] side by side, convolved along the width by a kernel [columns, 1, sum of n, outputs].

    One column is the row's own, two are the one before and its own, three reach one to both sides.
    """
    left = min(1, kernel.shape[0] - 1)
    padding = [[0, 0], [left, max(0, kernel.shape[0] - 2)], [0, 0], [0, 0]]
    return tf.nn.conv2d(tf.concat(pieces, -1), kernel, [strides, 1], padding)


def beside(kernels, joined):
    """Kernels [columns, inputs, outputs], and those that read a column itself, as one for `product`."""
    columns = kernels[0].shape[0]
    joined = [tf.pad(k[None], [[min(1, columns - 1), max(0, columns - 2)], [0, 0], [0, 0]]) for k in joined]
    return tf.concat([*kernels, *joined], 1)[:, None]


def interleave(even, odd):
    """Rows of half the width as one."""
    width, outputs = 2 * even.shape[1], even.shape[-1]
    return tf.reshape(tf.stack([even, odd], 2), [1, width, -1, outputs])


def matrix(kernel):
    """[..., outputs] -> [inputs, outputs]."""
    return tf.reshape(kernel, [-1, kernel.shape[-1]])


def gate(x, y):
    a, b = tf.split(y, 2, axis=-1)
    return x + a * tf.sigmoid(b)


class Block:
    """A gated residual block's matrices: for rows of the vertical stream, or for what the horizontal one reads above
    (`contexts`) and at a pixel."""

    def __init__(self, layer, bias, batch):
        kernels = layer.first.kernel(), layer.second.kernel()
        first, second = layer.first.bias + 0.0, layer.second.bias + 0.0
        joined = []
        if layer.join is not None:
            kernel = matrix(layer.join.kernel())
            joined = tf.split(kernel, kernel.shape[0] // (2 * kernel.shape[1]))  # of each of those that are joined
            first += layer.join.bias
        self.biases = [tf.broadcast_to(first, [batch, first.shape[0]]),
                       (tf.zeros([batch, 1]) if bias is None else bias) + second]
        above, here = [k[0] for k in kernels], [k[1] for k in kernels]
        if layer.first.direction == "down":
            self.row_kernels = [beside([above[0], here[0]], joined), beside([above[1], here[1]], [])]
        else:
            self.above = [beside([above[0]], joined[:1]), beside([above[1]], [])]
            self.here = [tf.concat([matrix(here[0]), *joined[1:]], 0), matrix(here[1])]

    def row(self, u, s, recall):
        """The vertical stream's next row; s: a list of rows that are joined; `recall` swaps a layer's input for that of
        the row above."""
        e = concat_elu(u)
        e = concat_elu(product([recall(e), e, *map(concat_elu, s)], self.row_kernels[0]) + self.biases[0])
        return gate(u, product([recall(e), e], self.row_kernels[1]) + self.biases[1])

    def contexts(self, before, u):
        """What a row of the horizontal stream gets from above (`before` iterates over what the row above remembers) and
        from the vertical one."""
        return [product([next(before), concat_elu(u)], self.above[0]), product([next(before)], self.above[1])]

    def pixel(self, v, e, skip, left, context, features):
        """The horizontal stream at one pixel; e = concat_elu(v); skip: concat_elu of the skip connection, in a list, or
        nothing."""
        h = tf.matmul(tf.concat([next(left), e, *skip], -1), self.here[0]) + next(context)
        features += [e, concat_elu(h)]
        return gate(v, tf.matmul(tf.concat([next(left), features[-1]], -1), self.here[1]) + next(context))


class Scale:
    """One scale's matrices and biases, and the sizes of what its two streams remember of a row and of a pixel."""

    def __init__(self, layer, colours, condition, batch):
        biases = layer.biases(condition)
        self.up, self.down = ([Block(b, next(biases), batch) for b in blocks] for blocks in (layer.up, layer.down))
        between = []
        if layer.inner is not None:
            between = [layer.channels]
            u, v = layer.reduce
            self.reduce_u, self.reduce_bias = beside(tf.unstack(u.kernel()), []), u.bias + 0.0
            self.reduce_above, self.reduce_here = beside([v.kernel()[0]], []), matrix(v.kernel()[1])
            self.reduce_context_bias = tf.broadcast_to(v.bias + 0.0, [batch, layer.channels])
            # One product for all columns of a transposed kernel's row: [inputs, columns * outputs].
            self.expand_u, self.expand_v = ([tf.reshape(tf.transpose(row, [1, 0, 2]), [layer.channels, -1])
                                             for row in tf.unstack(t.kernel())]
                                            for t in layer.expand)
            self.expand_bias, bias = (t.bias + 0.0 for t in layer.expand)
            self.expand_context_bias = tf.broadcast_to(bias, [batch, layer.channels])
            self.expand_here_bias = tf.tile(bias, [2])
        # two for each block of one stream
        ups, downs = ([2 * layer.channels] * len(blocks) for blocks in (self.up, self.down))
        pixel = [colours + 1] if colours else []
        # What convolutions read, and what the streams end in: the coarser scales' features, scale 0's levels.
        self.of_row = pixel + ups + between + downs + ([] if colours else [layer.channels])
        self.of_pixel = pixel + ups + between + downs + [colours or layer.channels]


def generate(model, noise, condition=None, x=None, known=None):
    """Draws images [batch, *model.shape] from `model.noise`'s draws; where `known` (bool [batch, height, width]), x's
    pixels stand."""
    height, width, colours = model.shape
    batch = tf.shape(noise)[0]
    scales = [Scale(layer, 0 if r else colours, condition, batch) for r, layer in enumerate(model.scales)]
    last = len(scales) - 1
    first, second, third = (layer.kernel() for layer in model.first)
    first, first_bias = beside(tf.unstack(first), []), model.first[0].bias + 0.0
    # The horizontal stream's two first kernels meet at the pixel above and to the left.
    second, here = beside([second[0] + tf.pad(third[0], [[0, 2], [0, 0], [0, 0]])], []), third[1, 0]
    second_bias = tf.broadcast_to(model.first[1].bias + model.first[2].bias, [batch, model.channels])
    head, head_bias = matrix(model.head.kernel()), model.head.bias + 0.0
    given = [noise] if known is None else [noise, tf.cast(x, tf.float32), tf.cast(known[..., None], tf.float32)]
    given_sizes = [t.shape[-1] for t in given]
    given = tf.transpose(tf.concat(given, -1), [1, 2, 0, 3])  # [H, W, B, ...]

    def vertical_row(r, row, u, memory, past, contexts):
        """A row of scale r and of the coarser ones that have one; appends to `contexts[r]` what its pixels need, each
        with a bias to be added."""
        scale, skips, before = scales[r], [u], iter(past[r])

        def recall(t):
            memory[r].append(t)
            return memory[r].pop(0)

        for vertical, horizontal in zip(scale.up[::2], scale.up[1::2]):
            u = vertical.row(u, [], recall)
            contexts[r] += zip(horizontal.contexts(before, u), horizontal.biases)
            skips.append(u)
        if r == last:
            skips.pop()
        else:
            u_before, v_before = recall(u), next(before)
            if row % 2:
                v = tf.split(product([past[r + 1][-1]], scale.expand_v[1][None, None]), 2, axis=-1)
                contexts[r].append((interleave(*v), scale.expand_context_bias))
            else:
                contexts[r + 1] = [(product([v_before], scale.reduce_above, 2), scale.reduce_context_bias)]
                coarse = product([u_before, u], scale.reduce_u, 2) + scale.reduce_bias
                vertical_row(r + 1, row // 2, coarse, memory, past, contexts)
            # What a coarse pixel gives to the columns to the left of its two, to the first and to the second.
            to_left, even, odd = tf.split(product([memory[r + 1][-1]], scale.expand_u[row % 2][None, None]), 3, axis=-1)
            u = interleave(even, odd + tf.pad(to_left[:, 1:], [[0, 0], [0, 1], [0, 0], [0, 0]])) + scale.expand_bias
        for vertical, horizontal in zip(scale.down[::2], scale.down[1::2]):
            u = vertical.row(u, [skips.pop()], recall)
            contexts[r] += zip(horizontal.contexts(before, u), horizontal.biases)
        if r:
            recall(u)

    def pixel(r, row, column, v, lefts, contexts, features, spare):
        """Scale r's horizontal stream at one pixel (numbers within the group); appends to `features[r]` what it
        remembers."""
        scale, skips, e = scales[r], [], concat_elu(v)
        for block in scale.up[1::2]:
            skips.append(e)
            v = block.pixel(v, e, [], lefts[r], contexts[r], features[r])
            e = concat_elu(v)
        if r < last:
            skips.append(e)
            features[r].append(v)
            v_left = next(lefts[r])
            if row % 2:
                v = next(contexts[r])
            elif column % 2:
                v = spare.pop(r)
            else:
                v = tf.matmul(tf.concat([v_left, v], -1), scale.reduce_here) + next(contexts[r + 1])
                v = pixel(r + 1, row // 2, column // 2, v, lefts, contexts, features, spare)
                v, spare[r] = tf.split(tf.matmul(v, scale.expand_v[0]) + scale.expand_here_bias, 2, axis=-1)
            e = concat_elu(v)
        for block in scale.down[1::2]:
            v = block.pixel(v, e, [skips.pop()], lefts[r], contexts[r], features[r])
            e = concat_elu(v)
        if r:
            features[r].append(v)
        return v

    def draw_row(i, row, memory, past):
        """Draws row i, `row` within its group; replaces what is remembered."""
        due = next(d for d in itertools.count() if d == last or (row >> d) % 2)  # the coarsest scale that has this row
        pieces = [tf.split(p[None], s.of_pixel, axis=-1) for p, s in zip(past, scales)]
        above = pieces[0].pop(0)  # the embedded pixels of row i - 1
        memory[0].append(above)
        u = product([memory[0].pop(0), above], first) + first_bias
        contexts = {0: [(product([above], second), second_bias)]}
        vertical_row(0, row, u, memory, pieces, contexts)
        sizes = [[bias.shape[-1] for _, bias in contexts[r]] for r in range(due + 1)]
        contexts = [tf.concat([c for c, _ in contexts[r]], -1)[0] + tf.concat([bias for _, bias in contexts[r]], -1)
                    for r in range(due + 1)]
        given_row = given[i]

        def body(group, left, remembered):
            left, remembered, spare = list(left), list(remembered), {}
            for column in range(2**due):
                drawn_here = [r for r in range(due + 1) if column % 2**r == 0]
                at = {r: group * 2**(due - r) + column // 2**r for r in drawn_here}
                context = {r: iter(tf.split(tf.gather(contexts[r], at[r]), sizes[r], axis=-1)) for r in drawn_here}
                lefts = {r: iter(tf.split(left[r], scales[r].of_pixel, axis=-1)) for r in drawn_here}
                features = {r: [] for r in drawn_here}
                v = tf.matmul(next(lefts[0]), here) + next(context[0])
                v = pixel(0, row, column, v, lefts, context, features, spare)
                noise, *stands = tf.split(tf.gather(given_row, at[0]), given_sizes, axis=-1)
                drawn = model.from_noise(tf.matmul(tf.nn.elu(v), head) + head_bias, noise)
                if stands:
                    drawn = tf.where(stands[1] > 0.5, tf.cast(stands[0], drawn.dtype), drawn)
                features[0] = [model.embed(drawn), *features[0], tf.cast(drawn, tf.float32)]
                for r in drawn_here:
                    left[r] = tf.concat(features[r], -1)
                    remembered[r] = remembered[r].write(at[r], left[r])
            return group + 1, left, remembered

        left = [tf.zeros([batch, sum(s.of_pixel)]) for s in scales[:due + 1]]
        remembered = [tf.TensorArray(tf.float32, width >> r, element_shape=[None, sum(scales[r].of_pixel)])
                      for r in range(due + 1)]
        _, _, remembered = tf.while_loop(lambda group, *_: group < width >> due, body, (0, left, remembered))
        past[:due + 1] = [r.stack() for r in remembered]

    def rows(group, memory, past, image):
        memory, past = [list(m) for m in memory], list(past)
        for row in range(2**last):
            draw_row(group * 2**last + row, row, memory, past)
            image = image.write(group * 2**last + row, past[0][..., -colours:])
        return group + 1, memory, past, image

    memory = [[tf.zeros([1, width >> r, batch, n]) for n in s.of_row] for r, s in enumerate(scales)]
    past = [tf.zeros([width >> r, batch, sum(s.of_pixel)]) for r, s in enumerate(scales)]
    image = tf.TensorArray(tf.float32, height, element_shape=[width, None, colours])
    _, _, _, image = tf.while_loop(lambda group, *_: group < height >> last, rows, (0, memory, past, image))
    return tf.cast(tf.transpose(image.stack(), [2, 0, 1, 3]), model.domain.dtype)
