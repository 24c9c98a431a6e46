"""What models of pixels with a Bernoulli or Categorical for each channel share: a pixel's channels are drawn one after
the other, each given those before.

A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759, section 3.4.
"""

import tensorflow as tf

from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.distributions import pixels
from zoo.domain import Domain, condition_of


class PixelModel(Autoregressive):
    """log p(x) = sum over pixels i and channels c of log p(x_{i,c} | x_{<i}, x_{i,<c}).

    A subclass has `shape` and `levels`, and `classes` and `features` where it takes a condition; `parameters` are
    logits, as `pixels` says their shape.
    """

    classes = features = None

    @property
    def domain(self):
        return Domain("binary" if self.levels == 2 else "levels", self.shape, self.levels,
                      condition=condition_of(self.classes, self.features))

    @property
    def passes(self):
        return self.shape[-1]  # a channel sees those before it

    def distribution(self, parameters):
        return pixels.pixels(parameters, self.levels)

    def noise(self, seeds):
        return pixels.noise_rows(seeds, self.shape, self.levels)

    def from_noise(self, parameters, noise):
        return pixels.from_noise(parameters, noise, self.levels)

    def _per_pixel(self, h):
        """Maps [..., channels * parameters] -> [..., channels] or [..., channels, levels]."""
        return h if self.levels == 2 else tf.reshape(h, [*tf.unstack(tf.shape(h))[:-1], self.shape[-1], self.levels])
