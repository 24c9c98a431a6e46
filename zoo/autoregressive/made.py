"""MADE: an autoencoder whose weights are masked so that output d reads only the inputs that come before d, so all
conditionals take one pass.

M. Germain, K. Gregor, I. Murray, H. Larochelle, MADE: Masked autoencoder for distribution estimation, 2015,
arXiv:1502.03509. Every hidden unit has a degree, the last position that it may read. Degrees and order can change from
step to step (connectivity- and order-agnostic training); the sets of masks are then an ensemble, a mixture with an
exact likelihood. Drawing evaluates every unit once, as soon as all that
it reads is drawn: about one pass in total instead of one for each place.
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.autoregressive.parts import orders
from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.distributions import mixtures, pixels
from zoo.layers.masked_dense import MaskedDense, StaircaseDense
from zoo.model import Domain
from zoo.paper import Paper

tfd = tfp.distributions


class MADE(Autoregressive):
    """log p(x) = log 1/K sum_k prod_d p(x_d | the places before d in the k-th order), each factor a masked network of
    the k-th degrees.

    h_l = relu(b_l + (M_l * W_l) h_{l-1}), outputs c + (M * V) h_L + (M_A * A) x. M_l lets degree m read degrees <= m,
    outputs read degrees < their position.

    Args:
        shape: of an example, of any rank, with at least two entries. An image's channels are entries of their pixel's
            place.
        hidden: units of each hidden layer.
        direct: whether outputs also read the inputs themselves, through A.
        masks: sets of masks, K. One is fixed; of several, a training step takes one at random, and the likelihood is
            their mean.
        order: `raster`; `reversed`; `random`, another one for each set of masks; or a permutation of the places'
            row-major numbers.
        components: Gaussians in each entry's mixture, for real data; 0: binary data, Bernoulli.

    Raises:
        ValueError: if `shape` has less than two entries, a number is too small, or the order is no permutation.
    """

    paper = Paper(("Germain", "Gregor", "Murray", "Larochelle"),
                  "MADE: Masked autoencoder for distribution estimation", 2015, "arXiv:1502.03509")

    def __init__(self, shape=(28, 28, 1), hidden=(500,), direct=False, masks=1, order="raster", components=0, **kwargs):
        super().__init__(**kwargs)
        self.size = size = math.prod(shape)
        if size < 2 or not hidden or min(hidden) < 1 or masks < 1 or components < 0:
            raise ValueError("shape must have at least two entries, hidden at least one layer, each layer and masks be "
                             "at least 1, components at least 0, "
                             f"found {tuple(shape)}, {tuple(hidden)}, {masks} and {components}.")
        self.shape, self.hidden, self.direct, self.masks = tuple(shape), tuple(hidden), direct, masks
        self.components = components
        self.given_order = order if isinstance(order, str) else tuple(int(i) for i in np.ravel(order))
        self.width = 3 * components or 1  # outputs of an entry
        self.orders, self.degrees = self._sets()
        # Degrees from the inputs, at d + 1, to the outputs: one at d reads inputs before d.
        sides = [np.arange(size) + 1, *(_even(n, size) for n in self.hidden), np.repeat(np.arange(size), self.width)]
        self.stack = [MaskedDense(len(t)) if masks > 1 else StaircaseDense(s, t) for s, t in zip(sides, sides[1:])]
        self.skip = None
        if direct:
            self.skip = MaskedDense(len(sides[-1]), False) if masks > 1 else StaircaseDense(sides[0], sides[-1], False)
        self.build()

    def _sets(self):
        """Returns, of every set of masks, the order of the entries, [K, D], and the degrees of each layer's units, a
        list of [K, units]."""
        places = math.prod(self.domain.places)
        fixed = None if self.given_order == "random" else orders.check(self.given_order, places)
        order = np.stack([orders.permutation(places, 0, k) if fixed is None else fixed for k in range(self.masks)])
        # NOTE: degrees are spread evenly, and shuffled where masks change, instead of drawn: every set uses all degrees
        # alike.
        shuffle = [[orders.permutation(n, 1 + layer, k) if self.masks > 1 else np.arange(n) for k in range(self.masks)]
                   for layer, n in enumerate(self.hidden)]
        degrees = [_even(n, self.size)[np.stack(places)] for n, places in zip(self.hidden, shuffle)]
        return orders.entries(order, self.passes), degrees

    def get_config(self):
        return dict(shape=self.shape, hidden=self.hidden, direct=self.direct, masks=self.masks, order=self.given_order,
                    components=self.components)

    @property
    def domain(self):
        return Domain("real", self.shape) if self.components else Domain("binary", self.shape, 2)

    @property
    def order(self):
        """The order of the first set of masks, as a permutation of the places' row-major numbers."""
        return self.orders[0, ::self.passes] // self.passes

    @property
    def passes(self):
        return self.size // math.prod(self.domain.places)  # a channel sees those before it

    def parameters(self, x, condition=None, seed=None):
        """Logits [batch, *shape] or mixtures' parameters [batch, *shape, 3 * components], under the set of masks that
        `seed` draws (None: the first)."""
        self.domain.require(condition)
        return self.conditionals(x,
                                 0 if seed is None else tf.random.stateless_uniform([], seed, 0, self.masks, tf.int32))

    def conditionals(self, x, index):
        """Returns the parameters of every p(x_d | the places before d) under one set of masks."""
        h = tf.reshape(tf.cast(x, tf.float32), [-1, self.size])
        ordered = self.masks == 1 and self.given_order != "raster"  # a staircase has the entries in their order
        h = tf.gather(h, self.orders[0], axis=1) if ordered else h
        sides, ends = [()] * len(self.stack), ()
        if self.masks > 1:
            position = tf.gather(orders.positions(self.orders), index)  # from 0: the degree that an output may read
            degrees = [position + 1, *(tf.gather(d, index) for d in self.degrees), tf.repeat(position, self.width)]
            sides, ends = list(zip(degrees, degrees[1:])), (degrees[0], degrees[-1])
        skip = self.skip(h, *ends) if self.direct else 0.0
        for layer, side in zip(self.stack[:-1], sides):
            h = tf.nn.relu(layer(h, *side))
        y = tf.reshape(tf.cast(self.stack[-1](h, *sides[-1]) + skip, tf.float32), [-1, self.size, self.width])
        y = tf.gather(y, orders.positions(self.orders[0]), axis=1) if ordered else y
        return tf.reshape(y, [-1, *self.shape, *([self.width] if self.components else [])])

    def distribution(self, parameters):
        return tfd.Independent(self._each(parameters), len(self.shape))

    def _each(self, parameters):
        if self.components:
            return mixtures.mixture(parameters)
        return pixels.Bernoulli(logits=parameters, dtype=tf.float32)

    def _log_prob(self, x, condition=None):
        """Computes log p(x) in nats, [batch]: exact, of the mixture of all sets of masks."""
        if self.masks == 1:
            return super()._log_prob(x, condition)
        self.domain.require(condition)
        return self._mean(lambda k: self.distribution(self.conditionals(x, k)).log_prob(x), x)

    def _mean(self, log_prob, x):
        """Computes log 1/K sum_k exp(log_prob(k)), [batch]; one set of masks at a time, for bounded memory."""
        terms = tf.map_fn(log_prob, tf.range(self.masks), fn_output_signature=tf.TensorSpec(x.shape[:1], tf.float32),
                          parallel_iterations=1)
        return tf.reduce_logsumexp(terms, axis=0) - math.log(self.masks)

    def noise(self, seeds):
        """Returns (noise of every entry, number of the set of masks [batch])."""
        index = tf.cast(random.uniform_rows(random.fold_in_rows(seeds, 1), []) * self.masks, tf.int32)
        values = (
            mixtures.noise_rows(seeds, self.shape, self.components)
            if self.components
            else pixels.noise_rows(seeds, self.shape, 2)
        )
        return values, tf.minimum(index, self.masks - 1)

    def from_noise(self, parameters, noise):
        if self.components:
            return mixtures.from_noise(parameters, noise[0])
        return pixels.from_noise(parameters, noise[0], 2)

    @tf.function(reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws one entry a step, each row in the order of its set of masks; of several sets, with the known places
        first. In float32."""
        self.domain.require(condition)
        values, index = noise
        order, known = tf.gather(self.orders, index), None if known is None else self._entries(known)
        if self.masks > 1 and known is not None:
            order = orders.known_first(order, known)
        return tf.reshape(self._run(values, index if self.masks > 1 else 0, order, x, known)[0], [-1, *self.shape])

    def _complete(self, x, mask, seeds, condition=None):
        """Draws what is missing. With one set of masks as `Autoregressive` does; with several, for any mask, each row
        under one set drawn at random, in its
        order but with the known places first: exact under that network, which training on orders and connectivities
        makes good, not for the mixture."""
        if self.masks == 1:
            return super()._complete(x, mask, seeds, condition)
        return self.generate(self.noise(seeds), condition, x, mask)

    def completes_exactly(self, mask):
        return self.masks > 1 or super().completes_exactly(mask)

    def _missing_log_prob(self, x, mask, seeds, condition=None):
        """Computes log p(what is missing | what is known) in nats, [batch]; with several sets of masks the exact
        probability of what `complete` draws."""
        if self.masks == 1:
            return super()._missing_log_prob(x, mask, seeds, condition)
        self.domain.require(condition)
        return self._exact_missing_log_prob(x, self._entries(mask))

    @tf.function(reduce_retracing=True)
    def _exact_missing_log_prob(self, x, known):
        every = tf.ones_like(known)

        def one(k):
            order = orders.known_first(tf.repeat(tf.gather(self.orders, [k]), tf.shape(x)[0], axis=0), known)
            parameters = self._run(None, k, order, x, every)[1]  # [D, batch, width], by position
            values = tf.transpose(tf.gather(tf.reshape(x, [-1, self.size]), order, batch_dims=1))  # [D, batch]
            terms = self._each(parameters if self.components else parameters[..., 0]).log_prob(values)
            return tf.reduce_sum(tf.where(tf.transpose(tf.gather(known, order, batch_dims=1)), 0.0, terms), 0)

        return self._mean(one, x)

    def _entries(self, mask):
        """Returns a mask of places as one of entries, [batch, D]."""
        return tf.repeat(tf.reshape(mask, [-1, self.size // self.passes]), self.passes, axis=1)

    def _run(self, noise, index, order, x=None, known=None):
        """Visits the entries in each row's order [batch, D]; `index` is the set of masks, a scalar or [batch]. Returns
        x, by entry, [batch, D], and the parameters that each was drawn from, by position, [D, batch, width].

        A unit of degree d is evaluated when position d is drawn, and adds to the sums of what reads it: no mask is
        needed, what is not there adds nothing.
        """
        first, first_bias, rest, biases, skip = self._weights()
        # units: [K, D, n]
        units = [tf.constant(table) for table in map(_units, self.degrees, [self.size] * len(self.degrees))]
        present = [tf.cast(table >= 0, tf.float32) for table in units]
        batch, shared = tf.shape(order)[0], isinstance(index, int) or index.shape.rank == 0
        flat = [None if t is None else tf.reshape(t, [-1, self.size, *t.shape[1 + len(self.shape):]])
                for t in (noise, x)]

        def read(sums, unit):
            return tf.gather(sums, unit, axis=1) if shared else tf.gather(sums, unit, batch_dims=1)

        def body(position, drawn, sums, used):
            place = order[:, position]
            parameters = tf.gather(tf.reshape(sums[-1], [batch, self.size, self.width]), place, batch_dims=1)
            value = None if noise is None else self._draw(parameters, tf.gather(flat[0], place, batch_dims=1))
            if known is not None:
                given = tf.gather(flat[1], place, batch_dims=1)
                value = given if value is None else tf.where(tf.gather(known, place, batch_dims=1), given, value)
            drawn += tf.one_hot(place, self.size) * value[:, None]
            added = []
            for layer, (table, real) in enumerate(zip(units, present)):
                # unit, real: [n] or [batch, n]
                unit, real = tf.gather(table[:, position], index), tf.gather(real[:, position], index)
                unit = tf.maximum(unit, 0)
                if layer == 0:
                    rows, h = tf.gather(first, unit), tf.gather(first_bias, unit)
                    h += tf.matmul(drawn, rows, transpose_b=True) if shared else tf.linalg.matvec(rows, drawn)
                else:
                    h = read(sums[layer - 1] + added[-1], unit)
                h, rows = tf.nn.relu(h) * real, tf.gather(rest[layer], unit)
                added.append(tf.matmul(h, rows) if shared else tf.linalg.matvec(rows, h, transpose_a=True))
            if skip is not None:
                added[-1] += value[:, None] * tf.gather(skip, place)
            return position + 1, drawn, [s + a for s, a in zip(sums, added)], used.write(position, parameters)

        used = tf.TensorArray(tf.float32, self.size, element_shape=[None, self.width])
        start = [tf.tile(bias[None], [batch, 1]) for bias in biases]
        _, drawn, _, used = tf.while_loop(lambda position, *_: position < self.size, body,
                                          (0, tf.zeros([batch, self.size]), start, used))
        return drawn, used.stack()

    def _draw(self, parameters, noise):
        if self.components:
            return mixtures.from_noise(parameters, noise)
        return pixels.from_noise(parameters[:, 0], noise, 2)

    def _weights(self):
        """Returns first weights by unit [H, D], first bias, the other layers' weights [inputs, units] and biases, the
        direct ones or None; entries by number."""
        matrices = [layer.matrix() for layer in self.stack]
        biases = [tf.convert_to_tensor(layer.bias) for layer in self.stack]
        skip = self.skip.matrix() if self.direct else None
        if self.masks == 1 and self.given_order != "raster":
            entry = orders.positions(self.orders[0])
            output = (entry[:, None] * self.width + np.arange(self.width)).ravel()
            matrices[0], biases[-1] = tf.gather(matrices[0], entry), tf.gather(biases[-1], output)
            matrices[-1] = tf.gather(matrices[-1], output, axis=1)
            skip = tf.gather(tf.gather(skip, entry), output, axis=1) if self.direct else None
        return tf.transpose(matrices[0]), biases[0], matrices[1:], biases[1:], skip


def _even(units, size):
    """Returns degrees 1..size-1 spread evenly over the units, ascending."""
    return 1 + np.arange(units) * (size - 1) // units


def _units(degrees, size):
    """Returns, for every set of masks [K, units], the units of each degree 1..size, int32 [K, size, n]; -1 where there
    are fewer than n."""
    found = [[np.flatnonzero(row == d) for d in range(1, size + 1)] for row in degrees]
    table = np.full([len(degrees), size, max(len(units) for row in found for units in row)], -1, np.int32)
    for k, row in enumerate(found):
        for d, units in enumerate(row):
            table[k, d, :len(units)] = units
    return table
