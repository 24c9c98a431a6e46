"""Recipes of Gated PixelCNN and of the PixelRNNs."""

from trainers.recipes.recipe import ANY, Published, Recipe

_GATED = "van den Oord et al. 2016 (arXiv:1606.05328), Gated PixelCNN"
_PAPER = "van den Oord, Kalchbrenner and Kavukcuoglu 2016 (arXiv:1601.06759)"
_PEER = "pytorch-generative, GatedPixelCNN, dynamic binarization, 457 epochs"

RECIPES = [
    Recipe("gated_pixel_cnn", "digits", steps=2000, batch_size=64,
           arguments=dict(levels=17, channels=32, blocks=4, kernel_size=5, head_channels=64),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.995),
    # Ten layers of 32 features after the first, in small batches: what two CPU cores do in an hour or so.
    Recipe("gated_pixel_cnn", "binarized_mnist", steps=12_000, batch_size=16,
           schedule=dict(name="cosine", warmup_steps=100), ema=0.995),
    # The size of pytorch-generative's run, for GPUs: 457 epochs of 60,000 images.
    Recipe("gated_pixel_cnn", "mnist", steps=214_000, batch_size=128,
           arguments=dict(channels=128, blocks=10, head_channels=32),
           schedule=dict(name="exponential", decay=0.999977), data=dict(binarization="dynamic"),
           published=(Published("negative_log_likelihood", 81.50, "nats", _PEER),)),
    # The paper's network: fifteen layers of 128 features, Categorical pixels of 256 levels, for GPUs.
    Recipe("gated_pixel_cnn", "cifar10", steps=500_000, batch_size=16,
           arguments=dict(levels=256, channels=128, blocks=14, head_channels=1024),
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), ema=0.999,
           published=(Published("bits_per_dimension", 3.03, "bits/dim", _GATED),)),
    Recipe("gated_pixel_cnn", ANY, steps=20_000, batch_size=32,
           arguments=dict(levels=256, channels=64, head_channels=128), schedule=dict(name="cosine", warmup_steps=100),
           ema=0.999),

    Recipe("row_lstm", "digits", steps=2500, batch_size=64,
           arguments=dict(levels=17, channels=64, blocks=2, kernel_size=5, head_channels=64),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.995),
    # The paper's networks for MNIST: seven layers of h = 16.
    Recipe("row_lstm", "binarized_mnist", steps=300_000, batch_size=16,
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), clip_norm=1.0, ema=0.999,
           published=(Published("negative_log_likelihood", 80.54, "nats",
                                f"{_PAPER}, Row LSTM, 7 layers, h = 16, quoted from memory"),)),
    Recipe("row_lstm", "cifar10", steps=500_000, batch_size=16,
           arguments=dict(levels=256, channels=256, blocks=12, head_channels=1024),
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), clip_norm=1.0, ema=0.999,
           published=(Published("bits_per_dimension", 3.07, "bits/dim",
                                f"{_PAPER}, Row LSTM, 12 layers, h = 128, quoted from memory"),)),
    Recipe("row_lstm", ANY, steps=20_000, batch_size=32, arguments=dict(levels=256, channels=64, head_channels=128),
           schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0, ema=0.999),
    Recipe("diagonal_bilstm", "digits", steps=2000, batch_size=64,
           arguments=dict(levels=17, channels=48, blocks=2, kernel_size=5, head_channels=64),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.995),
    Recipe("diagonal_bilstm", "binarized_mnist", steps=300_000, batch_size=16,
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), clip_norm=1.0, ema=0.999,
           published=(Published("negative_log_likelihood", 79.20, "nats",
                                f"{_PAPER}, Diagonal BiLSTM, 7 layers, h = 16"),)),
    Recipe("diagonal_bilstm", "cifar10", steps=500_000, batch_size=16,
           arguments=dict(levels=256, channels=256, blocks=12, head_channels=1024),
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), clip_norm=1.0, ema=0.999,
           published=(Published("bits_per_dimension", 3.00, "bits/dim",
                                f"{_PAPER}, Diagonal BiLSTM, 12 layers, h = 128"),)),
    Recipe("diagonal_bilstm", ANY, steps=20_000, batch_size=32,
           arguments=dict(levels=256, channels=64, head_channels=128), schedule=dict(name="cosine", warmup_steps=100),
           clip_norm=1.0, ema=0.999),
]
