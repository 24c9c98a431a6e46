"""Recipes of the flow family."""

from trainers.recipes.recipe import ANY, Published, Recipe

_PAPER = "Dinh, Sohl-Dickstein and Bengio 2016 (arXiv:1605.08803), CIFAR-10, multi-scale and convolutional"

RECIPES = [
    Recipe("real_nvp", "toy2d", steps=10_000, batch_size=256,
           arguments=dict(levels=None, couplings=16, hidden=(64, 64), activation="relu"), schedule=dict(name="cosine")),
    # 1,437 images: without so much weight decay the density of the test images falls from the first thousand steps on.
    Recipe("real_nvp", "digits", steps=2500, batch_size=128,
           arguments=dict(levels=17, couplings=12, hidden=(128, 128), activation="relu"),
           optimizer=dict(name="adamw", weight_decay=2.0, decay_all=True), schedule=dict(name="cosine")),
    # The paper's data set, but dense couplings over the flattened image, for GPUs: the published number is of another
    # network.
    Recipe("real_nvp", "cifar10", steps=200_000, batch_size=128,
           arguments=dict(levels=256, couplings=16, hidden=(2048, 2048), activation="relu"),
           optimizer=dict(name="adamw", learning_rate=3e-4, weight_decay=0.1),
           schedule=dict(name="cosine", warmup_steps=1000), clip_norm=100.0,
           published=(Published("bits_per_dimension", 3.49, "bits/dim", _PAPER),)),
    Recipe("real_nvp", ANY, steps=20_000, batch_size=128,
           arguments=dict(levels=256, couplings=12, hidden=(512, 512), activation="relu"),
           optimizer=dict(name="adamw", learning_rate=3e-4, weight_decay=0.1),
           schedule=dict(name="cosine", warmup_steps=500), clip_norm=100.0),
]
