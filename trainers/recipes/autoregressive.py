"""Recipes of the autoregressive family."""

from trainers.recipes.recipe import ANY, Published, Recipe

_PAPER = "van den Oord, Kalchbrenner and Kavukcuoglu 2016 (arXiv:1601.06759)"

RECIPES = [
    Recipe("pixel_cnn", "digits", steps=2500, batch_size=64,
           arguments=dict(levels=17, channels=64, blocks=4, kernel_size=5, head_channels=64),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.995),
    # Eight blocks of 64 features with 5x5 kernels in place of the fifteen of 32 with 3x3 that stop at 85.8 nats (the
    # model's default): with --jit, 110 images a second on one core. Small batches, since it is updates that count. The
    # published number took 457 epochs, this takes ten.
    Recipe("pixel_cnn", "binarized_mnist", steps=30_000, batch_size=16,
           arguments=dict(channels=64, blocks=8, block_kernel_size=5, head_channels=64),
           schedule=dict(name="cosine", warmup_steps=200), ema=0.999, selection=dict(every=5000),
           published=(Published("negative_log_likelihood", 81.30, "nats",
                                f"{_PAPER}, PixelCNN, as quoted by pytorch-generative"),)),
    # The paper's network: fifteen blocks of h = 128 with Categorical pixels of 256 levels, for GPUs.
    Recipe("pixel_cnn", "cifar10", steps=500_000, batch_size=16,
           arguments=dict(levels=256, channels=256, blocks=15, head_channels=1024),
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), ema=0.999,
           published=(Published("bits_per_dimension", 3.14, "bits/dim", f"{_PAPER}, PixelCNN, 15 layers"),)),
    Recipe("pixel_cnn", ANY, steps=20_000, batch_size=32, arguments=dict(levels=256, channels=64, head_channels=128),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.999),
]
