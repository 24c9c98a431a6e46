"""Recipes of FVSBN, NADE and RNADE."""

from trainers.recipes.recipe import ANY, Published, Recipe

_COSINE = dict(name="cosine", warmup_steps=100)
_ADAMW = dict(name="adamw", learning_rate=1e-2, weight_decay=1e-4)


def _nll(value, source):
    return (Published("negative_log_likelihood", value, "nats", source),)


RECIPES = [
    Recipe("fvsbn", "digits", steps=3000, batch_size=128, optimizer=dict(_ADAMW, weight_decay=1e-2), schedule=_COSINE, ema=0.995),
    # A convex loss: what counts is enough steps, of a rate at which the biases of the border, -7 and below, get there. All 60,000 images, since
    # there is nothing to select: of 50,000, the other 10,000 say that the decay hardly matters.
    Recipe("fvsbn", "mnist", steps=30_000, batch_size=256, optimizer=_ADAMW, schedule=_COSINE, ema=0.999,
           published=_nll(96.58, "pytorch-generative, dynamic binarization")),
    Recipe("fvsbn", ANY, steps=20_000, batch_size=128, optimizer=_ADAMW, schedule=_COSINE, ema=0.999),
    Recipe("nade", "digits", steps=3000, batch_size=64, arguments=dict(hidden=64), optimizer=dict(_ADAMW, weight_decay=1e-1), schedule=_COSINE, ema=0.995),
    # The paper's 500 units. Ten thousand fixed images to select on: the best weights so far are kept, since the binarization is fixed and overfits.
    Recipe("nade", "binarized_mnist", steps=60_000, batch_size=64, arguments=dict(hidden=500), optimizer=dict(_ADAMW, learning_rate=3e-3, weight_decay=1e-2),
           schedule=_COSINE, ema=0.999, selection=dict(every=2000), published=_nll(88.33, "Larochelle and Murray 2011, table 1")),
    Recipe("nade", "mnist", steps=80_000, batch_size=64, arguments=dict(hidden=500), optimizer=dict(_ADAMW, learning_rate=3e-3), schedule=_COSINE, ema=0.999,
           data=dict(validation=10_000), published=_nll(85.65, "pytorch-generative, dynamic binarization")),
    Recipe("nade", ANY, steps=20_000, batch_size=64, arguments=dict(hidden=500), optimizer=dict(_ADAMW, learning_rate=3e-3), schedule=_COSINE, ema=0.999),
    Recipe("rnade", "toy2d", steps=5000, batch_size=256, optimizer=dict(learning_rate=5e-3), schedule=_COSINE, clip_norm=5.0, ema=0.995),
    Recipe("rnade", ANY, steps=50_000, batch_size=128, arguments=dict(hidden=100, components=20), schedule=_COSINE, clip_norm=5.0, ema=0.999),
]
