"""Recipes of the density estimators: fitted to all training examples at once, so none has an optimizer or a batch size
(0: all)."""

from trainers.recipes.recipe import ANY, Published, Recipe

_PAPER = "Larochelle and Murray 2011, mixture of Bernoullis, K = 500"

RECIPES = [
    # A histogram needs room for data to come: half the range more on both sides, and half an example in each box.
    Recipe("histogram", "claw", steps=1, batch_size=0, arguments=dict(margin=0.5, smoothing=0.5)),
    Recipe("histogram", "toy2d", steps=1, batch_size=0, arguments=dict(bins=(60, 60), margin=0.1, smoothing=0.05)),
    Recipe("histogram", ANY, steps=1, batch_size=0, arguments=dict(margin=0.5, smoothing=0.5)),
    Recipe("kernel_density", "claw", steps=1, batch_size=0, arguments=dict(bandwidth="leave_one_out")),
    Recipe("kernel_density", "toy2d", steps=1, batch_size=0, arguments=dict(bandwidth="leave_one_out")),
    Recipe("kernel_density", "digits", steps=1, batch_size=0, arguments=dict(levels=17, bandwidth="leave_one_out")),
    Recipe("kernel_density", "mnist", steps=1, batch_size=0, arguments=dict(levels=256, bandwidth="0.2")),
    Recipe("kernel_density", ANY, steps=1, batch_size=0),
    Recipe("gaussian_mixture", "claw", steps=200, batch_size=0, arguments=dict(components=12)),
    Recipe("gaussian_mixture", "toy2d", steps=50, batch_size=0,
           arguments=dict(components=32, covariance="full", regularization=1e-4)),
    Recipe("gaussian_mixture", "digits", steps=30, batch_size=0,
           arguments=dict(levels=17, components=20, covariance="full", regularization=5e-3)),
    Recipe("gaussian_mixture", ANY, steps=50, batch_size=0, arguments=dict(components=20, regularization=1e-4)),
    Recipe("bernoulli_mixture", "digits", steps=30, batch_size=0, arguments=dict(components=40)),
    Recipe("bernoulli_mixture", "binarized_mnist", steps=50, batch_size=0, arguments=dict(components=500),
           published=(Published("negative_log_likelihood", 137.64, "nats", _PAPER),)),
    Recipe("bernoulli_mixture", "mnist", steps=50, batch_size=0, arguments=dict(components=500)),
    Recipe("bernoulli_mixture", ANY, steps=50, batch_size=0, arguments=dict(components=100)),
]
