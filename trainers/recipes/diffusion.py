"""Recipes of the diffusion family."""

from trainers.recipes.recipe import ANY, Published, Recipe

RECIPES = []
