"""Recipes of the models made of attention: GPT, ImageGPT and PixelSNAIL."""

from trainers.recipes.recipe import ANY, Published, Recipe

_TEXT = dict(optimizer=dict(name="adamw", learning_rate=4e-3, beta_2=0.99, weight_decay=0.1, decay_all=True),
             schedule=dict(name="cosine", warmup_steps=100, end=0.1), clip_norm=1.0, ema=0.99)
_IMAGE = dict(schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0, ema=0.995)
_QUOTED = "pytorch-generative, MNIST with dynamic binarization, 457 epochs"

RECIPES = [
    # nanoGPT's configuration for CPUs: four layers of 128 features, windows of 64, batches of 12.
    Recipe("gpt", "pysource", steps=2000, batch_size=12, arguments=dict(levels=256), data=dict(tokenizer="bytes"),
           **_TEXT),
    Recipe("gpt", "tiny_shakespeare", steps=2000, batch_size=12, arguments=dict(levels=65),
           data=dict(tokenizer="characters"), **_TEXT,
           published=(Published("nats_per_token", 1.88, "nats",
                                "nanoGPT's README, validation split, 2,000 steps on a CPU"),)),
    # makemore's 200,000 weights: a name and its end, 27 tokens; about 1,000 names are held out to test, as there, and
    # again for validation. 2,539 names stand twice in the file: here both copies are on the same side, there 15 % of
    # the test names are training names too.
    Recipe("gpt", "lines:names.txt", steps=20_000, batch_size=32, arguments=dict(levels=27, width=64, end=26),
           data=dict(length=16, held_out=0.031),
           **_TEXT | dict(optimizer=dict(name="adamw", learning_rate=1e-3, beta_2=0.99, weight_decay=0.01,
                                         decay_all=True), ema=0.995),
           selection=dict(every=1000),
           published=(Published("nats_per_token", 1.92, "nats", "makemore's README, test split"),)),
    Recipe("gpt", ANY, steps=20_000, batch_size=32,
           arguments=dict(levels=256, width=256, heads=8, layers=6, dropout=0.1), data=dict(tokenizer="bytes"),
           **_TEXT | dict(optimizer=dict(name="adamw", learning_rate=1e-3, beta_2=0.99, weight_decay=0.1), ema=0.999)),

    Recipe("image_gpt", "digits", steps=1500, batch_size=64, arguments=dict(levels=17, layers=4, dropout=0.2),
           optimizer=dict(learning_rate=3e-3), **_IMAGE),
    # The network of eight blocks for two CPU cores, and for as long as the published number took.
    Recipe("image_gpt", "binarized_mnist", steps=6000, batch_size=16, optimizer=dict(learning_rate=3e-3),
           **_IMAGE | dict(ema=0.999)),
    Recipe("image_gpt", "mnist", steps=428_000, batch_size=64, optimizer=dict(learning_rate=5e-3),
           **_IMAGE | dict(ema=0.9999), published=(Published("negative_log_likelihood", 79.17, "nats", _QUOTED),)),
    # iGPT-S on the pixels themselves, for GPUs.
    Recipe("image_gpt", "cifar10", steps=1_000_000, batch_size=128,
           arguments=dict(levels=256, width=512, heads=8, layers=24, dropout=0.1),
           optimizer=dict(learning_rate=3e-3, beta_2=0.95),
           **_IMAGE | dict(ema=0.9999, schedule=dict(name="cosine", warmup_steps=10_000))),
    Recipe("image_gpt", ANY, steps=20_000, batch_size=16,
           arguments=dict(levels=256, width=128, heads=4, layers=6, dropout=0.1), **_IMAGE | dict(ema=0.999)),

    Recipe("pixel_snail", "digits", steps=1000, batch_size=64, arguments=dict(levels=17, blocks=2, dropout=0.3),
           optimizer=dict(learning_rate=2e-3), **_IMAGE),
    Recipe("pixel_snail", "binarized_mnist", steps=6000, batch_size=16, **_IMAGE | dict(ema=0.999)),
    Recipe("pixel_snail", "mnist", steps=428_000, batch_size=64, arguments=dict(channels=64, blocks=8),
           **_IMAGE | dict(ema=0.9999), published=(Published("negative_log_likelihood", 78.61, "nats", _QUOTED),)),
    # The paper's network, for GPUs: batches of 8 on each of eight.
    Recipe("pixel_snail", "cifar10", steps=1_000_000, batch_size=64,
           arguments=dict(levels=256, channels=256, blocks=12, residuals=4, keys=16, values=128, components=10,
                          dropout=0.5),
           optimizer=dict(beta_1=0.95, beta_2=0.9995), schedule=dict(name="exponential", decay=0.999995), ema=0.9995,
           published=(Published("bits_per_dimension", 2.85, "bits/dim",
                                "Chen, Mishra, Rohaninejad and Abbeel 2018 (arXiv:1712.09763)"),)),
    Recipe("pixel_snail", ANY, steps=20_000, batch_size=16,
           arguments=dict(levels=256, channels=64, components=10, dropout=0.2), **_IMAGE | dict(ema=0.999)),
]
