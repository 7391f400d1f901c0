"""`videozoomer sources`: add videos and questions to a recipe, and list them."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli.output import console, reported
from pipelines.cli.recipe import RECIPE, load
from videozoomer.settings import RecipeError

app = typer.Typer(help="The videos and questions of a recipe.", no_args_is_help=True, rich_markup_mode="markdown")


@app.command()
def add(
    recipe: RECIPE,
    name: Annotated[str, typer.Argument(help="Short name: lower case, digits, underscores.")],
    videos: Annotated[str, typer.Option(help="Folder, glob, file, or .txt manifest; URLs are allowed.")],
    questions: Annotated[str, typer.Option(help="Questions as .jsonl, .json, .csv or .parquet.")],
    split: Annotated[str, typer.Option(help="train or evaluation.")] = "train",
) -> None:
    """Check that a source can be read and add it to a recipe. Comments in the file are kept.

    Examples:

    - `videozoomer sources add films --videos /data/films --questions /data/films.jsonl -r my.yaml`
    - `videozoomer sources add bench --videos "s3://b/*.mp4" --questions q.csv --split evaluation -r my.yaml`
    """
    from videozoomer.settings.edit import add_source
    from videozoomer.sources.files import SourceError, list_videos
    from videozoomer.sources.questions import question_rows, read_questions

    with reported(SourceError, RecipeError):
        offered = list_videos(videos)
        rows = question_rows(read_questions(questions), name, split, [item.uri for item in offered])
        add_source(recipe, name=name, videos=videos, questions=questions, split=split)
    lost = [row for row in rows if row["status"] != "ok"]
    console.print(f"added {name}: {len(offered)} videos, {len(rows)} questions, {len(lost)} of them unusable")
    for row in lost[:5]:
        console.print(f"  {row['question_id']}: {row['reason']}")


@app.command("list")
def list_sources(recipe: RECIPE) -> None:
    """List the sources of a recipe with the number of videos in each.

    Example: `videozoomer sources list -r my.yaml`
    """
    from videozoomer.sources.files import SourceError, list_videos

    for source in load(recipe).sources:
        try:
            found = f"{len(list_videos(source.videos))} videos"
        except SourceError as error:
            found = f"unreadable: {error}"
        console.print(
            f"{source.name} ({source.split}): {found} in {source.videos}, questions {source.questions}", soft_wrap=True
        )
