"""What a code says of its example: active units, and whether the posterior collapsed onto the prior.

Y. Burda, R. Grosse, R. Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv:1509.00519, section 5.2: a latent is active if Cov_x(E_{q(z|x)}[z]) > 0.01.
"""

import numpy as np

ACTIVE = 0.01
_COLLAPSED = 0.05  # fraction of latents


def active_units(codes):
    """The number of latents whose posterior mean varies over examples: of codes [n, ...]. Raises ValueError for fewer than two examples."""
    codes = np.asarray(codes, np.float64)
    if len(codes) < 2:
        raise ValueError(f"codes of at least two examples are needed, found {len(codes)}.")
    return int(np.sum(codes.reshape(len(codes), -1).var(0) > ACTIVE))


def collapsed(active, size):
    """Whether hardly any of `size` latents is active."""
    return active <= _COLLAPSED * size
