"""Recipes of PixelCNN++."""

from trainers.recipes.recipe import ANY, Published, Recipe

_PAPER = "Salimans, Karpathy, Chen and Kingma 2017 (arXiv:1701.05517)"

RECIPES = [
    Recipe("pixel_cnn_pp", "digits", steps=1600, batch_size=64,
           arguments=dict(levels=17, channels=32, blocks=2, resolutions=2, components=5, dropout=0.3),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.995),
    Recipe("pixel_cnn_pp", "photo_patches", steps=2000, batch_size=16,
           arguments=dict(levels=256, channels=32, blocks=1, components=5),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.995),
    # The binary head: Bernoulli pixels. Sizes for two CPU cores.
    Recipe("pixel_cnn_pp", "binarized_mnist", steps=10_000, batch_size=16,
           arguments=dict(levels=2, channels=32, blocks=2, dropout=0.1), schedule=dict(name="cosine", warmup_steps=100),
           ema=0.999),
    Recipe("pixel_cnn_pp", "mnist", steps=10_000, batch_size=16, arguments=dict(levels=2, channels=32, blocks=2),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.999, data=dict(binarization="dynamic"),
           published=(Published("negative_log_likelihood", 78.2, "nats",
                                "pytorch-ae, PixelCNN++ with a binary head, dynamic binarization"),)),
    # The paper's network, for GPUs: batches of 16 on each of eight, five days.
    Recipe("pixel_cnn_pp", "cifar10", steps=2_000_000, batch_size=128,
           arguments=dict(levels=256, channels=160, blocks=5, resolutions=3, components=10, dropout=0.5),
           optimizer=dict(learning_rate=1e-3, beta_1=0.95, beta_2=0.9995),
           schedule=dict(name="exponential", decay=0.999995), ema=0.9995,
           published=(Published("bits_per_dimension", 2.92, "bits/dim", _PAPER),)),
    Recipe("pixel_cnn_pp", ANY, steps=20_000, batch_size=16,
           arguments=dict(levels=256, channels=64, blocks=2, components=10, dropout=0.2),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.999),
]
