"""Recipes of the autoencoders without a likelihood."""

from trainers.recipes.recipe import ANY, Published, Recipe

_FIGURE_2 = ("Hinton and Salakhutdinov 2006 (Science 313), figure 2, average squared error of a 784-1000-500-250-30 "
             "network; quoted from memory")
_DIGITS = dict(optimizer=dict(name="adamw", weight_decay=0.05, decay_all=True), schedule=dict(name="cosine"), ema=0.995)
_DEEP = dict(latent_size=30, hidden=(1000, 500, 250))
_WIDE = dict(latent_size=1000, hidden=())

RECIPES = [
    # Eight numbers for 64 pixels: the squared error of principal components of as many numbers is the one to beat.
    Recipe("autoencoder", "digits", steps=4000, batch_size=128,
           arguments=dict(latent_size=8, hidden=(256, 128), distortion="squared_error"), **_DIGITS),
    # The paper's sizes and loss. There: logistic units, pretrained layer by layer, then conjugate gradients; here
    # rectified ones and Adam from the start.
    Recipe("autoencoder", "mnist", steps=60_000, batch_size=100, arguments=_DEEP | dict(distortion="cross_entropy"),
           schedule=dict(name="cosine"), ema=0.999,
           published=(Published("reconstruction_error", 3.00, "squared error", _FIGURE_2),)),
    Recipe("autoencoder", "binarized_mnist", steps=60_000, batch_size=100, arguments=_DEEP,
           schedule=dict(name="cosine"), ema=0.999),
    Recipe("autoencoder", ANY, steps=20_000, batch_size=128,
           arguments=dict(network="conv", hidden=(32, 64, 128), latent_size=32, distortion="squared_error"),
           schedule=dict(name="cosine"), ema=0.999),

    # Four times as many numbers in the code as pixels: what keeps it from copying is the noise.
    Recipe("denoising_autoencoder", "digits", steps=4000, batch_size=128,
           arguments=dict(latent_size=256, hidden=(256,), code_activation="relu", distortion="squared_error"),
           **_DIGITS),
    # The paper's one layer of logistic units.
    Recipe("denoising_autoencoder", "mnist", steps=60_000, batch_size=100,
           arguments=_WIDE | dict(distortion="cross_entropy"), schedule=dict(name="cosine"), ema=0.999),
    Recipe("denoising_autoencoder", "binarized_mnist", steps=60_000, batch_size=100, arguments=_WIDE,
           schedule=dict(name="cosine"), ema=0.999),
    Recipe("denoising_autoencoder", ANY, steps=20_000, batch_size=128,
           arguments=dict(network="conv", hidden=(32, 64, 128), latent_size=256, code_activation="relu",
                          distortion="squared_error", corruption="gaussian"),
           schedule=dict(name="cosine"), ema=0.999),
]
