"""What is wrong in a recipe, a line a field, with the field that was probably meant."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Sequence

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from videozoomer.settings.base import Settings
from videozoomer.settings.model import Recipe


def sentences(error: ValidationError) -> list[str]:
    """One sentence for each wrong field. A value is never repeated: it may be a secret."""
    found, items = [], error.errors(include_input=False, include_url=False)
    for item in items:
        place = [part for part in item["loc"]]
        if item["type"] == "too_short" and any(_is_within(other, item) for other in items):
            continue  # The list is empty because its entries are wrong.
        hint = _hint(place) if item["type"] == "extra_forbidden" else ""
        found.append(f"{'.'.join(map(str, place)) or 'recipe'}: {_said(item, place)}{hint}")
    return found


def _is_within(inner: ErrorDetails, outer: ErrorDetails) -> bool:
    size = len(outer["loc"])
    return len(inner["loc"]) > size and inner["loc"][:size] == outer["loc"]


def _said(item: ErrorDetails, place: Sequence[int | str]) -> str:
    """pydantic's sentence, in the terms of YAML where it speaks of Python's."""
    if item["type"] == "tuple_type":
        return "should be a list; begin each entry with '- '"
    if item["type"] in ("model_type", "model_attributes_type"):
        fields = _section(place)
        return f"should be a section with fields such as {', '.join(list(fields.model_fields)[:3]) if fields else '{}'}"
    if item["type"] == "string_pattern_mismatch" and (field := _field(place)) and field.description:
        return f"is not of this form: {' '.join(field.description.split())}"
    return item["msg"].removeprefix("Value error, ")


def _field(place: Sequence[int | str]) -> FieldInfo | None:
    section = _section(place[:-1])
    return section.model_fields.get(str(place[-1])) if section else None


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
