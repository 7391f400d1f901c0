"""The recipe that `videozoomer init` writes: every field with its meaning and default, generated from the model."""

from __future__ import annotations

import types
import typing
from typing import Any

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from videozoomer.settings.base import Settings
from videozoomer.settings.model import Endpoint, Recipe, Source

HEADER = """\
# A VideoZoomer recipe. Fill in the fields without a leading '#'; those with one show their defaults.
# Paths are relative to this file. ${NAME} and ${NAME:-default} are replaced from the environment.
"""
EXAMPLES: dict[type[Settings], dict[str, Any]] = {
    Recipe: {"name": "my-run", "home": "runs/my-run"},
    Source: {"name": "films", "videos": "videos/", "questions": "questions.jsonl"},
    Endpoint: {"base_url": "http://127.0.0.1:8000/v1"},
}
"""Example values of required fields."""


def template() -> str:
    return HEADER + "\n".join(_lines(Recipe, 0)) + "\n"


def _lines(model: type[Settings], indent: int, commented: bool = False) -> list[str]:
    pad, lines = "  " * indent, []
    for name, field in model.model_fields.items():
        mark = "# " if commented else ""
        for sentence in (field.description or "").splitlines():
            lines.append(f"{pad}# {sentence.strip()}")
        nested, listed = _nested(field)
        if nested and listed and field.is_required():
            lines.append(f"{pad}{mark}{name}:")
            inner = _lines(nested, indent + 2, commented)
            first = next(i for i, line in enumerate(inner) if not line.lstrip().startswith("# "))
            inner[first] = "  " * (indent + 1) + "- " + inner[first].strip()
            lines += inner
        elif nested and not listed and field.default is not None:
            lines.append(f"{pad}{mark}{name}:")
            lines += _lines(nested, indent + 1, commented or not field.is_required())
        else:
            lines.append(_line(model, name, field, pad, commented))
        if indent == 0:
            lines.append("")
    return lines


def _line(model: type[Settings], name: str, field: FieldInfo, pad: str, commented: bool) -> str:
    if field.is_required():
        value, mark = EXAMPLES[model][name], "# " if commented else ""
    else:
        value, mark = field.default, "# "
    plain = list(value) if isinstance(value, tuple) else value
    shown = yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"{pad}{mark}{name}: {'' if value is PydanticUndefined else shown}"


def _nested(field: FieldInfo) -> tuple[type[Settings] | None, bool]:
    """The settings model in a field, if any, and whether the field is a list of them."""
    kind = field.annotation
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return (inner, True) if isinstance(inner, type) and issubclass(inner, Settings) else (None, False)
    options = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    models = [item for item in options if isinstance(item, type) and issubclass(item, Settings)]
    return (models[0] if models else None), False
