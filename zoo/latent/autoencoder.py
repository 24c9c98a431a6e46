"""Autoencoder: a network that copies its input through a bottleneck, whose few numbers are the code. It has no
distribution of codes, so it is no generative model.

G. E. Hinton, R. R. Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks, 2006 (Science 313).
"""

import math

from zoo.latent.parts.reconstructing import Reconstructing
from zoo.paper import Paper


class Autoencoder(Reconstructing):
    """d(x, g(f(x))) is minimised, z = f(x) of fewer numbers than x; linear f and g with the squared error span the
    data's principal components.

    NOTE: all layers are trained at once from a random start, where the paper begins with restricted Boltzmann machines,
    layer by layer.

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        latent_size: numbers of a code, fewer than the image has.
        network: `dense` or `conv`.
        hidden: widths of the encoder's dense layers, or channels of its stride-2 convolutions; the decoder mirrors
            them.
        activation: of the hidden layers.
        code_activation: of the code.
        distortion: `auto` (minus the log-likelihood of a Bernoulli for two levels, of a Categorical for more), a
            likelihood of `zoo.latent.parts.observations`, or, of grey values on [0, 1], `cross_entropy` (the paper's)
            or `squared_error`.

    Raises:
        ValueError: if `shape` is not an image's, a name is unknown, a number is too small, or the code is no
            bottleneck.
    """

    paper = Paper(("Hinton", "Salakhutdinov"),
                  "Reducing the Dimensionality of Data with Neural Networks", 2006, "Science 313")

    def __init__(self, shape=(28, 28, 1), levels=2, latent_size=16, network="dense", hidden=(200, 200),
                 activation="relu", code_activation="linear", distortion="auto", **kwargs):
        super().__init__(**kwargs)
        self.assemble(shape, levels, latent_size, network, hidden, activation, code_activation, distortion)
        if latent_size >= math.prod(self.shape):
            raise ValueError(f"latent_size must be less than the {math.prod(self.shape)} numbers of an example of "
                             f"shape {self.shape}, which a larger code copies, "
                             f"found {latent_size}.")
        self.build()

    def get_config(self):
        return self.assembled()

    def objective(self, batch, seed):
        """Returns {reconstruction: d(x, g(f(x)))}, [batch]; nothing in it is random."""
        return {"reconstruction": self.distortion(batch)}
