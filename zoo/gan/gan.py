"""Generative adversarial network: a generator maps noise to examples, a discriminator tells them from data, and each
plays against the other.

I. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville, Y. Bengio,
Generative Adversarial Networks, 2014, arXiv:1406.2661. In a step the discriminator moves first, then the generator
(algorithm 1, k = 1).
NOTE: plain hidden units, where the paper's discriminator has maxout units with dropout.
"""

import tensorflow as tf

from zoo import random
from zoo.capabilities import SeedInterpolating
from zoo.gan.parts.losses import OBJECTIVES
from zoo.model import Domain, GenerativeModel, Player
from zoo.networks import dense
from zoo.paper import Paper


class GAN(GenerativeModel, SeedInterpolating):
    """min_G max_D  E_x [log D(x)] + E_z [log(1 - D(G(z)))],  z ~ N(0, I),  D = sigmoid of the discriminator's logit.

    Args:
        shape: of an example.
        bounded: whether examples lie in [-1, 1] (images; the generator ends in tanh) or anywhere on the real line
            (points).
        latent_size: number of noise dimensions.
        generator_hidden: widths of the generator's hidden layers.
        discriminator_hidden: widths of the discriminator's hidden layers.
        activation: of the hidden layers.
        objective: a name of `zoo.gan.parts.losses.OBJECTIVES`: `non_saturating`, or `minimax` for equation 1 as it
            stands.

    Raises:
        ValueError: if `objective` is unknown or `latent_size` less than 1.
    """

    paper = Paper(("Goodfellow", "Pouget-Abadie", "Mirza", "Xu", "Warde-Farley", "Ozair", "Courville", "Bengio"),
                  "Generative Adversarial Networks", 2014, "arXiv:1406.2661")

    def __init__(self, shape=(2,), bounded=False, latent_size=16, generator_hidden=(128, 128),
                 discriminator_hidden=(128, 128), activation="relu", objective="non_saturating", **kwargs):
        super().__init__(**kwargs)
        if objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {', '.join(sorted(OBJECTIVES))}, found {objective!r}.")
        if latent_size < 1:
            raise ValueError(f"latent_size must be at least 1, found {latent_size}.")
        self.shape, self.bounded, self.latent_size = tuple(shape), bounded, latent_size
        self.generator_hidden, self.discriminator_hidden = tuple(generator_hidden), tuple(discriminator_hidden)
        self.activation, self.objective = activation, objective
        self.generator = dense.to_example(self.shape, self.generator_hidden, activation, "tanh" if bounded else None,
                                          name="generator")
        self.discriminator = dense.from_example(1, self.discriminator_hidden, activation, name="discriminator")
        self.build()

    def get_config(self):
        return dict(shape=self.shape, bounded=self.bounded, latent_size=self.latent_size,
                    generator_hidden=self.generator_hidden, discriminator_hidden=self.discriminator_hidden,
                    activation=self.activation, objective=self.objective)

    @property
    def domain(self):
        return Domain("real", self.shape, range=(-1.0, 1.0) if self.bounded else None)

    def logits(self, x):
        """Returns the log-odds that x is data, float32 [batch]."""
        return tf.cast(self.discriminator(x), tf.float32)[:, 0]

    def generate(self, z):
        """Computes G(z), float32 [batch, *shape], z [batch, latent_size]."""
        return tf.cast(self.generator(z), tf.float32)

    def _fakes(self, x, seed):
        return self.generate(tf.random.stateless_normal([tf.shape(x)[0], self.latent_size], seed))

    def discriminator_objective(self, x, seed):
        """Returns the discriminator's terms: real, then fake."""
        return OBJECTIVES[self.objective].discriminator(self.logits(x),
                                                        self.logits(tf.stop_gradient(self._fakes(x, seed))))

    def generator_objective(self, x, seed):
        """Returns the generator's term; of x only the batch size is read."""
        return OBJECTIVES[self.objective].generator(self.logits(self._fakes(x, seed)))

    def players(self):
        return (Player("discriminator", self.discriminator.trainable_weights, self.discriminator_objective),
                Player("generator", self.generator.trainable_weights, self.generator_objective))

    def call(self, x):
        """Returns the logits of x and of as many generated examples, two of [batch]."""
        return self.logits(x), self.logits(self.generate(tf.zeros([tf.shape(x)[0], self.latent_size])))

    def _sample(self, seeds, condition=None):
        """x = G(z), z ~ N(0, I)."""
        return self.generate(random.normal_rows(seeds, [self.latent_size]))
