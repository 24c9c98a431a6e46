"""Recipes of FVSBN, NADE and RNADE."""

from trainers.recipes.recipe import ANY, Published, Recipe

_COSINE = dict(name="cosine", warmup_steps=100)
_LOOKS = dict(every=100, patience=10)
_TABLE = "the table of Germain et al. 2015 (arXiv:1502.03509), quoted from memory"
_ADAMW = dict(name="adamw", learning_rate=1e-2, weight_decay=1e-4, decay_all=True)


def _nll(value, source):
    return (Published("negative_log_likelihood", value, "nats", source),)


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
           schedule=_COSINE, ema=0.99, selection=_LOOKS, published=_nll(83.64, _TABLE)),
    Recipe("fvsbn", "table:mushrooms.npz", steps=4000, batch_size=100, optimizer=dict(_ADAMW, weight_decay=1e-2),
           schedule=_COSINE, ema=0.99, selection=_LOOKS, published=_nll(10.27, _TABLE)),
    Recipe("fvsbn", "table:nips.npz", steps=1000, batch_size=100, optimizer=dict(name="sgd", learning_rate=3e-2),
           schedule=_COSINE, selection=dict(every=25, patience=10), published=_nll(276.88, _TABLE)),
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
           optimizer=dict(_ADAMW, learning_rate=3e-3, weight_decay=0.3), schedule=_COSINE, ema=0.99, selection=_LOOKS,
           published=_nll(84.81, _TABLE)),
    Recipe("nade", "table:mushrooms.npz", steps=3000, batch_size=100, arguments=dict(hidden=500, activation="relu"),
           optimizer=dict(_ADAMW, learning_rate=1e-3, weight_decay=1e-1), schedule=_COSINE, ema=0.99, selection=_LOOKS,
           published=_nll(9.81, _TABLE)),
    Recipe("nade", "table:nips.npz", steps=3000, batch_size=100, arguments=dict(hidden=500),
           optimizer=dict(name="sgd", learning_rate=1e-2), schedule=_COSINE, selection=dict(every=50, patience=10),
           published=_nll(273.08, _TABLE)),
    Recipe("nade", ANY, steps=20_000, batch_size=64, arguments=dict(hidden=500),
           optimizer=dict(_ADAMW, learning_rate=3e-3, decay_all=False), schedule=_COSINE, ema=0.999),
    Recipe("rnade", "toy2d", steps=5000, batch_size=256, optimizer=dict(learning_rate=5e-3), schedule=_COSINE,
           clip_norm=5.0, ema=0.995),
    Recipe("rnade", ANY, steps=50_000, batch_size=128, arguments=dict(hidden=100, components=20), schedule=_COSINE,
           clip_norm=5.0, ema=0.999),
]
