"""The argument parsers of the modules that are run as `python -m NAME`."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import runpy
import sys
from typing import Any
from unittest import mock

MODULES = (
    "train.sft",
    "train.rl",
    "train.serving",
    "videozoomer.shards.export",
    "examples.demo",
    "examples.teacher",
    "experiments.proof",
)
"""Those that a user starts. The parsers of benchmarks are read by the tests of the docs alone."""


class _Reached(Exception):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser that a module builds, taken at the moment at which it would read its arguments.

    Raises:
        ModuleNotFoundError: there is no such module.
        ValueError: the module never reads any arguments.
    """
    if importlib.util.find_spec(name) is None:
        raise ModuleNotFoundError(f"there is no module {name}")

    def reached(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        raise _Reached(parser)

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", reached),
        mock.patch.object(argparse.ArgumentParser, "parse_known_args", reached),
        mock.patch.object(sys, "argv", [name]),
        contextlib.suppress(SystemExit),
    ):
        try:
            runpy.run_module(name, run_name="__main__", alter_sys=False)
        except _Reached as found:
            return found.parser
    raise ValueError(f"python -m {name} reads no arguments")
