"""Recipes of Sketch-RNN."""

from trainers.recipes.recipe import ANY, FEWER_DRAWS, Recipe

# The sizes and rates of the paper's code: batches of 100, gradients clipped at 1 for a loss that is divided by the
# steps, 200 or so, of a sketch.
_PAPER = dict(latent_size=128, encoder_units=256, decoder_units=512, components=20)
_RATE = dict(name="exponential", decay=0.9999)
_SHORT = dict(optimizer=dict(learning_rate=4e-3), schedule=dict(name="cosine", warmup_steps=50), clip_norm=50.0,
              ema=0.99)
_LONG = dict(optimizer=dict(learning_rate=2e-3), schedule=dict(name="cosine", warmup_steps=100), clip_norm=50.0,
             ema=0.995, selection=dict(every=250, patience=10), data=dict(length=64))

RECIPES = [
    # A nat of KL weighs 0.2 * 48 / 16 = 0.6 in the end, so that codes say which thing it is, and most codes of the
    # prior are of some thing.
    Recipe("sketch_rnn", "sketches", steps=2000, batch_size=64,
           arguments=dict(latent_size=16, decoder_units=160, kl_weight=0.2, kl_min=0.1, annealing=0.998), **_SHORT,
           evaluation=FEWER_DRAWS),
    Recipe("sketch_rnn", "ndjson:strokes.ndjson", steps=8000, batch_size=64,
           arguments=dict(encoder_units=128, decoder_units=256, kl_weight=0.25, kl_min=0.1, annealing=0.9995,
                          dropout=0.2), **_LONG, evaluation=FEWER_DRAWS),
    Recipe("sketch_rnn", ANY, steps=100_000, batch_size=100, arguments=_PAPER, schedule=_RATE, clip_norm=200.0,
           evaluation=FEWER_DRAWS),
    Recipe("sketch_rnn_unconditional", "sketches", steps=2000, batch_size=64, arguments=dict(units=160), **_SHORT),
    Recipe("sketch_rnn_unconditional", "ndjson:strokes.ndjson", steps=8000, batch_size=64,
           arguments=dict(units=256, dropout=0.2), **_LONG),
    Recipe("sketch_rnn_unconditional", ANY, steps=100_000, batch_size=100, arguments=dict(units=512, components=20),
           schedule=_RATE, clip_norm=200.0),
]
