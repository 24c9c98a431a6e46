"""The discretized Gaussian: a normal density on [-1, 1] collected into equal bins, one per level, the outer two
reaching to infinity.

J. Ho, A. Jain, P. Abbeel, Denoising Diffusion Probabilistic Models, 2020, arXiv:2006.11239, section 3.3.
"""

import tensorflow_probability as tfp

tfd = tfp.distributions


def quantized_normal(loc, scale, levels, event_ndims=3):
    """Returns P(k) = integral of N(v; loc, scale^2) over v within 1/(levels-1) of 2k/(levels-1) - 1, for levels k in
    0..levels-1.
    """
    # TFP's bins are (k - 1, k]: in units of a level, ours are (k - 1/2, k + 1/2].
    unit = 0.5 * (levels - 1)
    return tfd.Independent(tfd.QuantizedDistribution(tfd.Normal((loc + 1.0) * unit - 0.5, scale * unit), 0, levels - 1),
                           event_ndims)
