"""What models that only reconstruct share: an encoder, a decoder, and a distortion; no density, no prior, and so no
samples."""

import abc

import keras

from zoo.capabilities import Autoencoding
from zoo.latent.parts import distortions
from zoo.model import Model, Player, image_shape
from zoo.networks import autoencoding


class Reconstructing(Model, Autoencoding):
    """d(x, g(f(x))), f an encoder and g a decoder; a subclass calls `assemble` in its constructor, before `build`."""

    def assemble(self, shape, levels, latent_size, network, hidden, activation, code_activation, distortion):
        """Makes the networks. Raises ValueError for the shape of anything but an image, an unknown name, or a number
        that is too small."""
        if latent_size < 1:
            raise ValueError(f"latent_size must be at least 1, found {latent_size}.")
        if network == "conv" and not hidden:
            raise ValueError("hidden must have at least one entry with network 'conv', found none.")
        self.shape, self.levels, self.latent_size = image_shape(shape), levels, latent_size
        self.network, self.hidden, self.activation = network, tuple(hidden), activation
        self.code_activation, self.given_distortion = code_activation, distortion
        self.measure = distortions.make(distortion, levels)
        self.trunk = autoencoding.trunk(network, self.hidden, activation)
        self.head = keras.layers.Dense(latent_size, code_activation, name="code")
        self.decoder = autoencoding.decoder(network, *self.measure.layout(self.shape), self.hidden, activation)

    def assembled(self):
        """Returns the arguments of `assemble`, for `get_config`."""
        return dict(shape=self.shape, levels=self.levels, latent_size=self.latent_size, network=self.network,
                    hidden=self.hidden, activation=self.activation, code_activation=self.code_activation,
                    distortion=self.given_distortion)

    @property
    def domain(self):
        return self.measure.domain(self.shape)

    @abc.abstractmethod
    def objective(self, batch, seed):
        """Returns the loss's term, {reconstruction: [batch]}."""

    def players(self):
        return (Player("model", self.trainable_weights, self.objective),)

    def call(self, batch):
        return self.distortion(batch)

    def _encode(self, x, condition=None):
        """Computes f(x), float32 [batch, latent_size]."""
        return autoencoding.float32(self.head(self.trunk(self.measure.read(x))))

    def _decode(self, z, condition=None):
        """Computes g(z), the mean where the decoder is a distribution, in the domain's unit."""
        return self.measure.mean(self.parameters(z))

    def parameters(self, z):
        """Returns what the distortion reads, float32 [batch, *measure.layout(shape)]: as a rule [batch, height, width,
        channels, parameters]."""
        return autoencoding.float32(self.decoder(z))

    def distortion(self, x, condition=None):
        """Computes d(x, g(f(x))), [batch]: what is lost, in `measure.unit`."""
        return self.measure.of(x, self.parameters(self._encode(x)))
