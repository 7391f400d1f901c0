"""`videozoomer trajectories`: read stored trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import console, reported
from pipelines.cli.recipe import RECIPE, RecipeCommand, load

if TYPE_CHECKING:
    from rich.console import Console

    from videozoomer.lake import Lake

app = typer.Typer(help="Read stored trajectories.", no_args_is_help=True, rich_markup_mode="markdown")


KINDS = ("exemplar", "reflection", "student", "probe", "evidence", "evaluation", "rollout")
OUTCOMES = ("kept", "rejected", "failed")


class NotFound(LookupError):
    """No trajectory, or more than one, begins with the given id."""


@app.command("list", cls=RecipeCommand)
def list_trajectories(
    recipe: RECIPE,
    kind: Annotated[
        str | None, typer.Option(help="exemplar, reflection, student, probe, evaluation or rollout.")
    ] = None,
    outcome: Annotated[str | None, typer.Option(help="kept, rejected or failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of rows.")] = 20,
) -> None:
    """List trajectories with their outcome.

    Examples:

    - `videozoomer trajectories list -r my.yaml` - the first 20
    - `videozoomer trajectories list --kind reflection --outcome kept --limit 100 -r my.yaml`
    """
    from assets.workspace import Workspace

    for option, value, known in (("--kind", kind, KINDS), ("--outcome", outcome, OUTCOMES)):
        if value is not None and value not in known:
            raise typer.BadParameter(f"there is no {value!r}; choose from {', '.join(known)}", param_hint=option)
    print_list(Workspace(load(recipe)).at_once().lake, console, kind=kind, outcome=outcome, limit=limit)


@app.command(cls=RecipeCommand)
def show(
    recipe: RECIPE, trajectory_id: Annotated[str, typer.Argument(help="The id, or its first characters.")]
) -> None:
    """Show one trajectory: question, every turn with its zoom, frames and fault, verdict and reasons.

    Example: `videozoomer trajectories show 3f2a -r my.yaml`
    """
    from assets.workspace import Workspace

    lake = Workspace(load(recipe)).at_once().lake
    with reported(NotFound):
        print_one(lake, console, trajectory_id)


def print_list(lake: Lake, console: Console, *, kind: str | None, outcome: str | None, limit: int) -> None:
    import polars as pl
    from rich.table import Column, Table
    from rich.text import Text

    rows = lake.read(
        "trajectories", columns=["trajectory_id", "question_id", "kind", "player", "status", "answer", "zooms"]
    )
    verdicts = lake.read("verdicts", columns=["trajectory_id", "outcome", "reasons"])
    rows = rows.join(verdicts, on="trajectory_id", how="left")
    if kind:
        rows = rows.filter(pl.col("kind") == kind)
    if outcome:
        rows = rows.filter(pl.col("outcome") == outcome)
    names = ("question", "kind", "status", "answer", "zooms", "outcome", "reasons")
    table = Table(Column("id", no_wrap=True, min_width=12), *names, box=None)
    for row in rows.sort("kind", "question_id").head(limit).iter_rows(named=True):
        cells = (
            row["trajectory_id"][:12],
            row["question_id"],
            row["kind"],
            row["status"],
            row["answer"] or "",
            str(row["zooms"]),
            row["outcome"] or "",
            ", ".join(row["reasons"] or []),
        )
        table.add_row(*map(Text, cells))
    console.print(table)
    if rows.height > limit:
        console.print(f"{rows.height - limit} more; raise --limit to see them")


def print_one(lake: Lake, console: Console, prefix: str) -> None:
    """Print the trajectory whose id begins with `prefix`.

    Raises:
        NotFound: none or several do.
    """
    import polars as pl

    from eval.viewer.text import render

    found = lake.scan("trajectories").filter(pl.col("trajectory_id").str.starts_with(prefix.rstrip("…"))).collect()
    if found.height != 1:
        raise NotFound(f"{found.height} trajectories begin with {prefix!r}; see `videozoomer trajectories list`")
    row = found.to_dicts()[0]

    def one(table: str, column: str) -> dict | None:
        rows = lake.scan(table).filter(pl.col(column) == row[column]).collect().to_dicts()
        return rows[0] if rows else None

    console.print(
        render(row, one("questions", "question_id"), one("grades", "trajectory_id"), one("verdicts", "trajectory_id"))
    )
