"""Recipes."""

RECIPES = []
