"""Recipes of WaveNet."""

from trainers.recipes.recipe import ANY, Recipe

RECIPES = [
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
]
