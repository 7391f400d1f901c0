"""`videozoomer reviews`: what people decided in `videozoomer view`, as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import console, print_error, reported
from pipelines.cli.recipe import RECIPE, load

app = typer.Typer(
    help="Reviews of people: export, import and count them.", no_args_is_help=True, rich_markup_mode="markdown"
)


@app.command()
def export(recipe: RECIPE, out: Annotated[Path, typer.Argument(help="A JSONL file; `-` prints it.")]) -> None:
    """Write every review that was ever recorded, one a line.

    Example: `videozoomer reviews export reviews.jsonl -r my.yaml`
    """
    from videozoomer.lake import Lake
    from videozoomer.lake.atomic import write_text
    from videozoomer.reviews.current import read

    reviews = read(Lake(load(recipe).home_path / "tables"))
    text = "".join(json.dumps(review.model_dump(), ensure_ascii=False) + "\n" for review in reviews)
    if str(out) == "-":
        console.print(text, end="", soft_wrap=True)
        return
    write_text(out, text)
    console.print(f"wrote {len(reviews)} reviews to {out}", soft_wrap=True)


@app.command(name="import")
def import_reviews(recipe: RECIPE, file: Annotated[Path, typer.Argument(help="A JSONL file of `export`.")]) -> None:
    """Add the reviews of a file to those of a home. Known ones are left out; a line that is no review is named.

    A review holds for the content that the person saw: where that is the same in this home, it applies.

    Example: `videozoomer reviews import reviews.jsonl -r my.yaml`
    """
    from videozoomer.lake import Lake
    from videozoomer.reviews import Journal, Review, ReviewError
    from videozoomer.reviews.journal import validated

    lake = Lake(load(recipe).home_path / "tables")
    found: list[Review] = []
    refused = 0
    with reported(OSError, UnicodeDecodeError):
        lines = file.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            found.append(validated(values if isinstance(values, dict) else {"subject": values}))
        except (ValueError, ReviewError) as error:
            refused += 1
            print_error(f"{file}, line {number}: {error}")
    new = Journal(lake).add(found)
    console.print(f"added {new} reviews; {len(found) - new} were known, {refused} lines were refused", soft_wrap=True)
    if refused:
        raise typer.Exit(1)


@app.command()
def summary(recipe: RECIPE) -> None:
    """Count the decisions that apply, and print the precision that blind judgements measured.

    Example: `videozoomer reviews summary -r my.yaml`
    """
    from videozoomer.lake import Lake
    from videozoomer.reviews import counting

    counted = counting.summary(Lake(load(recipe).home_path / "tables"))
    if not counted:
        console.print("there are no reviews; `videozoomer view` makes them")
        return
    for name, number in counted["decisions"].items():
        console.print(f"{name:24} {number:6}")
    console.print(f"{'no longer applies':24} {counted['stale']:6}")
    if "precision" in counted:
        console.print(counting.sentence(counted["precision"]), soft_wrap=True)
