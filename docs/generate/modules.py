"""The command lines of modules and scripts: what `python -m NAME` and `python FILE` would do with their arguments."""

from __future__ import annotations

import argparse
import importlib.util
import runpy
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import typer

MODULES = (
    "train.sft",
    "train.rl",
    "train.serving",
    "videozoomer.shards.export",
    "examples.demo",
    "examples.ten_films",
    "examples.teacher",
    "experiments.proof",
)
"""Those that a user starts. The command lines of benchmarks are only read by the tests of the docs."""

Parser = argparse.ArgumentParser | typer.Typer


class _Reached(BaseException):
    """Raised where a program would read its arguments. No program catches it by mistake: it is no `Exception`."""

    def __init__(self, parser: Parser) -> None:
        self.parser = parser


def parser_of(name: str) -> Parser:
    """What reads the arguments of a module or a script, taken at the moment at which it would read them.

    Raises:
        ModuleNotFoundError: there is no such module or file.
        ValueError: the program never reads any arguments.
    """
    is_file = name.endswith(".py")
    if not (Path(name).is_file() if is_file else importlib.util.find_spec(name)):
        raise ModuleNotFoundError(f"there is no module or script {name}")

    def reached(parser: Any, *_: Any, **__: Any) -> None:
        raise _Reached(parser)

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", reached),
        mock.patch.object(argparse.ArgumentParser, "parse_known_args", reached),
        mock.patch.object(typer.Typer, "__call__", reached),
        mock.patch.object(sys, "argv", [name]),
    ):
        try:
            if is_file:
                runpy.run_path(name, run_name="__main__")
            else:
                runpy.run_module(name, run_name="__main__", alter_sys=False)
        except _Reached as found:
            return found.parser
        except SystemExit:
            pass
    raise ValueError(f"{name} reads no arguments")
