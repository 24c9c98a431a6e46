"""A small GAN for tests of what follows: spectral normalisation in both networks, by batch in the generator."""

import keras
import tensorflow as tf

from zoo import random
from zoo.layers import following
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.following import collect
from zoo.layers.spectral_normalization import SpectralNormalization
from zoo.model import Domain, GenerativeModel, Player

SIZE = 3  # of a latent


@keras.saving.register_keras_serializable("zoo")
class NormalizedGAN(GenerativeModel):
    """The hinge game on images of 4x4. The discriminator is called twice in its own loss, once in the generator's."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.discriminator = keras.Sequential([
            SpectralNormalization(keras.layers.Conv2D(4, 3, 2, "same", activation="leaky_relu")),
            keras.layers.Flatten(),
            SpectralNormalization(keras.layers.Dense(1))])
        self.generator = keras.Sequential([
            keras.layers.Dense(12, use_bias=False), keras.layers.Reshape((2, 2, 3)), BatchNormalization(0.9),
            keras.layers.Activation("relu"),
            SpectralNormalization(keras.layers.Conv2DTranspose(1, 3, 2, "same", activation="tanh"))])
        self.build()

    def get_config(self):
        return {}

    @property
    def domain(self):
        return Domain("real", (4, 4, 1), range=(-1.0, 1.0))

    def normalized(self, network):
        """A network's spectrally normalised layers."""
        return [layer for layer in network.layers if isinstance(layer, SpectralNormalization)]

    def follows(self, network):
        """The vectors of a network, and its running moments."""
        return following.of(network)

    def players(self):
        return (Player("discriminator", self.discriminator.trainable_weights, self.discriminator_objective,
                       follows=self.follows(self.discriminator)),
                Player("generator", self.generator.trainable_weights, self.generator_objective,
                       follows=self.follows(self.generator)))

    def fakes(self, x, seed):
        return self.generator(tf.random.stateless_normal([tf.shape(x)[0], SIZE], seed), training=True)

    def discriminator_objective(self, x, seed):
        with collect() as collected:
            real, fake = self.discriminator(x)[:, 0], self.discriminator(tf.stop_gradient(self.fakes(x, seed)))[:, 0]
        terms = {"real": tf.nn.relu(1.0 - real), "fake": tf.nn.relu(1.0 + fake)}
        return terms, collected.values(self.follows(self.discriminator))

    def generator_objective(self, x, seed):
        with collect() as collected:
            terms = {"fake": -self.discriminator(self.fakes(x, seed))[:, 0]}
        return terms, collected.values(self.follows(self.generator))

    def call(self, x):
        return self.discriminator(x), self.discriminator(self.generator(tf.zeros([tf.shape(x)[0], SIZE])))

    def _sample(self, seeds, condition=None):
        return self.generator(random.normal_rows(seeds, [SIZE]))
