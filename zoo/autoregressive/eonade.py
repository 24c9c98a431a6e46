"""EoNADE: one network that predicts any entry from any others, trained on random splits into known and missing, so that
every order is a model.

B. Uria, I. Murray, H. Larochelle, A deep and tractable density estimator, 2014, arXiv:1310.1757.
The network reads the known entries and the mask that says which they are. One split costs one pass, and estimates the
mean over all orders without bias. The likelihood is that of an ensemble of orders, a block of each order's positions at
a time.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.autoregressive.parts import orders as permutations
from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.distributions import pixels
from zoo.model import Domain, split_batch
from zoo.paper import Paper

BLOCK = 28  # positions of an order that are evaluated together: bounds the memory of a likelihood


class EoNADE(Autoregressive):
    """log p(x) = log 1/K sum_k prod_d p(x_{o_d} | x_{o_<d}) over K orders o; p(x_i = 1 | known) = sigmoid(c + V h_L)_i,
    h_1 = relu(b + W (m * x) + U m).

    m says what is known. Minimised is D / (D - d + 1) times the sum over the missing of -log p(x_i | known), d uniform
    on 1..D, any d - 1 entries known.

    Args:
        shape: of a binary example, of any rank. An image's channels are entries of their pixel's place.
        hidden: units of each hidden layer.
        orders: size of the ensemble, K, which training does not depend on; the orders are the same in every process.

    Raises:
        ValueError: if a number is less than 1, or there is no hidden layer.
    """

    paper = Paper(("Uria", "Murray", "Larochelle"), "A deep and tractable density estimator", 2014, "arXiv:1310.1757")

    def __init__(self, shape=(28, 28, 1), hidden=(500,), orders=4, **kwargs):
        super().__init__(**kwargs)
        self.size = math.prod(shape)
        if self.size < 1 or not hidden or min(hidden) < 1 or orders < 1:
            raise ValueError("shape must have no empty side, hidden at least one layer, each layer and orders be at "
                             "least 1, "
                             f"found {tuple(shape)}, {tuple(hidden)} and {orders}.")
        self.shape, self.hidden, self.orders = tuple(shape), tuple(hidden), orders
        places = math.prod(self.domain.places)
        # permutations: [K, D]
        self.permutations = permutations.entries([permutations.permutation(places, 0, k) for k in range(orders)],
                                                 self.passes)
        self.stack = [keras.layers.Dense(units, "relu") for units in hidden] + [keras.layers.Dense(self.size)]
        for layer, inputs in zip(self.stack, (2 * self.size, *hidden)):
            layer.build((None, inputs))
        self.build()

    def get_config(self):
        return dict(shape=self.shape, hidden=self.hidden, orders=self.orders)

    @property
    def domain(self):
        return Domain("binary", self.shape, 2)

    @property
    def order(self):
        """The first order of the ensemble, a permutation of the places' row-major numbers."""
        return self.permutations[0, ::self.passes] // self.passes

    @property
    def passes(self):
        return self.size // math.prod(self.domain.places)  # a channel sees those before it

    def objective(self, batch, seed):
        """Computes D / (D - d + 1) sum over the missing of -log p(x_i | known): its mean over d and the known is the
        mean of -log p(x) over all orders."""
        x, condition = split_batch(batch)
        self.domain.require(condition)
        x, (length, subset) = self._flat(x), random.split(seed)
        known = tf.random.stateless_uniform([tf.shape(x)[0]], length, 0, self.size, tf.int32)  # d - 1
        mask = tf.cast(permutations.random_subsets(subset, known, self.size), tf.float32)
        h = tf.concat([mask * x, mask], -1)
        for layer in self.stack:
            h = layer(h)
        missing = tf.reduce_sum((1.0 - mask) * _log_bernoulli(tf.cast(h, tf.float32), x), -1)
        return {"nll": -self.size / tf.cast(self.size - known, tf.float32) * missing}

    def parameters(self, x, condition=None, seed=None):
        """Returns the logits [batch, *shape] of every p(x_i | the places before i) in the first order of the ensemble;
        there is no noise of training."""
        self.domain.require(condition)
        return tf.reshape(tf.gather(self._logits(self._flat(x), tf.constant(self.permutations[0])),
                                    np.argsort(self.permutations[0]), axis=1),
                          [-1, *self.shape])

    def distribution(self, parameters):
        return pixels.pixels(parameters, 2, len(self.shape))

    def _log_prob(self, x, condition=None):
        """Computes log p(x) in nats, [batch]: exact, of the mixture over all orders of the ensemble."""
        self.domain.require(condition)
        x = self._flat(x)

        def one(order):
            return tf.reduce_sum(_log_bernoulli(self._logits(x, order), tf.gather(x, order, axis=1)), -1)

        return self._mean(one, x)

    def _mean(self, log_prob, x):
        """Computes log 1/K sum_k exp(log_prob(o_k)), [batch]; one order at a time, for bounded memory."""
        spec = tf.TensorSpec(x.shape[:1], tf.float32)
        terms = tf.map_fn(log_prob, tf.constant(self.permutations), fn_output_signature=spec, parallel_iterations=1)
        return tf.reduce_logsumexp(terms, axis=0) - math.log(self.orders)

    def noise(self, seeds):
        """Returns (uniforms [batch, *shape], number of the order [batch])."""
        index = tf.cast(random.uniform_rows(random.fold_in_rows(seeds, 1), []) * self.orders, tf.int32)
        return pixels.noise_rows(seeds, self.shape, 2), tf.minimum(index, self.orders - 1)

    def from_noise(self, parameters, noise):
        return pixels.from_noise(parameters, noise[0], 2)

    @tf.function(reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws the missing entries, one a step, each row in the order that its noise names; computed in float32."""
        self.domain.require(condition)
        uniforms, index = noise
        if known is None:
            x = known = tf.zeros_like(self._flat(uniforms))
        else:
            x, known = self._flat(x), self._entries(known)
        return tf.reshape(self._run(self._flat(uniforms), tf.gather(self.permutations, index), x, known)[0],
                          [-1, *self.shape])

    def _complete(self, x, mask, seeds, condition=None):
        """Draws what is missing given any known places, exactly: the network reads them at once, and the rest in an
        order of the ensemble."""
        return self.generate(self.noise(seeds), condition, x, mask)

    def completes_exactly(self, mask):
        return True

    def _missing_log_prob(self, x, mask, seeds, condition=None):
        """Computes log p(what is missing | what is known) in nats, [batch]: exact, the mean over the ensemble's orders
        of what is missing."""
        self.domain.require(condition)
        return self._exact_missing_log_prob(self._flat(x), self._entries(mask))

    @tf.function(reduce_retracing=True)
    def _exact_missing_log_prob(self, x, known):
        return self._mean(lambda order: self._run(None, tf.repeat(order[None], tf.shape(x)[0], axis=0), x, known)[1], x)

    def _flat(self, x):
        return tf.reshape(tf.cast(x, tf.float32), [-1, self.size])

    def _entries(self, mask):
        """Returns a mask of places as one of entries, float32 [batch, D]."""
        return tf.cast(tf.repeat(tf.reshape(mask, [-1, self.size // self.passes]), self.passes, axis=1), tf.float32)

    def _weights(self):
        """Returns W, U, b of the first layer; (kernel, bias) of those between; V^T and c of the last, by entry:
        float32."""
        first, *between, last = [(tf.convert_to_tensor(layer.kernel), tf.convert_to_tensor(layer.bias))
                                 for layer in self.stack]
        return (*tf.split(first[0], 2), first[1]), between, (tf.transpose(last[0]), last[1])

    def _logits(self, x, order):
        """Computes, of x [batch, D], the logits of all positions of one order [D], each given those before it; a block
        of positions at a time."""
        (values, masks, bias), between, (outputs, output_bias) = self._weights()
        block, count = min(BLOCK, self.size), -(-self.size // BLOCK)
        # what pads comes last, and is cut off
        places = tf.reshape(tf.pad(order, [[0, count * block - self.size]]), [count, block])
        before = tf.constant(np.tri(block, k=-1), tf.float32)

        def body(i, a, logits):
            place = places[i]
            given, value, mask = tf.gather(x, place, axis=1), tf.gather(values, place), tf.gather(masks, place)
            u = tf.matmul(tf.reshape(given[:, None] * before, [-1, block]), value)  # [batch * block, H]
            u = tf.reshape(u, [-1, block, self.hidden[0]]) + a[:, None] + tf.matmul(before, mask)
            h = tf.reshape(tf.nn.relu(u), [-1, self.hidden[0]])
            for kernel, b in between:
                h = tf.nn.relu(tf.nn.bias_add(tf.matmul(h, kernel), b))
            h = tf.reshape(h, [-1, block, self.hidden[-1]])
            logits = logits.write(i, tf.reduce_sum(h * tf.gather(outputs, place), -1) + tf.gather(output_bias, place))
            return i + 1, a + tf.matmul(given, value) + tf.reduce_sum(mask, 0), logits

        start = tf.tile(bias[None], [tf.shape(x)[0], 1])
        logits = tf.TensorArray(tf.float32, count, element_shape=[None, block])
        logits = tf.while_loop(lambda i, *_: i < count, body, (0, start, logits))[2].stack()  # [count, batch, block]
        return tf.reshape(tf.transpose(logits, [1, 0, 2]), [-1, count * block])[:, :self.size]

    def _run(self, uniforms, order, x, known):
        """Visits the missing entries in each row's order [batch, D]; without uniforms, those are x's own. Returns x and
        log p(missing | known)."""
        (values, masks, bias), between, (outputs, output_bias) = self._weights()
        order = permutations.known_first(order, known < 0.5)  # here the missing come first
        count = tf.reduce_sum(tf.cast(known < 0.5, tf.int32), 1)
        x_known = x * known

        def body(step, a, drawn, total):
            place, h = order[:, step], tf.nn.relu(a)
            for kernel, b in between:
                h = tf.nn.relu(tf.nn.bias_add(tf.matmul(h, kernel), b))
            logit = tf.reduce_sum(h * tf.gather(outputs, place), -1) + tf.gather(output_bias, place)
            if uniforms is None:
                value = tf.gather(x, place, batch_dims=1)
            else:
                value = pixels.from_noise(logit, tf.gather(uniforms, place, batch_dims=1), 2)
            active = tf.cast(step < count, tf.float32)
            a += active[:, None] * (value[:, None] * tf.gather(values, place) + tf.gather(masks, place))
            drawn += (active * value)[:, None] * tf.one_hot(place, self.size)
            return step + 1, a, drawn, total + active * _log_bernoulli(logit, value)

        start = bias + tf.matmul(x_known, values) + tf.matmul(known, masks)
        steps = tf.reduce_max(count)
        return tf.while_loop(lambda step, *_: step < steps, body, (0, start, x_known, tf.zeros_like(x_known[:, 0])))[2:]


def _log_bernoulli(logits, x):
    return -tf.nn.sigmoid_cross_entropy_with_logits(x, logits)
