"""How examples are made noisy for an autoencoder that is to undo it: masking, salt-and-pepper and Gaussian noise of
entries on [0, 1].

The definitions are those of P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio, P.-A. Manzagol, Stacked Denoising
Autoencoders, 2010 (JMLR 11), section 4.2. Noise is
an argument: a batch of it from one seed to train by, or a row from each seed.
"""

import abc
import math

import tensorflow as tf

from zoo import random


class Corruption(abc.ABC):
    """q(noisy|x). `level`: how much, a number or float32 [batch]; `most`: its largest value; `allowed`: what it may be,
    in words."""

    numbers, normal = 1, False  # of noise that an entry takes, and whether they are normal, else uniform

    def __init__(self, level):
        self.level = self.checked(level)

    def checked(self, level):
        """Returns the level. Raises ValueError for one that this noise can't have."""
        if not 0.0 <= level <= self.most:
            raise ValueError(f"level must be {self.allowed}, found {level}.")
        return level

    def noise(self, seed, num, shape):
        """Returns the noise of a batch, [num, numbers, *shape]."""
        return (tf.random.stateless_normal if self.normal
                else tf.random.stateless_uniform)([num, self.numbers, *shape], seed)

    def noise_rows(self, seeds, shape):
        """Returns the same, row i from `seeds[i]` alone."""
        return (random.normal_rows if self.normal else random.uniform_rows)(seeds, [self.numbers, *shape])

    @abc.abstractmethod
    def apply(self, x, noise, level):
        """Returns the noisy x, float32 [batch, *shape]."""


class Gaussian(Corruption):
    """x + level eps, eps ~ N(0, I); the sum may leave [0, 1]."""

    normal, most = True, 100.0
    allowed = "between 0 and 100, the standard deviation of Gaussian noise of pixels on [0, 1]"

    def apply(self, x, noise, level):
        return x + _by_row(level, x) * noise[:, 0]


class Masking(Corruption):
    """A part `level` of the entries, chosen anew for each example, is 0."""

    most, allowed = 1.0, "between 0 and 1, the part of the entries that masking noise hides"

    def apply(self, x, noise, level):
        return tf.where(chosen(noise[:, 0], level), 0.0, x)


class SaltAndPepper(Corruption):
    """A part `level` of the entries, chosen anew for each example, is 0 or 1 by the toss of a coin."""

    numbers, most, allowed = 2, 1.0, "between 0 and 1, the part of the entries that salt-and-pepper noise replaces"

    def apply(self, x, noise, level):
        return tf.where(chosen(noise[:, 0], level), tf.cast(noise[:, 1] < 0.5, tf.float32), x)


def chosen(uniforms, level):
    """Returns bool [batch, *shape], true for round(level * entries) entries of each row, those with the largest
    uniforms: as many in every example of a level, as the paper has it. `level`: a number, or float32 [batch]."""
    size = math.prod(uniforms.shape[1:])
    flat = tf.reshape(uniforms, [-1, size])
    if tf.is_tensor(level):
        rank = tf.argsort(tf.argsort(flat, direction="DESCENDING", stable=True))  # the largest is 0
        return tf.reshape(rank < tf.cast(tf.round(level[:, None] * size), tf.int32), tf.shape(uniforms))
    index = tf.math.top_k(flat, round(level * size), sorted=False).indices  # [B, n]
    row = tf.broadcast_to(tf.range(tf.shape(flat)[0])[:, None], tf.shape(index))
    hit = tf.scatter_nd(tf.stack([row, index], -1), tf.ones(tf.shape(index)), tf.shape(flat))
    return tf.reshape(hit > 0.0, tf.shape(uniforms))


def _by_row(level, x):
    return tf.reshape(level, [-1] + [1] * (x.shape.rank - 1)) if tf.is_tensor(level) else level


CORRUPTIONS = {"gaussian": Gaussian, "masking": Masking, "salt_and_pepper": SaltAndPepper}


def make(name, level):
    """Returns the corruption of a name. Raises ValueError for an unknown one, or a level that it can't have."""
    if name not in CORRUPTIONS:
        raise ValueError(f"corruption must be one of {', '.join(CORRUPTIONS)}, found {name!r}.")
    return CORRUPTIONS[name](level)
