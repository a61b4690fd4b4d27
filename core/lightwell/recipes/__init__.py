"""Recipes: chains of steps that people run by name."""

from lightwell.recipes.parameters import AUTO, Setting, Slot
from lightwell.recipes.recipe import Recipe, step_of

__all__ = ["AUTO", "Recipe", "Setting", "Slot", "step_of"]
