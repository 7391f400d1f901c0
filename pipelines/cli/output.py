"""How commands print: data as it is, without markup, and every error in one form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.text import Text


def open_console(*, stderr: bool = False) -> Console:
    """A console that prints text unchanged: `[films]` is no style, `:tv:` is no emoji, and a number gets no colour.

    Style goes in as `rich.text.Text` or by the argument `style`.
    """
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


console = open_console()


STOPPED_BY_USER = 130
"""Exit code after Ctrl-C, as shells count it: 128 and the number of SIGINT."""


def stop(error: Exception | str, code: int = 1) -> typer.Exit:
    """Print an error to stderr; raise what this returns to end the command."""
    print_error(error)
    return typer.Exit(code)


def print_error(error: Exception | str) -> None:
    open_console(stderr=True).print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)


def print_step(text: str) -> None:
    """Announce what a run does next."""
    console.print(Text.assemble((">", "bold"), " ", text))


@contextmanager
def reported(*errors: type[Exception], advice: str = "", code: int = 1) -> Iterator[None]:
    """End the command with this exit code and the sentence of any of these errors, followed by `advice`."""
    try:
        yield
    except errors as error:
        raise stop(f"{error}{advice}", code) from error
