"""The code location that `dagster dev -m pipelines.definitions` loads; VIDEOZOOMER_RECIPE names the recipe."""

from __future__ import annotations

import os

import dagster as dg

from pipelines.build import build_defs
from videozoomer.settings import RecipeError, load_recipe


@dg.definitions
def defs() -> dg.Definitions:
    """Called when Dagster loads the location, never at import.

    Raises:
        RecipeError: VIDEOZOOMER_RECIPE is not set, or the recipe cannot be used.
    """
    path = os.environ.get("VIDEOZOOMER_RECIPE")
    if not path:
        raise RecipeError("set VIDEOZOOMER_RECIPE to a recipe, or start the UI with `videozoomer ui --recipe my.yaml`")
    return build_defs(load_recipe(path))
