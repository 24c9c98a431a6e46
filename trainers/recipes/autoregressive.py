"""Recipes of the autoregressive family: dense models, models of pixels, of attention, of sound and of strokes."""

from trainers.recipes.recipe import ANY, DRAWINGS, SKETCH_RATE, SKETCHES, Published, Recipe

_COSINE = dict(name="cosine", warmup_steps=100)
_STOPPING = dict(every=100, patience=10)
_MADE_TABLE = "the table of Germain et al. 2015 (arXiv:1502.03509), quoted from memory"
_ADAMW = dict(name="adamw", learning_rate=1e-2, weight_decay=1e-4, decay_all=True)
_MADE_PAPER = "Germain et al. 2015 (arXiv:1502.03509)"
_EONADE_PAPER = "Uria, Murray and Larochelle 2014 (arXiv:1310.1757)"
_PIXEL_RNN_PAPER = "van den Oord, Kalchbrenner and Kavukcuoglu 2016 (arXiv:1601.06759)"
_GATED_PAPER = "van den Oord et al. 2016 (arXiv:1606.05328), Gated PixelCNN"
_GATED_PEER = "pytorch-generative, GatedPixelCNN, dynamic binarization, 457 epochs"
_PIXEL_CNN_PP_PAPER = "Salimans, Karpathy, Chen and Kingma 2017 (arXiv:1701.05517)"
_TEXT = dict(optimizer=dict(name="adamw", learning_rate=4e-3, beta_2=0.99, weight_decay=0.1, decay_all=True),
             schedule=dict(name="cosine", warmup_steps=100, end=0.1), clip_norm=1.0, ema=0.99)
_IMAGE = dict(schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0, ema=0.995)
_ATTENTION_PEER = "pytorch-generative, MNIST with dynamic binarization, 457 epochs"


def _nll(value, source):
    return (Published("negative_log_likelihood", value, "nats", source),)


def _adamw(rate, decay, decay_all=True):
    return dict(name="adamw", learning_rate=rate, weight_decay=decay, decay_all=decay_all)


