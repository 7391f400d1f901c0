"""`videozoomer sources`: add videos and questions to a recipe, list them, and check how question files are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import console, reported
from pipelines.cli.recipe import RECIPE, load
from videozoomer.settings import Recipe, RecipeError

if TYPE_CHECKING:
    from videozoomer.sources.listing import Listing
    from videozoomer.sources.questions import Reading

app = typer.Typer(help="The videos and questions of a recipe.", no_args_is_help=True, rich_markup_mode="markdown")


@app.command()
def add(
    recipe: RECIPE,
    name: Annotated[str, typer.Argument(help="Short name: lower case, digits, underscores.")],
    videos: Annotated[str, typer.Option(help="Folder, glob, file, archive, or .txt manifest; URLs are allowed.")],
    questions: Annotated[str, typer.Option(help="Questions as .jsonl, .json, .csv, .tsv or .parquet.")],
    split: Annotated[str, typer.Option(help="train or evaluation.")] = "train",
    frames_rate: Annotated[
        str | None, typer.Option(help="Pictures per second of folders of numbered pictures, such as 25 or 30000/1001.")
    ] = None,
) -> None:
    """Check that a source can be read and add it to a recipe. Comments in the file are kept.

    Examples:

    - `videozoomer sources add films --videos /data/films --questions /data/films.jsonl -r my.yaml`
    - `videozoomer sources add bench --videos "s3://b/*.mp4" --questions q.csv --split evaluation -r my.yaml`
    - `videozoomer sources add clips --videos "shards/*.tar" --questions clips.jsonl -r my.yaml`
    - `videozoomer sources add pictures --videos pictures --frames-rate 25 --questions q.csv -r my.yaml`
    """
    from videozoomer.settings.edit import add_source
    from videozoomer.settings.sources import Source
    from videozoomer.sources.files import SourceError
    from videozoomer.sources.listing import list_place
    from videozoomer.sources.questions import read_source

    with reported(SourceError, RecipeError):
        listing = list_place(videos, frames_rate)
        source = Source(name="new", videos=videos, questions=questions)
        reading = read_source(source, [item.uri for item in listing.offered])
        add_source(recipe, name=name, videos=videos, questions=questions, split=split, frames_rate=frames_rate)
    lost = sum(row["status"] != "ok" for row in reading.rows)
    questions_found = f"{len(reading.rows)} questions, {lost} of them unusable"
    console.print(f"added {name}: {len(listing.offered)} videos, {questions_found}")
    print_listing(listing)
    print_reading(reading)


@app.command()
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


@app.command("list")
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
