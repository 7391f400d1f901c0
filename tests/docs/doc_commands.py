"""Whether a command of the docs exists and its arguments parse, by the real parsers and without running it."""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
from typing import Any

import typer
from typer.core import TyperCommand

from docs.generate.commands import make_targets
from docs.generate.modules import Parser, parser_of
from pipelines.cli import app

FOREIGN = ("source", "pip", "vllm", "cp", "cat", "git")
"""Programs that are not ours; their arguments are not checked."""
LAUNCHERS = ("torchrun", "deepspeed")


class DocCommandError(AssertionError):
    """A command of the docs does not exist or would refuse its arguments."""


def check(words: list[str], *, complete: bool = True) -> None:
    """Raise DocCommandError unless a command would accept its arguments; an incomplete one may lack required ones.

    `...` stands for any further arguments, and makes a command incomplete.
    """
    complete = complete and "..." not in words
    words = [word for word in words if word != "..."]
    match words:
        case ["videozoomer", *arguments]:
            _check_typer(app, arguments, complete)
        case ["make", *targets]:
            known = make_targets()
            for target in (target for target in targets if "=" not in target):
                if target not in known:
                    raise DocCommandError(f"there is no make target {target}")
        case ["python", "-m", module, *arguments]:
            _check_module(module, arguments, complete)
        case ["python", script, *arguments] if script.endswith(".py"):
            _check_module(script, arguments, complete)
        case [launcher, *arguments] if launcher in LAUNCHERS:
            at = next(i for i, word in enumerate(arguments) if word in ("-m", "--module"))
            _check_module(arguments[at + 1], arguments[at + 2 :], complete)
        case [program, *_] if program in FOREIGN:
            pass
        case _:
            raise DocCommandError(f"unknown program: {' '.join(words)}")


@functools.cache
def _parser(name: str) -> Parser:
    return parser_of(name)


def _check_module(name: str, arguments: list[str], complete: bool) -> None:
    if name in ("pytest", "pip", "http.server"):
        return
    try:
        parser = _parser(name)
    except ModuleNotFoundError as error:
        raise DocCommandError(str(error)) from error
    except ValueError:
        if arguments:
            raise DocCommandError(f"{name} takes no arguments, but is given {arguments}") from None
        return
    if isinstance(parser, argparse.ArgumentParser):
        _check_argparse(parser, arguments, complete)
    else:
        _check_typer(parser, arguments, complete)


def _check_argparse(parser: argparse.ArgumentParser, arguments: list[str], complete: bool) -> None:
    heard = io.StringIO()
    try:
        with contextlib.redirect_stderr(heard):
            parser.parse_args(arguments)
    except SystemExit as error:
        missing = "the following arguments are required" in heard.getvalue()
        if error.code and (complete or not missing):
            raise DocCommandError(heard.getvalue()) from None


def _check_typer(typer_app: typer.Typer, arguments: list[str], complete: bool) -> None:
    command: Any = typer.main.get_command(typer_app)
    name = typer_app.info.name or "command"
    while not isinstance(command, TyperCommand):
        if not arguments or arguments[0] in ("--help", "--version"):
            return
        if arguments[0] not in command.commands:
            raise DocCommandError(f"{name} has no command {arguments[0]!r}")
        name, command, arguments = arguments[0], command.commands[arguments[0]], arguments[1:]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            command.make_context(name, list(arguments))
    except Exception as error:
        if type(error).__name__ == "Exit":
            return
        if type(error).__name__ == "MissingParameter" and not complete:
            return
        raise DocCommandError(f"{name}: {type(error).__name__}: {getattr(error, 'message', error)}") from error
