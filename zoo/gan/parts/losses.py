"""What the two players of a GAN minimise, as functions of the discriminator's logits, per example.

An `Objective` is a pair of functions; a model reads one from `OBJECTIVES` by its name and knows nothing else of it.
With D = sigmoid(logits): log D = -softplus(-logits) and log(1 - D) = -softplus(logits), finite for any logits.

I. Goodfellow et al., Generative Adversarial Networks, 2014, arXiv:1406.2661, equation 1 and section 3.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Objective(NamedTuple):
    """discriminator: (real logits, fake logits) -> {term: [batch]}; generator: (fake logits) -> {term: [batch]}."""

    discriminator: Callable
    generator: Callable


def cross_entropy(real_logits, fake_logits):
    """Returns the discriminator's {real: -log D(x), fake: -log(1 - D(G(z)))}: the negative of the game's value."""
    return {"real": tf.nn.softplus(-real_logits), "fake": tf.nn.softplus(fake_logits)}


def saturating(fake_logits):
    """Returns the generator's {fake: log(1 - D(G(z)))}: the game's value; its gradient vanishes where the discriminator
    is sure."""
    return {"fake": -tf.nn.softplus(fake_logits)}


def non_saturating(fake_logits):
    """Returns the generator's {fake: -log D(G(z))}: the same fixed point, and a strong gradient early in training."""
    return {"fake": tf.nn.softplus(-fake_logits)}


OBJECTIVES = {
    "minimax": Objective(cross_entropy, saturating),
    "non_saturating": Objective(cross_entropy, non_saturating),
}
