"""FVSBN, the fully visible sigmoid belief network: each binary entry a logistic regression on those before it.

B. J. Frey, G. E. Hinton, P. Dayan, Does the wake-sleep algorithm produce good density estimators?, 1996; Z. Gan, R.
Henao, D. Carlson, L. Carin, Learning Deep Sigmoid Belief Networks with Data Augmentation, 2015. All the regressions are
one product with a triangular matrix.
"""

import numpy as np
import tensorflow as tf

from zoo.autoregressive.parts.prefix_sum import BinaryPrefixSum, float32
from zoo.paper import Paper


class FVSBN(BinaryPrefixSum):
    """p(x_d = 1 | x_<d) = sigmoid(b_d + sum_{e<d} x_e W_ed): logits = x (W * strictly triangular) + b.

    Args:
        shape: of a binary example, (height, width, channels) or of any other rank.
        order: in which places (pixels with their channels, or entries) are drawn: `raster`, `reversed` or a permutation
            of their row-major numbers.

    Raises:
        ValueError: if a size in `shape` is below 1, or `order` is no permutation.
    """

    paper = Paper(("Frey", "Hinton", "Dayan"),
                  "Does the wake-sleep algorithm produce good density estimators?", 1996, "NeurIPS")

    def __init__(self, shape=(28, 28, 1), order="raster", **kwargs):
        super().__init__(**kwargs)
        self.arrange(shape, order)
        self.W = self.add_weight((self.size, self.size), "zeros", name="W")  # from, to; the loss is convex
        self.b = self.add_weight((self.size,), "zeros", name="b")
        self.build()

    def get_config(self):
        return dict(shape=self.shape, order=self.given_order)

    def parameters(self, x, condition=None, seed=None):
        """Returns the logits of every p(x_d = 1 | x_<d), [batch, *shape]."""
        self.domain.require(condition)
        b, W, _ = self.prefix_sum()
        return self.placed(tf.matmul(self.arranged(x), W) + b)

    def prefix_sum(self):
        """Returns b, W and the logits themselves: they are the running activations, c = b, H = D."""
        W = float32(self.W) * (1.0 - np.tri(self.size, dtype=np.float32))
        return float32(self.b), W, lambda d, a: a[:, d]
