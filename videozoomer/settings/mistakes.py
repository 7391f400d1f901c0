"""What is wrong in a recipe, a line a field, with the field that was probably meant."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from videozoomer.settings.base import Settings
from videozoomer.settings.model import Recipe


def sentences(error: ValidationError) -> list[str]:
    """One sentence for each wrong field. A value is never repeated: it may be a secret."""
    found = []
    for item in error.errors(include_input=False, include_url=False):
        place = [part for part in item["loc"]]
        hint = _hint(place) if item["type"] == "extra_forbidden" else ""
        found.append(f"{'.'.join(map(str, place)) or 'recipe'}: {item['msg'].removeprefix('Value error, ')}{hint}")
    return found


def _hint(place: Sequence[int | str]) -> str:
    """The field of the same section with a similar name, or the sections that have a field of this name."""
    name, section = str(place[-1]), _section(place[:-1])
    if section and (near := difflib.get_close_matches(name, section.model_fields, n=1)):
        return f"; did you mean {'.'.join(map(str, [*place[:-1], near[0]]))}?"
    elsewhere = [path for path in _fields(Recipe, "") if path.rpartition(".")[2] == name]
    return f"; did you mean {' or '.join(elsewhere[:3])}?" if elsewhere else ""


def _section(place: Sequence[int | str]) -> type[Settings] | None:
    model: type[Settings] = Recipe
    for part in place:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        nested = _models(field.annotation) if field else []
        if not nested:
            return None
        model = nested[0]
    return model


def _fields(model: type[Settings], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for nested in _models(field.annotation):
            yield from _fields(nested, f"{prefix}{name}.")


def _models(kind: object) -> list[type[Settings]]:
    """The settings models within a field's type."""
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, Settings):
        return [kind]
    return [model for inner in typing.get_args(kind) for model in _models(inner)]
