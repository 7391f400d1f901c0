"""The funnel from everything asked to everything kept; the counts of its steps add up."""

from __future__ import annotations

import polars as pl

from videozoomer.lake import CATALOG

KINDS = ("question", "exemplar", "reflection")
"""Kinds that are counted. Probes, students' rollouts and evaluations are evidence and never go into a shard."""
STAGES = ("asked", "failed", "rejected", "kept")


def count(verdicts: pl.DataFrame, question_stats: pl.DataFrame) -> pl.DataFrame:
    """Rows of table `funnel`; for each kind, asked = failed + rejected + kept.

    An item with several reasons counts once, under its first; `verdicts` and `question_stats` list them all.
    """
    questions = question_stats.filter(pl.col("split") == "train").select(
        pl.lit("question").alias("kind"),
        pl.when(pl.col("reasons").list.len() > 0).then(pl.lit("rejected")).otherwise(pl.lit("kept")).alias("stage"),
        pl.col("reasons").list.first().fill_null("").alias("reason"),
    )
    trajectories = verdicts.select(
        "kind", pl.col("outcome").alias("stage"), pl.col("reasons").list.first().fill_null("").alias("reason")
    )
    items = pl.concat([questions, trajectories])
    asked = items.with_columns(pl.lit("asked").alias("stage"), pl.lit("").alias("reason"))
    counted = pl.concat([items, asked]).group_by("stage", "kind", "reason").len("rows")
    always = [(stage, kind, "") for kind in KINDS for stage in ("asked", "kept")]
    missing = sorted(set(always) - set(counted.select("stage", "kind", "reason").iter_rows()))
    zeros = pl.DataFrame([(*key, 0) for key in missing], schema=counted.schema, orient="row")
    return CATALOG["funnel"].conform(pl.concat([counted, zeros])).sort("kind", "stage", "reason")


def as_markdown(funnel: pl.DataFrame) -> str:
    """The funnel as a Markdown table: for each kind `asked`, then the losses from largest to smallest, then `kept`."""
    lines = ["| kind | stage | reason | rows |", "| --- | --- | --- | ---: |"]
    rows = funnel.to_dicts()
    for kind in (*KINDS, *sorted({row["kind"] for row in rows} - set(KINDS))):
        mine = [row for row in rows if row["kind"] == kind]
        mine.sort(key=lambda row: (STAGES.index(row["stage"]), -row["rows"], row["reason"]))
        lines += [f"| {kind} | {row['stage']} | {row['reason']} | {row['rows']:,} |" for row in mine]
    return "\n".join(lines)
