"""Recipes of the flow family."""

from trainers.recipes.recipe import ANY, Published, Recipe

RECIPES = []
