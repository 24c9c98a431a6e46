"""The block of a very deep VAE's way down: what prior and posterior say of a layer of latents, and what these add to
the features.

R. Child, Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images, 2021, arXiv:2011.10650,
figure 3. The log-scales' smooth bound: A. Vahdat, J. Kautz, 2020, arXiv:2007.03898, appendix A.
"""

import keras
import tensorflow as tf

from zoo.networks.autoencoding import float32
from zoo.networks.bottleneck import Bottleneck, convolution

BOUND = 5.0  # of a log-scale


class TopDown(keras.layers.Layer):
    """A block of the way down: p(z|h) with residual features, q(z|h, x), and what z makes of h; h [rows, height, width,
    width of the network].

    Args:
        width, middle: features of h, and of the bottlenecks. channels: of z at each place. size: of the kernels. scale:
            of what is added to h, at the start.
    """

    def __init__(self, width, middle, channels, size, scale, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        # NOTE: the paper's starts at zero, so that p(z|h) = N(0, I); a tenth of the usual size comes close, and lets
        # gradients through from the first step on.
        self.prior_net = Bottleneck(2 * channels + width, middle, size, 0.1, name="prior")
        self.posterior_net = Bottleneck(2 * channels, middle, size, name="posterior")
        self.project = convolution(width, 1, scale, name="project")
        self.residual = Bottleneck(width, middle, size, scale, name="residual")

    def prior(self, h):
        """Returns ((loc, log_scale) of p(z|h), h with the residual features that come with them)."""
        raw, features = tf.split(self.prior_net(h), [2 * self.channels, -1], -1)
        return gaussian(raw), h + features

    def posterior(self, h, found):
        """Returns (loc, log_scale) of q(z|h, x), where the encoder found `found` in x."""
        return gaussian(self.posterior_net(tf.concat([h, found], -1)))

    def add(self, h, z):
        """Adds to h what z makes of it."""
        h += self.project(z)
        return h + self.residual(h)


def gaussian(raw):
    """Returns (loc, log_scale), float32, of what a network says of each; log-scales cannot leave [-5, 5]."""
    loc, log_scale = tf.split(float32(raw), 2, axis=-1)
    return loc, BOUND * tf.tanh(log_scale / BOUND)
