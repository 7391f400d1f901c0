"""Which trajectories go into the page when not all fit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import polars as pl

from videozoomer.lake.lake import Lake


def summaries(lake: Lake) -> pl.DataFrame:
    """One light row for each trajectory: `trajectory_id`, `kind`, `status`, and `verdict`, `outcome`, `reasons` where there are any."""
    light = lake.read("trajectories", columns=["trajectory_id", "kind", "status"])
    grades = lake.read("grades", columns=["trajectory_id", "verdict"]).unique("trajectory_id")
    verdicts = lake.read("verdicts", columns=["trajectory_id", "outcome", "reasons"])
    return light.join(grades, on="trajectory_id", how="left").join(verdicts, on="trajectory_id", how="left")


def choose(rows: pl.DataFrame, limit: int, prefer: Sequence[str] = ()) -> list[str]:
    """Ids of at most `limit` trajectories.

    First those that `prefer` names, in its order: a trajectory's id, kind, status, verdict, outcome or a reason. Then a
    mix: kinds, outcomes and first reasons take turns, so that the rare ones are not crowded out. Within a group the order is by
    hash, the same on every run.
    """
    rank = {name: n for n, name in enumerate(prefer)}
    groups: dict[tuple, list[dict]] = {}
    for row in rows.iter_rows(named=True):
        row["hash"] = hashlib.sha256(row["trajectory_id"].encode()).hexdigest()
        reasons = row["reasons"] or []
        names = (row["trajectory_id"], row["kind"], row["status"], row["verdict"], row["outcome"], *reasons)
        row["rank"] = min((rank[name] for name in names if name in rank), default=len(rank))
        groups.setdefault((row["kind"], row["outcome"] or row["verdict"] or row["status"], *reasons[:1]), []).append(
            row
        )
    for group in groups.values():
        group.sort(key=lambda row: (row["rank"], row["hash"]))
        for turn, row in enumerate(group):
            row["turn"] = turn
    ordered = sorted(
        (row for group in groups.values() for row in group),
        key=lambda row: (row["rank"], row["turn"], row["kind"], row["hash"]),
    )
    return [row["trajectory_id"] for row in ordered[:limit]]
