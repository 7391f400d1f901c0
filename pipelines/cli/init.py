"""`videozoomer init`: write a recipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import console, reported, stop
from pipelines.cli.recipe import load
from videozoomer.settings.starter import Start, name_from, starter


def init(
    path: Annotated[Path, typer.Argument(help="File to write the recipe to.")] = Path("recipe.yaml"),
    videos: Annotated[
        str | None,
        typer.Option(
            help="Your films: a folder, a glob, an archive, or a URL.", show_default="videos/ beside the recipe"
        ),
    ] = None,
    questions: Annotated[
        str | None,
        typer.Option(
            help="Your questions: .jsonl, .csv or .parquet.", show_default="questions.jsonl beside the recipe"
        ),
    ] = None,
    server: Annotated[
        str, typer.Option(help="Address of the server that plays them; it usually ends in /v1.")
    ] = "http://127.0.0.1:8000/v1",
    model: Annotated[str | None, typer.Option(help="Its model; by default the first that it lists.")] = None,
    key_env: Annotated[str | None, typer.Option(help="NAME of the environment variable with its API key.")] = None,
    home: Annotated[
        str | None, typer.Option(help="Folder for everything that a run makes; by default runs/ and the recipe's name.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Times that each question is played.")] = 4,
    full: Annotated[bool, typer.Option("--full", help="Write every setting, with its meaning and default.")] = False,
) -> None:
    """Write a recipe that works as it is, and say what was found of the films and questions that it names.

    A recipe is a YAML file: which films and questions, which server plays them, where the results go. The options fill
    in these; everything else has a default, and the file explains what is most often changed. Three commands follow:
    `check` finds what would stop a run, `run` makes data sets and a report, `ui` shows the lineage.

    Examples:

    - `videozoomer init my.yaml --videos films/ --questions films.csv` - for a server on this machine, port 8000
    - `videozoomer init my.yaml --server https://api.example.com/v1 --model NAME --key-env MY_KEY` - with a key
    - `videozoomer init all.yaml --full` - all settings

    The paths that you give start at the current folder; in the file they are relative to the file.
    """
    if path.is_dir():
        raise stop(f"{path} is a folder; name a file, such as {path / 'recipe.yaml'}")
    if path.exists():
        raise stop(f"{path} exists already; name another file")
    if not path.parent.is_dir():
        raise stop(f"there is no folder {path.parent}; create it (mkdir -p {path.parent}), or name another file")
    if not server.startswith(("http://", "https://")):
        raise stop(f"--server {server} is no address; write it as http://{server or '127.0.0.1:8000/v1'}")

    def beside(place: str) -> str:
        """A path from the current folder, as the recipe's own folder sees it."""
        if "://" in place or Path(os.path.expanduser(place)).is_absolute() or path.parent == Path("."):
            return place
        return os.path.relpath(place, path.parent)

    start = Start(
        name=name_from(path),
        home=beside(home) if home else None,
        videos=beside(videos) if videos else Start.videos,
        questions=beside(questions) if questions else Start.questions,
        server=server,
        model=model,
        key_env=key_env,
        samples=samples,
    )
    _write(path, start, full)
    console.print(f"wrote {path}", soft_wrap=True)
    _print_found(path)


def _write(path: Path, start: Start, full: bool) -> None:
    """Write the recipe, or leave no file if it would be refused."""
    from videozoomer.settings import RecipeError, load_recipe
    from videozoomer.settings.template import template

    with reported(OSError):
        path.write_text(template(start) if full else starter(start, str(path)), encoding="utf-8")
    try:
        load_recipe(path)
    except RecipeError as error:
        path.unlink()
        raise stop(error) from error


def _print_found(path: Path) -> None:
    """What was understood of the sources, or what is missing; and what to do next."""
    from pipelines.cli.sources import print_understood
    from videozoomer.sources.files import SourceError

    try:
        print_understood(load(path))
    except SourceError as error:
        console.print(f"not ready: {str(error).rstrip('.')}. Change that, or sources in {path}", soft_wrap=True)
    console.print(f"\nNext:\n  videozoomer check -r {path}\n  videozoomer run -r {path}", soft_wrap=True)
