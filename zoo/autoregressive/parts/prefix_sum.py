"""What FVSBN, NADE and RNADE share: conditionals that read running activations, a_d = c + sum over e < d of x_e W_e, in
an order that may be chosen.

A sample is one pass in total: each value drawn adds its row of W to the activations. Dimensions, "entries" here, are
the places in their order, the channels of a pixel together and in theirs.
"""

import abc
import math

import tensorflow as tf

from zoo.autoregressive.parts import orders
from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.distributions import pixels
from zoo.model import Domain


class PrefixSum(Autoregressive):
    """p(x) = prod_d p(x_d | a_d), a_d = c + sum_{e<d} x_e W_e. A subclass calls `arrange` before it makes weights, and
    defines `prefix_sum` and the rest."""

    def arrange(self, shape, order):
        """Takes the constructor's arguments. Raises ValueError if a size is below 1, or `orders.check` refuses the
        order."""
        if not shape or min(shape) < 1:
            raise ValueError(f"shape must have at least one size and none below 1, found {tuple(shape)}.")
        self.shape, self.size = tuple(shape), math.prod(shape)
        checked = orders.check(order, math.prod(self.domain.places))
        self.given_order = order if isinstance(order, str) else tuple(int(place) for place in checked)
        self.entries = orders.entries(checked, self.passes)  # [D]

    @abc.abstractmethod
    def prefix_sum(self):
        """Returns c [H], W [D, H], and the function (d, a_d [batch, H]) -> parameters of p(x_d | a_d) [batch, ...], all
        float32."""

    @property
    def order(self):
        return self.entries[::self.passes] // self.passes

    @property
    def passes(self):
        return self.size // math.prod(self.domain.places)  # a channel sees those before it

    @tf.function(reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws an entry a step from a_d, to which it then adds x_d W_d: O(D H) for an example."""
        self.domain.require(condition)
        c, W, conditional = self.prefix_sum()
        noise = self._by_entry(self.arranged(noise))  # [D, batch, ...]
        if known is not None:
            every = tf.broadcast_to(tf.reshape(known,
                                               [-1, *self.domain.places,
                                                *[1] * (len(self.shape) - len(self.domain.places))]), tf.shape(x))
            x, known = self._by_entry(self.arranged(x)), self._by_entry(self.arranged(every))

        def body(d, a, drawn):
            x_d = self.from_noise(conditional(d, a), noise[d])
            x_d = x_d if known is None else tf.where(known[d], x[d], x_d)
            return d + 1, a + x_d[:, None] * W[d], drawn.write(d, x_d)

        start = tf.zeros([tf.shape(noise)[1], 1]) + c
        drawn = tf.TensorArray(tf.float32, self.size, element_shape=[None])
        _, _, drawn = tf.while_loop(lambda d, *_: d < self.size, body, (0, start, drawn))
        return self.placed(tf.transpose(drawn.stack()))

    def arranged(self, t):
        """Maps [batch, *shape, ...] -> [batch, D, ...], entries in the model's order."""
        t = tf.reshape(t, [-1, self.size, *t.shape[1 + len(self.shape):]])
        return t if self.given_order == "raster" else tf.gather(t, self.entries, axis=1)

    def placed(self, t):
        """Maps [batch, D, ...] -> [batch, *shape, ...]: the inverse of `arranged`."""
        t = t if self.given_order == "raster" else tf.gather(t, orders.positions(self.entries), axis=1)
        return tf.reshape(t, [-1, *self.shape, *t.shape[2:]])

    def _by_entry(self, t):
        return tf.transpose(t, [1, 0, *range(2, t.shape.rank)])


class BinaryPrefixSum(PrefixSum):
    """Of entries in {0, 1}: the parameters are the logits of a one, [batch, *shape]."""

    @property
    def domain(self):
        return Domain("binary", self.shape, levels=2)

    def distribution(self, parameters):
        return pixels.pixels(parameters, 2, len(self.shape))

    def noise(self, seeds):
        return pixels.noise_rows(seeds, self.shape, 2)

    def from_noise(self, parameters, noise):
        return pixels.from_noise(parameters, noise, 2)


def float32(weight):
    """Returns the weight as a tensor, float32 whatever the dtype policy: sums over hundreds of entries want its
    precision."""
    return tf.cast(tf.convert_to_tensor(weight), tf.float32)
