"""Denoising autoencoder: a network that gives the clean example for a noisy one, so that even a code larger than the
example must know what examples are like.

P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, Extracting and Composing Robust Features with Denoising
Autoencoders, 2008 (ICML). It is no generative
model: neither codes nor examples have a distribution from which it could draw.
"""

import tensorflow as tf

from zoo.capabilities import Denoising
from zoo.control import Control
from zoo.latent.parts import corruptions
from zoo.latent.parts.reconstructing import Reconstructing
from zoo.paper import Paper


class DenoisingAutoencoder(Reconstructing, Denoising):
    """d(x, g(f(noisy))) is minimised, noisy ~ q(noisy|x): what is reconstructed is the clean x.

    NOTE: encoder and decoder have weights of their own; the paper may tie them.

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        latent_size: numbers of a code; it may have more than the image.
        network: `dense` or `conv`.
        hidden: widths of the encoder's dense layers, or channels of its stride-2 convolutions; the decoder mirrors
            them.
        activation: of the hidden layers.
        code_activation: of the code.
        distortion: `auto` (minus the log-likelihood of a Bernoulli for two levels, of a Categorical for more), a
            likelihood of `zoo.latent.parts.observations`, or, of grey values on [0, 1], `cross_entropy` (the paper's)
            or `squared_error`.
        corruption: `masking` (a part of the entries is 0), `salt_and_pepper` (0 or 1) or `gaussian` noise.
        level: that part, from 0 to 1, or the standard deviation of Gaussian noise of pixels on [0, 1].

    Raises:
        ValueError: if `shape` is not an image's, a name is unknown, a number is too small, or the level is none of the
            corruption's.
    """

    paper = Paper(("Vincent", "Larochelle", "Bengio", "Manzagol"),
                  "Extracting and Composing Robust Features with Denoising Autoencoders", 2008, "ICML")

    controls = {"level": Control("level", 0.0, "most", "how much noise: the part of the entries that it takes, or the "
                                                       "standard deviation of that of pixels on [0, 1]",
                                 of=("corrupt",))}

    def __init__(self, shape=(28, 28, 1), levels=2, latent_size=256, network="dense", hidden=(), activation="relu",
                 code_activation="sigmoid", distortion="auto", corruption="masking", level=0.25, **kwargs):
        super().__init__(**kwargs)
        self.noise_process, self.given_corruption, self.level = corruptions.make(corruption, level), corruption, level
        self.assemble(shape, levels, latent_size, network, hidden, activation, code_activation, distortion)
        self.build()

    def get_config(self):
        return self.assembled() | dict(corruption=self.given_corruption, level=self.level)

    @property
    def corruption(self):
        """What `corrupt` does, in words."""
        return f"{self.given_corruption} noise, level {self.level:g}"

    def objective(self, batch, seed):
        """Returns {reconstruction: d(x, g(f(noisy)))}, [batch]."""
        noisy = self._noisy(batch, self.noise_process.noise(seed, tf.shape(batch)[0], self.shape), self.level)
        return {"reconstruction": self.measure.of(batch, self.parameters(self._encode(noisy)))}

    def _corrupt(self, x, seeds, condition=None, level=None):
        """Draws noisy ~ q(noisy|x), float32 in the domain's unit, row i's noise from `seeds[i]`."""
        return self._noisy(x, self.noise_process.noise_rows(seeds, self.shape), self.level if level is None else level)

    @property
    def most(self):
        """The largest level that the noise can have."""
        return self.noise_process.most

    def _noisy(self, x, noise, level):
        top = self.levels - 1.0 if self.domain.kind in ("binary", "levels") else 1.0
        return top * self.noise_process.apply(self.measure.read(x), noise, level)

    def _denoise(self, x, condition=None):
        """Computes g(f(x)) of a noisy x, float32 in the domain's unit."""
        return self._decode(self._encode(x))
