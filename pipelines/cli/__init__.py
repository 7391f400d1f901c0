"""`videozoomer`: the command line, one module for each group of commands. `--help` explains each with examples."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli import (
    balance,
    check,
    garbage,
    init,
    ledger,
    reviews,
    run,
    serve,
    shards,
    sources,
    trajectories,
    ui,
    video,
    view,
)
from pipelines.cli.output import console, stop
from pipelines.cli.recipe import RecipeCommand

EXIT_CODES = (
    "Exit codes: 0 done; 1 it could not be done, and the error says why; 2 the command line is wrong; 3 the run is "
    "done, its report too, but nothing was kept to train on; 75 another run works on the same home; 130 stopped by "
    "Ctrl-C, with everything finished kept."
)

app = typer.Typer(
    help="From long videos and questions to verified zoom trajectories, and from those to a trained, measured policy.",
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["--help", "-h"]},
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            console.print(f"videozoomer {version('videozoomer')}")
        except PackageNotFoundError as error:
            raise stop("the package videozoomer is not installed; run `pip install -e .` in its folder") from error
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command()(init.init)
app.command(cls=RecipeCommand)(check.check)
app.command(cls=RecipeCommand)(run.run)
app.command(cls=RecipeCommand)(run.train)
app.command(cls=RecipeCommand)(run.status)
app.command(cls=RecipeCommand)(balance.balance)
app.command(cls=RecipeCommand)(ui.ui)
app.command(cls=RecipeCommand)(garbage.gc)
app.command()(view.view)
app.add_typer(sources.app, name="sources")
app.add_typer(trajectories.app, name="trajectories")
app.add_typer(reviews.app, name="reviews")
app.add_typer(video.app, name="video")
app.add_typer(ledger.app, name="ledger")
app.add_typer(shards.app, name="shards")
app.command()(serve.serve)
