"""Recipes of the gan family."""

from trainers.recipes.recipe import ANY, Published, Recipe

RECIPES = []
