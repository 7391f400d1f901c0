"""One YAML a run, validated by one pydantic model (`videozoomer.settings.model.Recipe`); the YAML files lie beside it."""

from videozoomer.settings.loading import RecipeError, load_recipe
from videozoomer.settings.model import Recipe

__all__ = ["Recipe", "RecipeError", "load_recipe"]
