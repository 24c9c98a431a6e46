"""Recipes of the diffusion family."""

from trainers.recipes.recipe import ANY, Published, Recipe

_PAPER = "Ho, Jain and Abbeel 2020 (arXiv:2006.11239), CIFAR-10, L_simple"

RECIPES = [
    Recipe("ddpm", "digits", steps=1200, batch_size=64,
           arguments=dict(levels=17, timesteps=200, schedule="cosine", channels=32, multipliers=(1, 2), blocks=1),
           optimizer=dict(learning_rate=3e-3), schedule=dict(name="cosine", end=0.05), ema=0.995,
           evaluation=dict(samples=360)),
    Recipe("ddpm", "toy2d", steps=3000, batch_size=256,
           arguments=dict(levels=None, timesteps=100, schedule="cosine", network="dense", channels=128,
                          multipliers=(1,), blocks=3),
           optimizer=dict(learning_rate=2e-3), schedule=dict(name="cosine", end=0.05), ema=0.995),
    # The paper's U-Net of 35.7 million weights, but for dropout, for GPUs.
    Recipe("ddpm", "cifar10", steps=800_000, batch_size=128,
           arguments=dict(levels=256, timesteps=1000, channels=128, multipliers=(1, 2, 2, 2), blocks=2,
                          attention=(16,)),
           optimizer=dict(learning_rate=2e-4), schedule=dict(warmup_steps=5000), ema=0.9999, clip_norm=1.0,
           evaluation=dict(samples=10_000), published=(Published("bits_per_dimension", 3.75, "bits/dim", _PAPER),)),
    Recipe("ddpm", ANY, steps=50_000, batch_size=64,
           arguments=dict(levels=256, timesteps=1000, channels=64, multipliers=(1, 2, 2), blocks=2),
           optimizer=dict(learning_rate=2e-4), schedule=dict(warmup_steps=1000), ema=0.999, clip_norm=1.0),
]
