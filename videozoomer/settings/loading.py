"""Loads a recipe: YAML, environment variables, overrides, and errors that name the field."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from videozoomer.places.uris import absolute_place
from videozoomer.settings.mistakes import sentences
from videozoomer.settings.model import Recipe
from videozoomer.settings.unique_keys import DuplicateKey, parse


class RecipeError(ValueError):
    """A recipe cannot be used; the message names the file, the field and what to do."""


_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def _expand(value: Any, where: str) -> Any:
    """Replace ${NAME} and ${NAME:-default} in every string of the YAML file."""
    if isinstance(value, dict):
        return {key: _expand(item, f"{where}.{key}" if where else str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        if found is None:
            raise RecipeError(
                f"{where}: the environment variable {match[1]} is not set; set it, or write ${{{match[1]}:-default}}"
            )
        return found

    return _VARIABLE.sub(look_up, value)


def load_recipe(path: str | Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Load and validate a recipe. Relative paths in it start at the folder of its file.

    `overrides` maps dotted fields (`teacher.base_url`) to values.

    Raises:
        RecipeError: the file is missing or not YAML, names a variable that is not set, or has an unknown field or a
            value out of range.
    """
    path = Path(path)
    if path.is_dir():
        raise RecipeError(f"{path} is a folder; name the recipe, such as {path / 'recipe.yaml'}")
    if not path.is_file():
        raise RecipeError(f"recipe {path} does not exist; write one with `videozoomer init {path}`")
    try:
        raw = parse(path.read_text(encoding="utf-8"))
    except DuplicateKey as error:
        raise RecipeError(f"{path}, {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not valid YAML in UTF-8: {error}") from error
    if not isinstance(raw, dict):
        raise RecipeError(f"{path} is no recipe: it must be a mapping of fields; `videozoomer init my.yaml` writes one")
    raw = _expand(raw, "")
    for dotted, value in (overrides or {}).items():
        *parents, last = dotted.split(".")
        node = raw
        for parent in parents:
            node = node.setdefault(parent, {}) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise RecipeError(
                f"{dotted} cannot override {path}: {'.'.join(parents)} is not a section in it; edit the file instead"
            )
        node[last] = value
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        lines = "".join(f"\n  {sentence}" for sentence in sentences(error))
        raise RecipeError(f"{path} is not a valid recipe:{lines}") from None
    resolved = _resolved(recipe, path.resolve().parent)
    _check_home(path, resolved.home_path)
    return resolved


def _check_home(path: Path, home: Path) -> None:
    """Refuse a home that no folder can be made at."""
    existing = next((place for place in (home, *home.parents) if place.exists()), home)
    if existing.exists() and not existing.is_dir():
        raise RecipeError(f"{path}: home is {home}, but {existing} is a file; set home to a folder")


def _resolved(recipe: Recipe, folder: Path) -> Recipe:
    sources = tuple(
        source.model_copy(
            update={
                "videos": absolute_place(source.videos, folder),
                "questions": absolute_place(source.questions, folder),
                "answers": absolute_place(source.answers, folder) if source.answers else source.answers,
            }
        )
        for source in recipe.sources
    )
    policy, checkpoint = recipe.policy, recipe.policy.checkpoint
    if checkpoint and Path(beside := absolute_place(checkpoint, folder)).is_dir():  # Otherwise a name on the hub.
        policy = policy.model_copy(update={"checkpoint": beside})
    home = absolute_place(recipe.home, folder)
    return recipe.model_copy(update={"home": home, "sources": sources, "policy": policy})
