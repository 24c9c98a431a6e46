"""Mode coverage on a mixture of Gaussians: how many of its modes a sampler finds, and how many of its samples are near
one.

A sample is of high quality if it lies within three standard deviations of the nearest centre; a mode is covered if it
is the nearest centre of at least one such sample. The usual number of samples is 2,500. Of true samples in two
dimensions a fraction 1 - exp(-9/2) = 0.989 is of high quality, not all of them.

A. Srivastava et al., VEEGAN: Reducing mode collapse in GANs using implicit variational learning, 2017,
arXiv:1705.07761, section 4.1; the mixtures are those of L. Metz et al., Unrolled generative adversarial networks, 2016,
arXiv:1611.02163.
"""

from typing import NamedTuple

import numpy as np


class Modes(NamedTuple):
    """covered: number of modes found; high_quality: fraction of samples near a mode; fractions: of all samples, near
    each mode, [modes]."""

    covered: int
    high_quality: float
    fractions: np.ndarray


def modes(samples, centres, std, within=3.0):
    """Measures the coverage of `centres` [modes, D], of standard deviation `std` in each dimension, by `samples` [n,
    D].
    """
    samples, centres = np.asarray(samples, np.float64), np.asarray(centres, np.float64)
    if samples.ndim != 2 or not len(samples) or centres.shape[1:] != samples.shape[1:]:
        raise ValueError(f"samples [n, D] and centres [modes, D] of the same D are needed, found {samples.shape} and "
                         f"{centres.shape}.")
    distances = np.linalg.norm(samples[:, None] - centres, axis=-1)  # [n, modes]
    near = distances.min(1) <= within * std
    counts = np.bincount(distances.argmin(1)[near], minlength=len(centres))
    return Modes(int((counts > 0).sum()), float(near.mean()), counts / len(samples))
