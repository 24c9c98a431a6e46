"""What a code says of its example: active units, and whether the posterior collapsed onto the prior.

Y. Burda, R. Grosse, R. Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv:1509.00519, section 5.2: a latent
is active if Cov_x(E_{q(z|x)}[z]) > 0.01.
"""

import numpy as np

ACTIVE = 0.01
_COLLAPSED = 0.05  # fraction of latents


class Variance:
    """The variance over examples of each number of their codes, which come in batches [n, ...]: only sums are kept."""

    def __init__(self):
        self.count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, codes):
        """Takes a batch in, by the update of T. F. Chan, G. H. Golub and R. J. LeVeque, 1983, which does not cancel."""
        codes = np.asarray(codes, np.float64).reshape(len(codes), -1)
        mean, count = codes.mean(0), self.count + len(codes)
        self._squares += np.sum((codes - mean) ** 2, 0) + (mean - self._mean) ** 2 * self.count * len(codes) / count
        self._mean += (mean - self._mean) * len(codes) / count
        self.count = count

    def variance(self):
        """Returns the variance of each number, [size]. Raises ValueError for fewer than two examples."""
        if self.count < 2:
            raise ValueError(f"codes of at least two examples are needed, found {self.count}.")
        return self._squares / self.count

    def active_units(self):
        """Counts (the latents whose posterior mean varies, all latents)."""
        variance = self.variance()
        return int(np.sum(variance > ACTIVE)), len(variance)


def collapsed(active, size):
    """Returns whether hardly any of `size` latents is active."""
    return active <= _COLLAPSED * size
