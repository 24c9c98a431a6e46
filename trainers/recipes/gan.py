"""Recipes of the adversarial family. No likelihood: pictures, energy distance, and the modes covered where they are
known."""

from trainers.recipes.recipe import ANY, Recipe

_ADAM = dict(name="adam", learning_rate=1e-3, beta_1=0.5)

RECIPES = [
    Recipe("gan", "toy2d", steps=8000, batch_size=256,
           arguments=dict(bounded=False, latent_size=16, generator_hidden=(128, 128), discriminator_hidden=(128, 128),
                          activation="relu"),
           optimizer=_ADAM, players=dict(discriminator={}, generator={}), schedule=dict(name="cosine")),
    Recipe("gan", "digits", steps=10_000, batch_size=64,
           arguments=dict(bounded=True, latent_size=32, generator_hidden=(256, 256), discriminator_hidden=(256, 256),
                          activation="leaky_relu"),
           optimizer=_ADAM | dict(learning_rate=1e-4),
           players=dict(discriminator={}, generator=dict(learning_rate=3e-4)), ema=0.999, evaluation=dict(samples=360)),
    # The paper's data set, with dense networks of the size of its generator (1,200 units a layer), for GPUs.
    Recipe("gan", "mnist", steps=200_000, batch_size=100,
           arguments=dict(bounded=True, latent_size=100, generator_hidden=(1200, 1200),
                          discriminator_hidden=(1200, 1200), activation="leaky_relu"),
           optimizer=_ADAM | dict(learning_rate=1e-4),
           players=dict(discriminator={}, generator=dict(learning_rate=3e-4)), ema=0.999,
           evaluation=dict(samples=10_000)),
    Recipe("gan", ANY, steps=50_000, batch_size=64,
           arguments=dict(bounded=True, latent_size=64, generator_hidden=(512, 512), discriminator_hidden=(512, 512),
                          activation="leaky_relu"),
           optimizer=_ADAM | dict(learning_rate=1e-4),
           players=dict(discriminator={}, generator=dict(learning_rate=3e-4)), ema=0.999),
]
