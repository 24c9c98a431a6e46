"""Recipes of the models of discrete codes: autoencoder and codebook first, then the prior over the codes, in one
run."""

from trainers.recipes.recipe import ANY, Published, Recipe

_PAPER = "van den Oord, Vinyals and Kavukcuoglu 2017 (arXiv:1711.00937), section 4.1, CIFAR-10"
_GREY = dict(schedule=dict(name="cosine"), ema=0.999, players=dict(autoencoder={}, prior={}))
_PHOTO = dict(schedule=dict(name="cosine", warmup_steps=100), ema=0.999, players=dict(autoencoder={}, prior={}))
_DIGITS = dict(levels=17, codebook_size=32, embedding_size=16, channels=32, halvings=1, residuals=1,
               residual_channels=32, prior_channels=16, prior_blocks=2,
               autoencoder_steps=2000)
# 1,437 grids of codes overfit far sooner than the images: few steps of a small prior, and much weight decay.
_SMALL = dict(steps=2600, batch_size=64,
              optimizer=dict(name="adamw", learning_rate=2e-3, weight_decay=0.2, decay_all=True),
              schedule=dict(name="cosine"), ema=0.995, players=dict(autoencoder={}, prior=dict(weight_decay=2.0)))
_ADAM = dict(learning_rate=2e-4)

RECIPES = [
    Recipe("vq_vae", "digits", arguments=_DIGITS, **_SMALL),
    Recipe("vq_vae", "mnist", steps=40_000, batch_size=64, arguments=dict(autoencoder_steps=20_000), **_GREY),
    # The paper's networks, 8x8 codes of 512 entries, 250,000 steps of 128, for GPUs; the prior's sizes are ours. For a
    # CPU the sizes of any other data set do: --config.model.channels=64 --config.model.prior_channels=64
    # --config.model.prior_blocks=8 --steps=20000 --config.model.autoencoder_steps=10000
    # --config.optimizer.learning_rate=1e-3 --config.ema=0.99.
    Recipe("vq_vae", "cifar10", steps=500_000, batch_size=128,
           arguments=dict(levels=256, codebook_size=512, embedding_size=64, channels=256, residual_channels=256,
                          likelihood="discretized_logistic", prior_channels=256, prior_blocks=14,
                          autoencoder_steps=250_000),
           **_PHOTO | dict(optimizer=_ADAM, ema=0.9999),
           published=(Published("bits_per_dimension", 4.67, "bits/dim", _PAPER),)),
    Recipe("vq_vae", ANY, steps=40_000, batch_size=64,
           arguments=dict(levels=256, codebook_size=512, embedding_size=64, likelihood="discretized_logistic",
                          autoencoder_steps=20_000),
           optimizer=dict(learning_rate=3e-4), **_PHOTO),

    Recipe("vq_vae_2", "digits", arguments=_DIGITS | dict(likelihood="auto"), **_SMALL),
    # For photographs of 256x256, of which 64x64 and 32x32 codes are made: the paper's sizes, for GPUs; there 2.2
    # million steps of 128, and priors of 20 layers of 512 units with attention. --config.model.classes=N for
    # class-conditional priors.
    Recipe("vq_vae_2", ANY, steps=1_000_000, batch_size=128,
           arguments=dict(levels=256, codebook_size=512, embedding_size=64, channels=128, residual_channels=64,
                          likelihood="discretized_logistic", prior_channels=512, prior_blocks=20,
                          autoencoder_steps=500_000),
           **_PHOTO | dict(optimizer=_ADAM, ema=0.9999)),
]
