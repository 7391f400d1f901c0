"""`videozoomer sources`: add videos and questions to a recipe, list them, and check how question files are read."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from pipelines.cli.output import console, reported
from pipelines.cli.recipe import RECIPE, RecipeCommand, load
from videozoomer.settings import Recipe, RecipeError
from videozoomer.settings.sources import Role

if TYPE_CHECKING:
    from videozoomer.sources.listing import Listing
    from videozoomer.sources.questions import Reading

app = typer.Typer(help="The videos and questions of a recipe.", no_args_is_help=True, rich_markup_mode="markdown")


@app.command(cls=RecipeCommand)
def add(
    recipe: RECIPE,
    name: Annotated[str, typer.Argument(help="Short name: lower case, digits, underscores.")],
    videos: Annotated[str, typer.Option(help="Folder, glob, file, archive, or .txt manifest; URLs are allowed.")],
    questions: Annotated[str, typer.Option(help="Questions as .jsonl, .json, .csv, .tsv or .parquet.")],
    split: Annotated[str, typer.Option(help="train or evaluation.")] = "train",
    answers: Annotated[
        str | None, typer.Option(help="File of right answers, where the question file has none.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="What a column is, as ROLE=NAME; `options=` says that there is none. Repeat it for more."),
    ] = None,
    index_base: Annotated[int | None, typer.Option(help="Index of the first option, 0 or 1.", min=0, max=1)] = None,
    frames_rate: Annotated[
        str | None, typer.Option(help="Pictures per second of folders of numbered pictures, such as 25 or 30000/1001.")
    ] = None,
) -> None:
    """Check that a source can be read and add it to a recipe. Comments in the file are kept.

    Examples:

    - `videozoomer sources add films --videos /data/films --questions /data/films.jsonl -r my.yaml`
    - `videozoomer sources add bench --videos "s3://b/*.mp4" --questions q.csv --split evaluation -r my.yaml`
    - `videozoomer sources add clips --videos "shards/*.tar" --questions clips.jsonl -r my.yaml`
    - `videozoomer sources add ego --videos ego --questions questions.json --answers subset_answers.json -r my.yaml`
    - `videozoomer sources add tv --videos tv --questions q.csv --column question=ask --column options= -r my.yaml`
    - `videozoomer sources add pictures --videos pictures --frames-rate 25 --questions q.csv -r my.yaml`
    """
    from videozoomer.settings.edit import add_source
    from videozoomer.settings.sources import Source
    from videozoomer.sources.files import SourceError
    from videozoomer.sources.listing import list_place
    from videozoomer.sources.questions import read_source

    columns = _columns(column or [])
    more = {"frames_rate": frames_rate, "answers": answers, "columns": columns, "index_base": index_base}
    with reported(SourceError, RecipeError):
        listing = list_place(videos, frames_rate)
        source = Source.model_validate({"name": "new", "videos": videos, "questions": questions} | more)
        reading = read_source(source, [item.uri for item in listing.offered])
        add_source(recipe, name=name, videos=videos, questions=questions, split=split, **more)
    lost = sum(row["status"] != "ok" for row in reading.rows)
    questions_found = f"{len(reading.rows)} questions, {lost} of them unusable"
    console.print(f"added {name}: {len(listing.offered)} videos, {questions_found}")
    print_listing(listing)
    print_reading(reading)


def _columns(given: list[str]) -> dict[str, str | None]:
    """`question=ask` and `options=` as the recipe's `columns`."""
    found: dict[str, str | None] = {}
    for pair in given:
        role, equals, name = pair.partition("=")
        if not equals or role not in get_args(Role):
            guess = difflib.get_close_matches(role, get_args(Role), 1)
            meant = f"; did you mean {guess[0]}?" if guess and guess[0] != role else ""
            raise typer.BadParameter(
                f"{pair!r} is not ROLE=NAME with a role of {', '.join(get_args(Role))}{meant}", param_hint="--column"
            )
        found[role] = name or None
    return found


@app.command(cls=RecipeCommand)
def check(recipe: RECIPE) -> None:
    """Say what every source offers and what of it is passed over, and what was understood of its question file, with
    the first rows that cannot be used. Changes nothing.

    Example: `videozoomer sources check -r my.yaml`
    """
    from videozoomer.sources.files import SourceError

    loaded = load(recipe)
    with reported(SourceError):
        print_understood(loaded)


def print_understood(recipe: Recipe) -> None:
    """Print what each source offers, what of it is passed over, and what was understood of its question file.

    Raises:
        SourceError: a source cannot be read, or the columns of its question file are not understood.
    """
    from videozoomer.sources.listing import list_source
    from videozoomer.sources.questions import read_source

    for source in recipe.sources:
        listing = list_source(source)
        reading = read_source(source, [item.uri for item in listing.offered])
        console.print(
            f"{source.name}: {count(listing)} in {source.videos}, questions {source.questions}", soft_wrap=True
        )
        print_listing(listing)
        print_reading(reading)


def count(listing: Listing) -> str:
    """`1 video`, `12 videos`."""
    return f"{len(listing.offered)} video{'' if len(listing.offered) == 1 else 's'}"


def print_listing(listing: Listing) -> None:
    """Print what is passed over, and what a user might not expect."""
    from videozoomer.sources.listing import describe_passed_over

    for line in (*listing.notes, describe_passed_over(listing)):
        if line:
            console.print(f"  {line}", markup=False, soft_wrap=True)


def print_reading(reading: Reading) -> None:
    from videozoomer.sources.understood import understood

    for line in understood(reading):
        console.print(f"  {line}", soft_wrap=True)


@app.command("list", cls=RecipeCommand)
def list_sources(recipe: RECIPE) -> None:
    """List the sources of a recipe with the number of videos in each.

    Example: `videozoomer sources list -r my.yaml`
    """
    from videozoomer.sources.files import SourceError
    from videozoomer.sources.listing import list_source

    for source in load(recipe).sources:
        listing = None
        try:
            listing = list_source(source)
            found = count(listing)
        except SourceError as error:
            found = f"unreadable: {error}"
        console.print(
            f"{source.name} ({source.split}): {found} in {source.videos}, questions {source.questions}", soft_wrap=True
        )
        if listing is not None:
            print_listing(listing)
