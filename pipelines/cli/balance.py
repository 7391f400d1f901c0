"""`videozoomer balance`: what each rule does to the balance of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import console, stop
from pipelines.cli.recipe import RECIPE, load

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

    from videozoomer.lake import Lake


def balance(
    recipe: RECIPE,
    kind: Annotated[str, typer.Option(help="exemplar, reflection, rollout, question or evaluation.")] = "exemplar",
    rule: Annotated[str, typer.Option(help="A rule, `all rules`, `failed` or `chance`.")] = "all rules",
) -> None:
    """Show what the data is made of before and after a rule, with a warning where a rule shifts it.

    It counts letters of right options, longest options, topics, films, types, zooms, lengths, languages, pass rates.

    Examples:

    - `videozoomer balance -r my.yaml` - from all exemplars asked for to those kept, and every warning
    - `videozoomer balance --kind question --rule duplicate_near -r my.yaml`
    - `videozoomer balance --rule chance -r my.yaml` - against what chance gives
    """
    from assets.workspace import Workspace

    lake = Workspace(load(recipe)).lake
    counts = lake.read("balance")
    if not counts.height:
        raise stop("nothing was counted yet; `videozoomer run --only balance` does it")
    for option, column, value in (("--kind", "kind", kind), ("--rule", "rule", rule)):
        counts = counts.filter(counts[column] == value)
        if not counts.height:
            known = lake.read("balance") if column == "kind" else lake.read("balance").filter(kind=kind)
            names = known.sort("place")[column].unique(maintain_order=True)
            raise typer.BadParameter(f"there is no {value!r}; choose from {', '.join(names)}", param_hint=option)
    print_balance(counts, lake, console)


def print_balance(counts: pl.DataFrame, lake: Lake, console: Console) -> None:
    """`counts`: rows of table `balance` of one kind and rule."""
    from rich.table import Column, Table
    from rich.text import Text

    from filters.balance import TRAITS, sorted_values

    figures = (Column(name, justify="right") for name in ("before", "", "after", ""))
    table = Table("trait", "value", *figures, box=None)
    for trait, title in TRAITS.items():
        mine = sorted_values(trait, counts.filter(trait=trait))
        before, after = int(mine["before"].sum()), int(mine["after"].sum())
        for number, row in enumerate(mine.iter_rows(named=True)):
            shares = (
                f"{row['before']:,}", _share(row["before"], before), f"{row['after']:,}", _share(row["after"], after)
            )  # fmt: skip
            table.add_row(*map(Text, ("" if number else title, row["value"], *shares)))
    console.print(table)
    warnings = lake.read("shifts").drop_nulls("warning").sort("place", "kind", "trait")["warning"].to_list()
    for warning in warnings:
        console.print(Text.assemble(("warning: ", "yellow"), warning))
    if not warnings:
        console.print("no rule shifts the data, and right options are as by chance")


def _share(rows: int, total: int) -> str:
    return f"{rows / total:.1%}" if total else "–"
