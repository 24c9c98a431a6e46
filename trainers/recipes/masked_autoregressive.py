"""Recipes of the autoregressive models of dense layers with masks: MADE and EoNADE."""

from trainers.recipes.recipe import ANY, Published, Recipe

_MADE = "Germain et al. 2015 (arXiv:1502.03509)"
_EONADE = "Uria, Murray and Larochelle 2014 (arXiv:1310.1757)"
_COSINE = dict(name="cosine", warmup_steps=100)


def _adamw(rate, decay, decay_all=True):
    return dict(name="adamw", learning_rate=rate, weight_decay=decay, decay_all=decay_all)


def _nats(value, source):
    return (Published("negative_log_likelihood", value, "nats", source),)


RECIPES = [
    Recipe("made", "digits", steps=3000, batch_size=64, arguments=dict(hidden=(500,), direct=True),
           optimizer=_adamw(1e-3, 1.0), schedule=_COSINE, ema=0.995),
    # One hidden layer of 500 units in place of the paper's 8,000. After 2,000 steps 98.5 nats on the validation images,
    # 108.9 without the direct connections.
    Recipe("made", "binarized_mnist", steps=30_000, batch_size=100, arguments=dict(hidden=(500,), direct=True),
           optimizer=_adamw(3e-3, 0.1), schedule=_COSINE, selection=dict(every=500, patience=20),
           published=_nats(94.5, f"a network of {_MADE} with one layer of 500 units and no direct connections")),
    # The paper's best network has two layers of 8,000 units; of 2,000 a CPU core makes ten steps a second.
    Recipe("made", "binarized_mnist", variant="two_layers", steps=20_000, batch_size=100,
           arguments=dict(hidden=(2000, 2000), direct=True, masks=32), optimizer=_adamw(1e-3, 0.1), schedule=_COSINE,
           selection=dict(every=1000, patience=6),
           published=_nats(86.64, f"{_MADE}, two layers of 8,000 units, 32 sets of masks")),
    Recipe("made", "mnist", steps=50_000, batch_size=64, arguments=dict(hidden=(8000,)), schedule=_COSINE, ema=0.999,
           published=_nats(84.87, "pytorch-generative, one layer of 8,000 units, dynamic binarization")),
    # The binary UCI tables, chosen on their validation splits. Of 1,400 sequences a network of one order overfits (89.0
    # nats on the validation split): 32 orders and the direct connections reach 81.2 in 20,000 steps, 256 orders 79.6 in
    # 30,000. The looks of a selection would see one order each, which is no guide. Of 400 documents Adam's best is
    # 282.3, plain gradient descent's 276.6.
    Recipe("made", "table:dna.npz", steps=30_000, batch_size=100,
           arguments=dict(hidden=(500,), direct=True, masks=256, order="random"), optimizer=_adamw(1e-3, 0.05),
           schedule=_COSINE, ema=0.99, published=_nats(79.66, f"{_MADE}, several masks; quoted from memory")),
    Recipe("made", "table:mushrooms.npz", steps=4000, batch_size=100, arguments=dict(hidden=(500,)),
           optimizer=_adamw(3e-3, 0.1), schedule=_COSINE, ema=0.99, selection=dict(every=250, patience=10),
           published=_nats(9.68, f"{_MADE}, one set of masks; quoted from memory")),
    Recipe("made", "table:nips.npz", steps=5000, batch_size=100,
           arguments=dict(hidden=(500,), masks=32, order="random"), optimizer=dict(name="sgd", learning_rate=1e-2),
           schedule=_COSINE, selection=dict(every=100, patience=10),
           published=_nats(277.28, f"{_MADE}, several masks; quoted from memory")),
    Recipe("made", ANY, steps=20_000, batch_size=100, arguments=dict(hidden=(500,), direct=True),
           optimizer=_adamw(1e-3, 0.1, decay_all=False), schedule=_COSINE),
    Recipe("eonade", "digits", steps=6000, batch_size=64, arguments=dict(hidden=(500,)), optimizer=_adamw(1e-3, 0.1),
           schedule=_COSINE, ema=0.995),
    # The paper's network; its ensemble of 128 orders is `--config.model.orders=128` and takes hours of two CPU cores to
    # evaluate.
    Recipe("eonade", "binarized_mnist", steps=500_000, batch_size=100, arguments=dict(hidden=(500, 500), orders=2),
           optimizer=_adamw(1e-3, 0.01), schedule=_COSINE, ema=0.999, selection=dict(every=5000),
           published=_nats(85.10, f"{_EONADE}, two layers, 128 orders")),
    Recipe("eonade", ANY, steps=100_000, batch_size=100, arguments=dict(hidden=(500, 500)),
           optimizer=_adamw(1e-3, 0.01, decay_all=False), schedule=_COSINE, ema=0.999),
]
