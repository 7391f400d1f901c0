"""Asset checks: conditions on a table or a data set that must pass before anything is built on it."""

from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from assets.workspace import Workspace
from videozoomer.lake import CATALOG

if TYPE_CHECKING:
    from videozoomer.lake import Table

ASSET_OF_TABLE = {
    "files": "sources",
    "questions": "questions",
    "videos": "videos",
    "shots": "shots",
    "overviews": "overviews",
    "verdicts": "verdicts",
    "question_stats": "question_stats",
    "funnel": "funnel",
    "leaks": "leaks",
    "balance": "balance",
    "shifts": "balance",
}


def fits_declaration(table: "Table", asset: str) -> dg.AssetChecksDefinition:
    """A check that the stored files of a table fit its declaration, even if another program wrote them."""

    @dg.asset_check(
        asset=asset,
        name=f"{table.name}_fits_its_declaration",
        blocking=True,
        description=f"Columns, types, required values and key of table `{table.name}` match its declaration.",
    )
    def check(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
        from videozoomer.lake import SchemaError

        rows = 0
        for partition in workspace.lake.partitions(table.name):
            try:
                rows += table.conform(workspace.lake.read(table.name, [partition])).height
            except SchemaError as error:
                return dg.AssetCheckResult(passed=False, metadata={"partition": partition, "error": str(error)})
        return dg.AssetCheckResult(passed=True, metadata={"rows": rows})

    return check


@dg.asset_check(
    asset="funnel", blocking=True, description="For each kind of episode, asked = kept + rejected + failed."
)
def funnel_adds_up(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    counts: dict[str, dict[str, int]] = {}
    for kind, stage, rows in (
        workspace.lake.read("funnel").group_by("kind", "stage").agg(pl.col("rows").sum()).iter_rows()
    ):
        counts.setdefault(kind, {})[stage] = rows
    wrong = {
        kind: found
        for kind, found in counts.items()
        if found.get("asked", 0) != found.get("kept", 0) + found.get("rejected", 0) + found.get("failed", 0)
    }
    return dg.AssetCheckResult(passed=not wrong, metadata={"counts": counts, "wrong": wrong})


def _shifts(workspace: Workspace, chosen: pl.Expr) -> dg.AssetCheckResult:
    """Passes without a warning among the chosen rows of table `shifts`; a warning stops no run."""
    rows = workspace.lake.read("shifts").filter(chosen)
    effects: list[float] = rows["effect"].drop_nulls().to_list()
    found = rows.drop_nulls("warning").sort("effect", descending=True)
    return dg.AssetCheckResult(
        passed=not found.height,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "tests": len(effects),
            "warnings": found["warning"].to_list(),
            "largest_effect": max(effects, default=None),
        },
    )


@dg.asset_check(
    asset="balance",
    description="No rule, nor all of them together, shifts letters, topics, films, types, zooms, lengths, languages or "
    "pass rates. It warns; it stops nothing.",
)
def no_rule_shifts_the_data(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    return _shifts(workspace, pl.col("rule") != "chance")


@dg.asset_check(
    asset="balance",
    description="The right option has each letter, and is the longest one, as often as by chance. It warns; it stops "
    "nothing.",
)
def right_options_are_as_by_chance(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    return _shifts(workspace, pl.col("rule") == "chance")


@dg.asset_check(
    asset="sft_shards",
    blocking=True,
    additional_deps=["leaks"],
    description="No training row comes from a video or question that also occurs in an evaluation set.",
)
def no_leak_in_shards(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    from videozoomer.shards.read import ShardSet

    leaked = set(workspace.lake.read("leaks")["train_id"])
    rows = list(ShardSet(workspace.shards("sft")).rows())
    found = [row["id"] for row in rows if row["video_id"] in leaked or row["question_id"] in leaked]
    return dg.AssetCheckResult(passed=not found, metadata={"rows": len(rows), "leaked": found[:20]})


@dg.asset_check(
    asset="sft_shards", blocking=True, description="No video is in both the training and the validation split."
)
def split_by_video(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    from videozoomer.shards.read import ShardSet

    splits: dict[str, set[str]] = {}
    for row in ShardSet(workspace.shards("sft")).rows():
        splits.setdefault(row["video_id"], set()).add(row["split"])
    both = [video_id for video_id, found in splits.items() if len(found) > 1]
    return dg.AssetCheckResult(passed=not both, metadata={"videos": len(splits), "in_both": both[:20]})


CHECKS = [
    *(fits_declaration(CATALOG[table], asset) for table, asset in ASSET_OF_TABLE.items()),
    funnel_adds_up,
    no_rule_shifts_the_data,
    right_options_are_as_by_chance,
    no_leak_in_shards,
    split_by_video,
]
