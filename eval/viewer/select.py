"""Chooses the trajectories of the page when not all fit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import polars as pl

from videozoomer.lake.lake import Lake


def summaries(lake: Lake) -> pl.DataFrame:
    """One row per trajectory: `trajectory_id`, `kind`, `status`, and `verdict`, `outcome`, `reasons` or null."""
    light = lake.read("trajectories", columns=["trajectory_id", "kind", "status"])
    grades = lake.read("grades", columns=["trajectory_id", "verdict"]).unique("trajectory_id")
    verdicts = lake.read("verdicts", columns=["trajectory_id", "outcome", "reasons"])
    return light.join(grades, on="trajectory_id", how="left").join(verdicts, on="trajectory_id", how="left")


def choose(rows: pl.DataFrame, limit: int, prefer: Sequence[str] = ()) -> list[str]:
    """Ids of at most `limit` trajectories.

    Those that `prefer` names come first, in its order: by trajectory id, kind, status, verdict, outcome or reason. Then
    kinds, outcomes and first reasons take turns, so that frequent ones do not crowd out rare ones. Within a group a
    hash sets the order, so every run chooses the same ones.
    """
    rank = {name: n for n, name in enumerate(prefer)}
    groups: dict[tuple[str, ...], list[dict]] = {}
    for row in rows.iter_rows(named=True):
        row["hash"] = hashlib.sha256(row["trajectory_id"].encode()).hexdigest()
        reasons = row["reasons"] or []
        names = (row["trajectory_id"], row["kind"], row["status"], row["verdict"], row["outcome"], *reasons)
        row["rank"] = min((rank[name] for name in names if name in rank), default=len(rank))
        group = (row["kind"], row["outcome"] or row["verdict"] or row["status"], *reasons[:1])
        groups.setdefault(group, []).append(row)
    for members in groups.values():
        members.sort(key=lambda row: (row["rank"], row["hash"]))
        for turn, row in enumerate(members):
            row["turn"] = turn
    ordered = sorted(
        (row for members in groups.values() for row in members),
        key=lambda row: (row["rank"], row["turn"], row["kind"], row["hash"]),
    )
    return [row["trajectory_id"] for row in ordered[:limit]]
