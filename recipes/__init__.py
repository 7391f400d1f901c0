"""One YAML a run, validated by one pydantic model (`recipes.model.Recipe`); the YAML files lie beside it."""

from recipes.loading import RecipeError, load_recipe
from recipes.model import Recipe

__all__ = ["Recipe", "RecipeError", "load_recipe"]
