"""NADE: each binary entry's probability by a hidden layer over those before it, all the layers sharing their weights.

H. Larochelle, I. Murray, The Neural Autoregressive Distribution Estimator, 2011 (AISTATS); B. Uria, M.-A. Cote, K.
Gregor, I. Murray, H. Larochelle, Neural Autoregressive Distribution Estimation, 2016, arXiv:1605.02226. Because a
hidden layer's input differs from the one before by one row of W, all D of them cost what one dense layer of D inputs
costs, O(D H); `prefix_conditionals` does it a block of entries at a time.
"""

import tensorflow as tf

from zoo.autoregressive.parts.prefix_sum import BinaryPrefixSum, float32
from zoo.layers import prefix_conditionals
from zoo.paper import Paper


class NADE(BinaryPrefixSum):
    """p(x_d = 1 | x_<d) = sigmoid(b_d + V_d . h_d), h_d = act(c + sum_{e<d} x_e W_e).

    Args:
        shape: of a binary example, (height, width, channels) or of any other rank.
        hidden: units of each hidden layer, H.
        activation: `sigmoid` (2011) or `relu`.
        order: in which places (pixels with their channels, or entries) are drawn: `raster`, `reversed` or a permutation
            of their row-major numbers.

    Raises:
        ValueError: if a size in `shape` or `hidden` is below 1, the activation is neither, or `order` is no
            permutation.
    """

    paper = Paper(("Larochelle", "Murray"), "The Neural Autoregressive Distribution Estimator", 2011, "AISTATS")

    def __init__(self, shape=(28, 28, 1), hidden=100, activation="sigmoid", order="raster", **kwargs):
        super().__init__(**kwargs)
        prefix_conditionals.require(hidden, activation)
        self.arrange(shape, order)
        self.hidden, self.activation = hidden, activation
        self.W = self.add_weight((self.size, hidden), "glorot_uniform", name="W")
        self.c = self.add_weight((hidden,), "zeros", name="c")
        self.V = self.add_weight((self.size, hidden), "glorot_uniform", name="V")
        self.b = self.add_weight((self.size,), "zeros", name="b")
        self.build()

    def get_config(self):
        return dict(shape=self.shape, hidden=self.hidden, activation=self.activation, order=self.given_order)

    def parameters(self, x, condition=None, seed=None):
        """Returns the logits of every p(x_d = 1 | x_<d), [batch, *shape]."""
        self.domain.require(condition)
        W, c, V, b = (float32(w) for w in (self.W, self.c, self.V, self.b))
        # y: [batch, D, 1]
        y = prefix_conditionals.conditionals(self.arranged(x), W, c, V[..., None], activation=self.activation)
        return self.placed(y[..., 0] + b)

    def prefix_sum(self):
        """Returns the hidden layers' inputs; each step reads them by its own row of V."""
        W, c, V, b = (float32(w) for w in (self.W, self.c, self.V, self.b))
        act = prefix_conditionals.ACTIVATIONS[self.activation]
        return c, W, lambda d, a: tf.linalg.matvec(act(a), V[d]) + b[d]
