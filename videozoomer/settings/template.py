"""The recipe that `videozoomer init --full` writes: every field with its meaning and default, from the model."""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from videozoomer.settings.base import Settings
from videozoomer.settings.model import DistillSettings, Endpoint, Recipe, Source
from videozoomer.settings.starter import Start, quoted

HEADER = """\
# A VideoZoomer recipe. Fill in the fields without a leading '#'; those with one show their defaults.
# Paths are relative to this file. ${NAME} and ${NAME:-default} are replaced from the environment.
"""
Values = dict[type[Settings], dict[str, Any]]
"""Section -> values of its fields."""


def template(start: Start | None = None) -> str:
    given = start or Start()
    values: Values = {
        Recipe: {"name": given.name, "home": given.folder},
        Source: {"name": "films", "videos": given.videos, "questions": given.questions},
        Endpoint: {"base_url": given.server, "model": given.model, "api_key_env": given.key_env},
        DistillSettings: {"samples": given.samples},
    }
    return HEADER + "\n".join(_lines(values, Recipe, 0)) + "\n"


def _lines(values: Values, model: type[Settings], indent: int, commented: bool = False) -> list[str]:
    pad, lines = "  " * indent, []
    for name, field in model.model_fields.items():
        mark = "# " if commented else ""
        for sentence in (field.description or "").splitlines():
            lines.append(f"{pad}# {sentence.strip()}")
        nested, listed = _nested(field)
        if nested and listed and field.is_required():
            lines.append(f"{pad}{mark}{name}:")
            inner = _lines(values, nested, indent + 2, commented)
            first = next(i for i, line in enumerate(inner) if not line.lstrip().startswith("# "))
            inner[first] = "  " * (indent + 1) + "- " + inner[first].strip()
            lines += inner
        elif nested and not listed and field.default is not None:
            lines.append(f"{pad}{mark}{name}:")
            lines += _lines(values, nested, indent + 1, commented or not field.is_required())
        else:
            lines.append(_line(values, model, name, field, pad, commented))
        if indent == 0:
            lines.append("")
    return lines


def _line(values: Values, model: type[Settings], name: str, field: FieldInfo, pad: str, commented: bool) -> str:
    # A field of a section that stands at the top can be set: only the fields of such a section are commented out.
    settable = not commented or len(pad) == 2
    value = values.get(model, {}).get(name, field.default) if settable else field.default
    mark = "# " if (value == field.default and not field.is_required()) or not settable else ""
    plain = list(value) if isinstance(value, tuple) else value
    return f"{pad}{mark}{name}: {'' if value is PydanticUndefined else quoted(plain)}"


def _nested(field: FieldInfo) -> tuple[type[Settings] | None, bool]:
    """The settings model in a field, if any, and whether the field is a list of them."""
    kind = field.annotation
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return (inner, True) if isinstance(inner, type) and issubclass(inner, Settings) else (None, False)
    options = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    models = [item for item in options if isinstance(item, type) and issubclass(item, Settings)]
    return (models[0] if models else None), False
