"""One YAML a run, validated by one pydantic model (`recipes.model.Recipe`); the YAML files lie beside it."""

from recipes.model import Recipe, RecipeError, load_recipe

__all__ = ["Recipe", "RecipeError", "load_recipe"]
