"""`videozoomer check`: find out before a run what would stop it."""

from __future__ import annotations

import typer
from rich.text import Text

from pipelines.cli.output import console, open_console, reported, stop
from pipelines.cli.recipe import RECIPE, load
from videozoomer.settings import Recipe


def check(recipe: RECIPE) -> None:
    """Check servers, questions, prices and disk, and ask each server once with as many frames as an overview has.

    The call costs as much as the first of an episode. The first `run` of a home does the same by itself, and
    `run --dry-run` all but the call.
    Exit code 1: something would stop the run.

    Example: `videozoomer check -r my.yaml`
    """
    from pipelines.cli.sources import print_understood
    from videozoomer.sources.files import SourceError

    loaded = load(recipe)
    with reported(SourceError):
        print_understood(loaded)
    print_findings(loaded, with_calls=True)
    console.print(f"ready: videozoomer run -r {recipe}", soft_wrap=True)


def print_findings(recipe: Recipe, *, with_calls: bool) -> None:
    """Print what was found; end the command if it would stop a run."""
    from pipelines.preflight import check_recipe
    from videozoomer.sources.files import SourceError

    with reported(SourceError):
        found = check_recipe(recipe, with_calls=with_calls)
    for finding in found:
        if finding.level == "note":
            console.print(finding.sentence, soft_wrap=True)
        if finding.level == "warning":
            open_console(stderr=True).print(Text.assemble(("warning: ", "yellow"), finding.sentence), soft_wrap=True)
    errors = [finding.sentence for finding in found if finding.level == "error"]
    for sentence in errors:
        stop(sentence)
    if errors:
        raise typer.Exit(1)
