"""The option `--recipe`, which most commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import reported
from videozoomer.settings import Recipe, RecipeError, load_recipe

RECIPE = Annotated[
    Path, typer.Option("--recipe", "-r", help="The recipe (YAML) of the run.", envvar="VIDEOZOOMER_RECIPE")
]


def load(path: Path) -> Recipe:
    """The recipe at `path`; ends the command when it cannot be used."""
    with reported(RecipeError):
        return load_recipe(path)
