"""`videozoomer status`: what is current, stale or missing."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from assets.workspace import Workspace, is_current
from pipelines.build import build_assets
from pipelines.plan import Plan
from videozoomer.settings import Recipe


def print_status(recipe: Recipe, console: Console) -> None:
    workspace = Workspace(recipe)
    plan = Plan(build_assets(recipe), workspace)
    table = Table("asset", "batch", "state", "counts", box=None)
    colours = {"current": "green", "stale": "yellow", "missing": "dim"}
    for level in plan.levels:
        for partition in plan.partitions(level):
            for key in level.keys:
                name = key.to_user_string()
                stamp = workspace.stamps.read(name, partition)
                state = "missing" if stamp is None else "current"
                if stamp and (
                    plan.source_changed(key) or not is_current(workspace, plan.definition_of[key], key, partition)
                ):
                    state = "stale"
                facts = list(stamp.facts.items()) if stamp else []
                counts = ", ".join(f"{fact} {value}" for fact, value in facts if fact != "listing")
                table.add_row(
                    name, partition if level.partitioned else "", f"[{colours[state]}]{state}[/]", counts[:120]
                )
    console.print(table)
