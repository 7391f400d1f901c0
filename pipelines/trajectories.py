"""Reading trajectories back for people."""

from __future__ import annotations

import polars as pl
from rich.console import Console
from rich.table import Column, Table

from assets.workspace import Workspace
from videozoomer.settings import Recipe


class NotFound(LookupError):
    """No trajectory, or several, begin with the id that was given."""


def print_list(recipe: Recipe, console: Console, kind: str | None, outcome: str | None, limit: int) -> None:
    lake = Workspace(recipe).lake
    rows = lake.read(
        "trajectories", columns=["trajectory_id", "question_id", "kind", "player", "status", "answer", "zooms"]
    )
    rows = rows.join(
        lake.read("verdicts", columns=["trajectory_id", "outcome", "reasons"]), on="trajectory_id", how="left"
    )
    if kind:
        rows = rows.filter(pl.col("kind") == kind)
    if outcome:
        rows = rows.filter(pl.col("outcome") == outcome)
    table = Table(
        Column("id", no_wrap=True, min_width=12),
        "question",
        "kind",
        "status",
        "answer",
        "zooms",
        "outcome",
        "reasons",
        box=None,
    )
    for row in rows.sort("kind", "question_id").head(limit).iter_rows(named=True):
        table.add_row(
            row["trajectory_id"][:12],
            row["question_id"],
            row["kind"],
            row["status"],
            row["answer"] or "",
            str(row["zooms"]),
            row["outcome"] or "",
            ", ".join(row["reasons"] or []),
        )
    console.print(table)
    if rows.height > limit:
        console.print(f"{rows.height - limit} more; raise --limit")


def print_one(recipe: Recipe, console: Console, prefix: str) -> None:
    """Print the trajectory whose id begins with `prefix`.

    Raises:
        NotFound: none or several do.
    """
    from eval.viewer.text import render

    lake = Workspace(recipe).lake
    found = lake.scan("trajectories").filter(pl.col("trajectory_id").str.starts_with(prefix.rstrip("…"))).collect()
    if found.height != 1:
        raise NotFound(f"{found.height} trajectories begin with {prefix!r}; `videozoomer trajectories list` names them")
    row = found.to_dicts()[0]

    def one(table: str, column: str) -> dict | None:
        rows = lake.scan(table).filter(pl.col(column) == row[column]).collect().to_dicts()
        return rows[0] if rows else None

    console.print(
        render(row, one("questions", "question_id"), one("grades", "trajectory_id"), one("verdicts", "trajectory_id"))
    )
