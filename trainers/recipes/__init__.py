"""Recipes: what trains a model on a data set, as data. A file per family; `find` chooses."""

from trainers.recipes import autoregressive, density, diffusion, flow, gan, latent
from trainers.recipes.recipe import ANY, Published, Recipe

_FAMILIES = (density, autoregressive, latent, flow, gan, diffusion)
RECIPES = [recipe for family in _FAMILIES for recipe in family.RECIPES]


def of_model(model):
    """Returns the recipes of a model, in the order of their file."""
    return [recipe for recipe in RECIPES if recipe.model == model]


def find(model, dataset, variant=""):
    """Finds the recipe of (model, data set); else of the data set's name without its configuration or path; else the
    model's for any data set.

    Of a variant there may be none: None.
    """
    by_dataset = {recipe.dataset: recipe for recipe in of_model(model) if recipe.variant == variant}
    kind, _, path = dataset.partition(":")
    names = (dataset, f"{kind}:{path.rpartition('/')[2]}", kind, dataset.split("/")[0])
    for name in names:
        if name in by_dataset:
            return by_dataset[name]
    return None if variant else by_dataset[ANY]  # a test holds that every model has one


__all__ = ["ANY", "Published", "RECIPES", "Recipe", "find", "of_model"]
