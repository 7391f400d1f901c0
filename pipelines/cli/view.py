"""`videozoomer view`: trajectories in a browser, any number of them."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import console, reported, stop
from pipelines.cli.recipe import load
from videozoomer.settings import Recipe

if TYPE_CHECKING:
    from eval.viewer.live.pictures import ReadFrame
    from eval.viewer.live.server import Shown

PORT = 8420


def view(
    recipe: Annotated[
        Path | None, typer.Option("--recipe", "-r", help="The recipe (YAML) of the run.", envvar="VIDEOZOOMER_RECIPE")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="The home of a run, where there is no recipe for it.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes any free one.")] = PORT,
    who: Annotated[
        str | None, typer.Option("--as", help="Your name in reviews; default: the name of the login.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Show only this many of the kept trajectories, drawn at random.")
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Hide verdicts, rules and other people's reviews; needs --sample.")
    ] = False,
    seed: Annotated[str, typer.Option(help="Another one draws another sample.")] = "1",
    export: Annotated[
        Path | None, typer.Option(help="Write some trajectories into this one HTML file, and serve nothing.")
    ] = None,
) -> None:
    """Look at trajectories in a browser, and review them: search, filter, compare; also while a run goes on.

    The page is served on this machine alone. Open the address that is printed: it has the key.

    Examples:

    - `videozoomer view -r my.yaml`
    - `videozoomer view --home runs/demo --port 0` - a home without its recipe
    - `videozoomer view -r my.yaml --sample 200 --blind` - measure how many of the kept trajectories are good
    - `videozoomer view -r my.yaml --export page.html` - one file to send to somebody
    """
    loaded = load(recipe) if recipe else None
    folder = home or (loaded.home_path if loaded else None)
    if folder is None:
        raise typer.BadParameter("give --recipe, or --home with the folder of a run", param_hint="--recipe")
    if not (folder / "tables").is_dir():
        raise stop(f"{folder} has no tables; give the home of a run, or make one with `videozoomer run`")
    if export:
        from eval.viewer.page import write_viewer
        from videozoomer.lake import Lake

        console.print(f"wrote {write_viewer(Lake(folder / 'tables'), export)}", soft_wrap=True)
        return
    if blind and sample is None:
        raise typer.BadParameter("a blind look needs --sample", param_hint="--blind")
    from eval.viewer.live.index import QueryError
    from eval.viewer.live.reviewing import draw
    from eval.viewer.live.server import listen, serve
    from videozoomer.lake import Lake

    with reported(QueryError):
        drawn = draw(Lake(folder / "tables"), sample, seed) if sample else None
    try:
        listening = listen(port)
    except OSError as error:
        raise stop(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error
    shown = what_is_shown(folder, loaded, who or getpass.getuser(), drawn, blind)
    with listening, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(shown, listening, _ready))


def _ready(address: str) -> None:
    console.print(f"open {address}\nstop with Ctrl-C", soft_wrap=True)


def what_is_shown(
    home: Path, recipe: Recipe | None, who: str, sample: list[str] | None = None, blind: bool = False
) -> Shown:
    from eval.viewer.live.index import Index, Live
    from eval.viewer.live.pictures import Pictures
    from eval.viewer.live.reviewing import Book
    from eval.viewer.live.server import Shown
    from videozoomer.lake import Lake

    shards = [home / "shards" / kind for kind in ("sft", "rl", "evaluation")]
    stream = recipe.video.stream_index if recipe else None
    lake = Lake(home / "tables")
    book = Book(lake, who, blind)
    return Shown(
        Live(lake, opened=lambda lake: Index(lake, sample), changed=book.changed),
        Pictures(_film_reader(recipe) if recipe else None, shards, stream),
        recipe.name if recipe else home.resolve().name,
        recipe.filters.skip_rules if recipe else (),
        book,
    )


def _film_reader(recipe: Recipe) -> ReadFrame:
    """Reads a frame as the players received it."""
    from assets.workspace import Workspace

    pool = Workspace(recipe).readers([])
    return lambda uri, time_s: pool.frames_at(uri, [time_s])[0]
