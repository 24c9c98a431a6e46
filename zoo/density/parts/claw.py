"""The claw, or Bart Simpson density: a normal with five thin ones on it, which a single bandwidth either misses or pays
for between them.

J. S. Marron, M. P. Wand, Exact Mean Integrated Squared Error, 1992 (density number 10).
"""

import numpy as np
import tensorflow_probability as tfp

tfd = tfp.distributions
WEIGHTS = np.array([0.5] + [0.1] * 5, np.float32)
LOCS = np.array([0.0] + [j / 2 - 1 for j in range(5)], np.float32)
SCALES = np.array([1.0] + [0.1] * 5, np.float32)


def claw():
    """Returns p(x) = 1/2 N(x; 0, 1) + 1/10 sum_{j=0..4} N(x; j/2 - 1, 1/10^2), of a scalar x."""
    return tfd.MixtureSameFamily(tfd.Categorical(probs=WEIGHTS), tfd.Normal(LOCS, SCALES))
