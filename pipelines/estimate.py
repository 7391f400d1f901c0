"""`videozoomer run --dry-run`: the calls that a run would make and what they would cost at the recipe's prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from assets.workspace import Workspace
from videozoomer.settings import Recipe
from videozoomer.sources.listing import list_source
from videozoomer.sources.questions import read_source

if TYPE_CHECKING:
    from distill.estimate import StageEstimate
    from videozoomer.sources.files import Offered

NUMBERS = ("episodes", "calls", "tokens in", "tokens out", "USD", "USD at most")


def print_estimate(recipe: Recipe, console: Console) -> None:
    """Print calls, tokens and dollars by stage.

    Raises:
        SourceError: a source has nothing to list.
    """
    questions = usable_questions(recipe, films_of(recipe))
    stages = expected_stages(recipe, questions)
    table = Table("stage", "model", *(Column(name, justify="right") for name in NUMBERS), box=None)
    for stage in stages:
        table.add_row(
            Text(stage.stage),
            Text(stage.model),
            f"{stage.episodes:,.0f}",
            f"{stage.calls:,.0f}",
            f"{stage.input_tokens:,.0f}",
            f"{stage.output_tokens:,.0f}",
            f"{stage.cost_usd:,.2f}",
            f"{stage.max_cost_usd:,.2f}",
        )
    table.add_section()
    total, most = sum(stage.cost_usd for stage in stages), sum(stage.max_cost_usd for stage in stages)
    table.add_row(
        "total", "", "", f"{sum(stage.calls for stage in stages):,.0f}", "", "", f"{total:,.2f}", f"{most:,.2f}"
    )
    console.print(table)
    cap = recipe.distill.budget_usd
    console.print(
        f"{questions['train']} training questions, {questions['evaluation']} evaluation questions. "
        + ("No cap is set (distill.budget_usd)." if cap is None else f"The run stops cleanly at {cap:,.2f} USD.")
        + " Calls that the ledger already has will cost nothing; this estimate does not subtract them.",
        markup=False,
        highlight=False,
    )


def expected_stages(recipe: Recipe, questions: Mapping[str, int]) -> list[StageEstimate]:
    """The stages that call a server, for a number of questions of each split."""
    from distill.estimate import estimate_run
    from videozoomer.protocol.prompts import load_prompts

    shown = Workspace(recipe).lake.read("overviews", columns=["video_id"])
    return estimate_run(
        recipe,
        recipe.protocol.to_protocol(),
        load_prompts(recipe.protocol.prompts),
        train_questions=questions["train"],
        evaluation_questions=questions["evaluation"],
        overview_frames=shown.height / shown["video_id"].n_unique() if shown.height else None,
    )


def films_of(recipe: Recipe) -> dict[str, list[Offered]]:
    """Source -> its films, as they are listed now.

    Raises:
        SourceError: a source has nothing to list.
    """
    return {source.name: list_source(source).offered for source in recipe.sources}


def usable_questions(recipe: Recipe, films: Mapping[str, Sequence[Offered]]) -> dict[str, int]:
    """The number of questions of each split that can be asked, from the files as they are now."""
    counts = {"train": 0, "evaluation": 0}
    for source in recipe.sources:
        uris = [item.uri for item in films[source.name]]
        counts[source.split] += sum(row["status"] == "ok" for row in read_source(source, uris).rows)
    return counts
