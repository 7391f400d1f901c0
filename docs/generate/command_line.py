"""The `videozoomer` command line as data: its commands and their parameters, read from the functions behind them.

Read from the functions and not from the parser that typer builds, whose insides differ from release to release.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.models import ArgumentInfo, OptionInfo


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    """As it is typed: `RECIPE` for an argument, `--recipe, -r` for an option."""
    kind: str
    """What its value is; empty for a flag."""
    required: bool
    default: Any
    meaning: str
    is_argument: bool


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    """With its groups: `videozoomer ledger grep`."""
    about: str
    """Its help text, in Markdown."""
    parameters: tuple[Parameter, ...]


def commands(app: typer.Typer, name: str = "videozoomer") -> Iterator[Command]:
    """Every command of an app, in the order of `--help`: its own first, then those of its groups."""
    for info in app.registered_commands:
        assert info.callback is not None
        own = info.name or info.callback.__name__.replace("_", "-")
        about = inspect.cleandoc(info.help or info.callback.__doc__ or "")
        yield Command(f"{name} {own}", about, tuple(_parameters(info.callback)))
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, f"{name} {group.name}")


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    hints = typing.get_type_hints(function, include_extras=True)
    for name, declared in inspect.signature(function).parameters.items():
        hint = hints[name]
        kind, *notes = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
        info = next((note for note in notes if isinstance(note, ArgumentInfo | OptionInfo)), None)
        if info is None:
            continue
        required = declared.default is inspect.Parameter.empty
        yield Parameter(
            name=_typed_name(name, info),
            kind="" if kind is bool else _kind(kind),
            required=required,
            default=None if required else declared.default,
            meaning=_meaning(info),
            is_argument=isinstance(info, ArgumentInfo),
        )


def _typed_name(name: str, info: ArgumentInfo | OptionInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return (info.metavar or name).upper()
    # Within `Annotated`, typer takes the first name that is given for the default.
    first = [info.default] if isinstance(info.default, str) and info.default.startswith("-") else []
    return ", ".join([*first, *(info.param_decls or ())] or [f"--{name.replace('_', '-')}"])


def _meaning(info: ArgumentInfo | OptionInfo) -> str:
    variable = f" Also read from `{info.envvar}`." if info.envvar else ""
    return (info.help or "") + variable


def _kind(kind: Any) -> str:
    """`TEXT` and the like, as `--help` shows it."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    if typing.get_origin(kind) in (list, tuple):
        kind = typing.get_args(kind)[0]
    return {str: "TEXT", int: "INTEGER", float: "NUMBER", Path: "PATH"}.get(kind, getattr(kind, "__name__", "VALUE"))
