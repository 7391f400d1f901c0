"""`videozoomer status`: what is current, stale or missing."""

from __future__ import annotations

import dagster as dg
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assets.workspace import Workspace
from pipelines.build import build_assets
from pipelines.plan import Plan
from videozoomer.settings import Recipe

STYLES = {"current": "green", "stale": "yellow", "missing": "dim"}
HIDDEN = {"listing", "limits"}
"""Facts of a stamp that are no counts."""


def print_status(recipe: Recipe, console: Console) -> None:
    """Print one line for each asset and batch.

    Raises:
        SourceError: a source has nothing to list.
    """
    workspace = Workspace(recipe).at_once()
    plan = Plan(build_assets(recipe), workspace)
    table = Table("asset", "batch", "state", "counts", box=None)
    for level in plan.levels:
        for partition in plan.partitions(level):
            for key in level.keys:
                state = state_of(plan, key, partition)
                table.add_row(
                    key.to_user_string(),
                    Text(partition if level.partitioned else ""),
                    Text(state, STYLES[state]),
                    Text(_counts(workspace, key, partition)),
                )
    console.print(table)


def state_of(plan: Plan, key: dg.AssetKey, partition: str) -> str:
    if plan.workspace.stamps.read(key.to_user_string(), partition) is None:
        return "missing"
    return "current" if plan.is_current(key, partition) else "stale"


def _counts(workspace: Workspace, key: dg.AssetKey, partition: str) -> str:
    """The facts of the result's stamp, cut to one or two lines."""
    stamp = workspace.stamps.read(key.to_user_string(), partition)
    facts = stamp.facts if stamp else {}
    return ", ".join(f"{fact} {value}" for fact, value in facts.items() if fact not in HIDDEN)[:120]