RECIPES = [
    Recipe("fvsbn", "digits", steps=3000, batch_size=128, optimizer=dict(_ADAMW, weight_decay=1e-2), schedule=_COSINE,
           ema=0.995),
    # A convex loss: what counts is enough steps, of a rate at which the biases of the border, -7 and below, get there.
    # All 60,000 images, since there is nothing to select: of 50,000, the other 10,000 say that the decay hardly
    # matters, and that from the last pixel to the first is the better order.
    Recipe("fvsbn", "mnist", steps=30_000, batch_size=256, arguments=dict(order="reversed"), optimizer=_ADAMW,
           schedule=_COSINE, ema=0.999, published=_nll(96.58, "pytorch-generative, dynamic binarization")),
    # The binary UCI tables, of which the validation split chose these numbers and stops the run. Of 400 examples Adam's
    # equal steps for rare and frequent inputs overfit in 200 steps; plain gradient descent is 3 to 7 nats better.
    Recipe("fvsbn", "table:dna.npz", steps=3000, batch_size=100, optimizer=dict(_ADAMW, weight_decay=1e-1),
           schedule=_COSINE, ema=0.99, selection=_STOPPING, published=_nll(83.64, _MADE_TABLE)),
    Recipe("fvsbn", "table:mushrooms.npz", steps=4000, batch_size=100, optimizer=dict(_ADAMW, weight_decay=1e-2),
           schedule=_COSINE, ema=0.99, selection=_STOPPING, published=_nll(10.27, _MADE_TABLE)),
    Recipe("fvsbn", "table:nips.npz", steps=1000, batch_size=100, optimizer=dict(name="sgd", learning_rate=3e-2),
           schedule=_COSINE, selection=dict(every=25, patience=10), published=_nll(276.88, _MADE_TABLE)),
    Recipe("fvsbn", ANY, steps=20_000, batch_size=128, optimizer=dict(_ADAMW, decay_all=False), schedule=_COSINE,
           ema=0.999),
    Recipe("nade", "digits", steps=3000, batch_size=64, arguments=dict(hidden=64),
           optimizer=dict(_ADAMW, weight_decay=1e-1), schedule=_COSINE, ema=0.995),
    # The paper's 500 units, rectified, by batches of 128, which --jit computes twice as fast. The fixed binarization
    # overfits: the best weights on its validation split are kept.
    Recipe("nade", "binarized_mnist", steps=20_000, batch_size=128, arguments=dict(hidden=500, activation="relu"),
           optimizer=dict(_ADAMW, learning_rate=2e-3, weight_decay=1e-2), schedule=_COSINE, ema=0.999,
           selection=dict(every=1000), published=_nll(88.33, "Larochelle and Murray 2011, table 1")),
    Recipe("nade", "mnist", steps=25_000, batch_size=128, arguments=dict(hidden=500, activation="relu"),
           optimizer=dict(_ADAMW, learning_rate=2e-3), schedule=_COSINE, ema=0.999,
           published=_nll(85.65, "pytorch-generative, dynamic binarization")),
    Recipe("nade", "table:dna.npz", steps=3000, batch_size=100, arguments=dict(hidden=100),
           optimizer=dict(_ADAMW, learning_rate=3e-3, weight_decay=0.3), schedule=_COSINE, ema=0.99,
           selection=_STOPPING, published=_nll(84.81, _MADE_TABLE)),
    Recipe("nade", "table:mushrooms.npz", steps=3000, batch_size=100, arguments=dict(hidden=500, activation="relu"),
           optimizer=dict(_ADAMW, learning_rate=1e-3, weight_decay=1e-1), schedule=_COSINE, ema=0.99,
           selection=_STOPPING, published=_nll(9.81, _MADE_TABLE)),
    Recipe("nade", "table:nips.npz", steps=3000, batch_size=100, arguments=dict(hidden=500),
           optimizer=dict(name="sgd", learning_rate=1e-2), schedule=_COSINE, selection=dict(every=50, patience=10),
           published=_nll(273.08, _MADE_TABLE)),
    Recipe("nade", ANY, steps=20_000, batch_size=64, arguments=dict(hidden=500),
           optimizer=dict(_ADAMW, learning_rate=3e-3, decay_all=False), schedule=_COSINE, ema=0.999),
    Recipe("rnade", "toy2d", steps=5000, batch_size=256, optimizer=dict(learning_rate=5e-3), schedule=_COSINE,
           clip_norm=5.0, ema=0.995),
    Recipe("rnade", ANY, steps=50_000, batch_size=128, arguments=dict(hidden=100, components=20), schedule=_COSINE,
           clip_norm=5.0, ema=0.999),

    Recipe("made", "digits", steps=3000, batch_size=64, arguments=dict(hidden=(500,), direct=True),
           optimizer=_adamw(1e-3, 1.0), schedule=_COSINE, ema=0.995),
    # One hidden layer of 500 units in place of the paper's 8,000. After 2,000 steps 98.5 nats on the validation images,
    # 108.9 without the direct connections.
    Recipe("made", "binarized_mnist", steps=30_000, batch_size=100, arguments=dict(hidden=(500,), direct=True),
           optimizer=_adamw(3e-3, 0.1), schedule=_COSINE, selection=dict(every=500, patience=20),
           published=_nll(94.5, f"a network of {_MADE_PAPER} with one layer of 500 units and no direct connections")),
    # The paper's best network has two layers of 8,000 units; of 2,000 a CPU core makes ten steps a second.
    Recipe("made", "binarized_mnist", variant="two_layers", steps=20_000, batch_size=100,
           arguments=dict(hidden=(2000, 2000), direct=True, masks=32), optimizer=_adamw(1e-3, 0.1), schedule=_COSINE,
           selection=dict(every=1000, patience=6),
           published=_nll(86.64, f"{_MADE_PAPER}, two layers of 8,000 units, 32 sets of masks")),
    Recipe("made", "mnist", steps=50_000, batch_size=64, arguments=dict(hidden=(8000,)), schedule=_COSINE, ema=0.999,
           published=_nll(84.87, "pytorch-generative, one layer of 8,000 units, dynamic binarization")),
    # The binary UCI tables, chosen on their validation splits. Of 1,400 sequences a network of one order overfits (89.0
    # nats on the validation split): 32 orders and the direct connections reach 81.2 in 20,000 steps, 256 orders 79.6 in
    # 30,000. The looks of a selection would see one order each, which is no guide. Of 400 documents Adam's best is
    # 282.3, plain gradient descent's 276.6.
    Recipe("made", "table:dna.npz", steps=30_000, batch_size=100,
           arguments=dict(hidden=(500,), direct=True, masks=256, order="random"), optimizer=_adamw(1e-3, 0.05),
           schedule=_COSINE, ema=0.99, published=_nll(79.66, f"{_MADE_PAPER}, several masks; quoted from memory")),
    Recipe("made", "table:mushrooms.npz", steps=4000, batch_size=100, arguments=dict(hidden=(500,)),
           optimizer=_adamw(3e-3, 0.1), schedule=_COSINE, ema=0.99, selection=dict(every=250, patience=10),
           published=_nll(9.68, f"{_MADE_PAPER}, one set of masks; quoted from memory")),
    Recipe("made", "table:nips.npz", steps=5000, batch_size=100,
           arguments=dict(hidden=(500,), masks=32, order="random"), optimizer=dict(name="sgd", learning_rate=1e-2),
           schedule=_COSINE, selection=dict(every=100, patience=10),
           published=_nll(277.28, f"{_MADE_PAPER}, several masks; quoted from memory")),
    Recipe("made", ANY, steps=20_000, batch_size=100, arguments=dict(hidden=(500,), direct=True),
           optimizer=_adamw(1e-3, 0.1, decay_all=False), schedule=_COSINE),
    Recipe("eonade", "digits", steps=6000, batch_size=64, arguments=dict(hidden=(500,)), optimizer=_adamw(1e-3, 0.1),
           schedule=_COSINE, ema=0.995),
    # The paper's network; its ensemble of 128 orders is `--config.model.orders=128` and takes hours of two CPU cores to
    # evaluate.
    Recipe("eonade", "binarized_mnist", steps=500_000, batch_size=100, arguments=dict(hidden=(500, 500), orders=2),
           optimizer=_adamw(1e-3, 0.01), schedule=_COSINE, ema=0.999, selection=dict(every=5000),
           published=_nll(85.10, f"{_EONADE_PAPER}, two layers, 128 orders")),
    Recipe("eonade", ANY, steps=100_000, batch_size=100, arguments=dict(hidden=(500, 500)),
           optimizer=_adamw(1e-3, 0.01, decay_all=False), schedule=_COSINE, ema=0.999),

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
                                f"{_PIXEL_RNN_PAPER}, PixelCNN, as quoted by pytorch-generative"),)),
    # The paper's network: fifteen blocks of h = 128 with Categorical pixels of 256 levels, for GPUs.
    Recipe("pixel_cnn", "cifar10", steps=500_000, batch_size=16,
           arguments=dict(levels=256, channels=256, blocks=15, head_channels=1024),
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), ema=0.999,
           published=(Published("bits_per_dimension", 3.14, "bits/dim", f"{_PIXEL_RNN_PAPER}, PixelCNN, 15 layers"),)),
    Recipe("pixel_cnn", ANY, steps=20_000, batch_size=32, arguments=dict(levels=256, channels=64, head_channels=128),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.999),

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
           published=(Published("negative_log_likelihood", 81.50, "nats", _GATED_PEER),)),
    # The paper's network: fifteen layers of 128 features, Categorical pixels of 256 levels, for GPUs.
    Recipe("gated_pixel_cnn", "cifar10", steps=500_000, batch_size=16,
           arguments=dict(levels=256, channels=128, blocks=14, head_channels=1024),
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), ema=0.999,
           published=(Published("bits_per_dimension", 3.03, "bits/dim", _GATED_PAPER),)),
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
                                f"{_PIXEL_RNN_PAPER}, Row LSTM, 7 layers, h = 16, quoted from memory"),)),
    Recipe("row_lstm", "cifar10", steps=500_000, batch_size=16,
           arguments=dict(levels=256, channels=256, blocks=12, head_channels=1024),
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), clip_norm=1.0, ema=0.999,
           published=(Published("bits_per_dimension", 3.07, "bits/dim",
                                f"{_PIXEL_RNN_PAPER}, Row LSTM, 12 layers, h = 128, quoted from memory"),)),
    Recipe("row_lstm", ANY, steps=20_000, batch_size=32, arguments=dict(levels=256, channels=64, head_channels=128),
           schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0, ema=0.999),
    Recipe("diagonal_bilstm", "digits", steps=2000, batch_size=64,
           arguments=dict(levels=17, channels=48, blocks=2, kernel_size=5, head_channels=64),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.995),
    Recipe("diagonal_bilstm", "binarized_mnist", steps=300_000, batch_size=16,
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), clip_norm=1.0, ema=0.999,
           published=(Published("negative_log_likelihood", 79.20, "nats",
                                f"{_PIXEL_RNN_PAPER}, Diagonal BiLSTM, 7 layers, h = 16"),)),
    Recipe("diagonal_bilstm", "cifar10", steps=500_000, batch_size=16,
           arguments=dict(levels=256, channels=256, blocks=12, head_channels=1024),
           optimizer=dict(name="rmsprop", learning_rate=1e-3), schedule=dict(name="cosine"), clip_norm=1.0, ema=0.999,
           published=(Published("bits_per_dimension", 3.00, "bits/dim",
                                f"{_PIXEL_RNN_PAPER}, Diagonal BiLSTM, 12 layers, h = 128"),)),
    Recipe("diagonal_bilstm", ANY, steps=20_000, batch_size=32,
           arguments=dict(levels=256, channels=64, head_channels=128), schedule=dict(name="cosine", warmup_steps=100),
           clip_norm=1.0, ema=0.999),

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
           published=(Published("bits_per_dimension", 2.92, "bits/dim", _PIXEL_CNN_PP_PAPER),)),
    Recipe("pixel_cnn_pp", ANY, steps=20_000, batch_size=16,
           arguments=dict(levels=256, channels=64, blocks=2, components=10, dropout=0.2),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.999),

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
           **_IMAGE | dict(ema=0.9999),
           published=(Published("negative_log_likelihood", 79.17, "nats", _ATTENTION_PEER),)),
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
           **_IMAGE | dict(ema=0.9999),
           published=(Published("negative_log_likelihood", 78.61, "nats", _ATTENTION_PEER),)),
    # The paper's network, for GPUs: batches of 8 on each of eight.
    Recipe("pixel_snail", "cifar10", steps=1_000_000, batch_size=64,
           arguments=dict(levels=256, channels=256, blocks=12, residuals=4, keys=16, values=128, components=10,
                          dropout=0.5),
           optimizer=dict(beta_1=0.95, beta_2=0.9995), schedule=dict(name="exponential", decay=0.999995), ema=0.9995,
           published=(Published("bits_per_dimension", 2.85, "bits/dim",
                                "Chen, Mishra, Rohaninejad and Abbeel 2018 (arXiv:1712.09763)"),)),
    Recipe("pixel_snail", ANY, steps=20_000, batch_size=16,
           arguments=dict(levels=256, channels=64, components=10, dropout=0.2), **_IMAGE | dict(ema=0.999)),

    # An eighth of a second, half of it in the receptive field: one cycle of nine layers.
    Recipe("wavenet", "tones", steps=2500, batch_size=8,
           arguments=dict(layers=9, skip_channels=64, head_channels=64, classes=4), optimizer=dict(learning_rate=3e-3),
           schedule=dict(name="cosine", warmup_steps=50), clip_norm=1.0, ema=0.99, data=dict(length=1024)),
    # Ten layers, a receptive field of 1,024 samples: words from their beginning, half a second each.
    Recipe("wavenet", "spoken_digit", steps=10_000, batch_size=4,
           arguments=dict(channels=48, classes=10), optimizer=dict(learning_rate=2e-3),
           schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0, ema=0.999),
    # Thirty layers in three cycles of ten, for GPUs. The paper gives no widths; those of the skip and head are those of
    # open implementations.
    Recipe("wavenet", "speech_commands", steps=500_000, batch_size=8,
           arguments=dict(channels=128, layers=10, cycles=3, skip_channels=512, head_channels=256, classes=12),
           schedule=dict(name="exponential", decay=0.99999), clip_norm=1.0, ema=0.9999, data=dict(length=16_000)),
    Recipe("wavenet", ANY, steps=100_000, batch_size=8,
           arguments=dict(channels=64, skip_channels=256, head_channels=256),
           schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0, ema=0.999),

    Recipe("sketch_rnn_unconditional", "sketches", steps=2000, batch_size=64, arguments=dict(units=160), **SKETCHES),
    Recipe("sketch_rnn_unconditional", "ndjson:strokes.ndjson", steps=8000, batch_size=64,
           arguments=dict(units=256, dropout=0.2), **DRAWINGS),
    Recipe("sketch_rnn_unconditional", ANY, steps=100_000, batch_size=100, arguments=dict(units=512, components=20),
           schedule=SKETCH_RATE, clip_norm=200.0),
]
