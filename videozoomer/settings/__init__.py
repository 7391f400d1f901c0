"""A run's recipe: one YAML file, validated by one pydantic model (`videozoomer.settings.model.Recipe`).

Belongs here: the model, one module a section; loading, the template of `videozoomer init`, editing a recipe in place.
Does not belong here: the YAML files themselves, which are in `recipes/`.
"""

from videozoomer.settings.loading import RecipeError, load_recipe
from videozoomer.settings.model import Recipe

__all__ = ["Recipe", "RecipeError", "load_recipe"]
