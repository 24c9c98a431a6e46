"""Recipes of the latent-variable family."""

from trainers.recipes.recipe import ANY, Published, Recipe

_TABLE_1 = "Burda, Grosse and Salakhutdinov 2015 (arXiv:1509.00519), table 1, VAE, 1 stochastic layer, k = 1, MNIST binarized dynamically"
_IWAE_NET = dict(latent_size=50, network="dense", hidden=(200, 200), activation="tanh")

RECIPES = [
    # 1,437 images of 17 levels: convolutions and weight decay keep the bound of held-out images from falling again.
    Recipe("vae", "digits", steps=4000, batch_size=128,
           arguments=dict(levels=17, latent_size=16, network="conv", hidden=(32, 64), activation="relu"),
           optimizer=dict(name="adamw", weight_decay=0.5), schedule=dict(name="cosine"), ema=0.995, evaluation=dict(importance_samples=500)),
    # The net and the data of the importance-weighted autoencoder's paper. There: 3,280 epochs of batches of 20, the learning rate falling in
    # eight stages (schedule `staged`). Here: 750 epochs of batches of 100 and a cosine, which two CPU cores do within the hour.
    Recipe("vae", "mnist", steps=450_000, batch_size=100, arguments=_IWAE_NET, schedule=dict(name="cosine"),
           evaluation=dict(importance_samples=5000), published=(Published("negative_log_likelihood", 86.76, "nats", _TABLE_1),)),
    Recipe("vae", "binarized_mnist", steps=100_000, batch_size=100, arguments=_IWAE_NET, schedule=dict(name="cosine"),
           evaluation=dict(importance_samples=5000),
           published=(Published("negative_log_likelihood", 88.71, "nats", _TABLE_1.replace("dynamically", "statically")),)),
    Recipe("vae", ANY, steps=20_000, batch_size=128, arguments=dict(network="conv", hidden=(32, 64, 128), latent_size=32, activation="relu"),
           schedule=dict(name="cosine"), ema=0.999),
]
