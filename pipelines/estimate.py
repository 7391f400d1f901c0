"""`videozoomer run --dry-run`: what would be asked, and what it would cost at the recipe's prices."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from assets.workspace import Workspace
from videozoomer.settings import Recipe
from videozoomer.sources.files import list_videos
from videozoomer.sources.questions import question_rows, read_questions


def print_estimate(recipe: Recipe, console: Console) -> None:
    """Print calls, tokens and dollars by stage.

    Raises:
        SourceError: a source has nothing to list.
    """
    from distill.estimate import estimate_run
    from videozoomer.protocol.prompts import load_prompts

    counts = {"train": 0, "evaluation": 0}
    for source in recipe.sources:
        uris = [item.uri for item in list_videos(source.videos)]
        rows = question_rows(read_questions(source.questions), source.name, source.split, uris)
        counts[source.split] += sum(row["status"] == "ok" for row in rows)
    shown = Workspace(recipe).lake.read("overviews", columns=["video_id"])
    stages = estimate_run(
        recipe,
        recipe.protocol.to_protocol(),
        load_prompts(recipe.protocol.prompts),
        train_questions=counts["train"],
        evaluation_questions=counts["evaluation"],
        overview_frames=shown.height / shown["video_id"].n_unique() if shown.height else None,
    )
    table = Table("stage", "model", "episodes", "calls", "tokens in", "tokens out", "USD", "USD at most", box=None)
    for stage in stages:
        table.add_row(
            stage.stage,
            stage.model,
            f"{stage.episodes:,.0f}",
            f"{stage.calls:,.0f}",
            f"{stage.input_tokens:,.0f}",
            f"{stage.output_tokens:,.0f}",
            f"{stage.cost_usd:,.2f}",
            f"{stage.most_cost_usd:,.2f}",
        )
    table.add_section()
    total, most = sum(stage.cost_usd for stage in stages), sum(stage.most_cost_usd for stage in stages)
    table.add_row(
        "in all", "", "", f"{sum(stage.calls for stage in stages):,.0f}", "", "", f"{total:,.2f}", f"{most:,.2f}"
    )
    console.print(table, highlight=False)
    cap = recipe.distill.budget_usd
    console.print(
        f"{counts['train']} questions to train on, {counts['evaluation']} to evaluate on. "
        + ("No cap is set (distill.budget_usd)." if cap is None else f"The run stops cleanly at {cap:,.2f} USD.")
        + " What the ledger holds already is replayed for nothing; that is not taken off here.",
        highlight=False,
    )
