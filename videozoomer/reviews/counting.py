"""Counts for cards and reports: decisions of each kind, and the precision of the kept set by blind judgements."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

from videozoomer.lake.lake import Lake
from videozoomer.reviews.current import current, read


def summary(lake: Lake) -> dict[str, Any]:
    """Empty without reviews. `decisions` counts those that apply; `precision` is there if some were judged blindly."""
    reviews = read(lake)
    if not reviews:
        return {}
    now = current(lake, reviews)
    counts = Counter(f"{one.review.subject} {one.review.decision}" for one in now if not one.stale)
    found: dict[str, Any] = {
        "recorded": len(reviews),
        "reviewers": len({review.who for review in reviews}),
        "decisions": dict(sorted(counts.items())),
        "stale": sum(one.stale for one in now),
    }
    judged = {one.review.key: one.review.value for one in now if one.review.decision == "judged" and not one.stale}
    if precision := _precision(lake, judged):
        found["precision"] = precision
    return found


def _precision(lake: Lake, judged: dict[str, str | None]) -> dict[str, Any] | None:
    """Share of good ones among the kept trajectories that were judged good or bad, with its 95% Wilson interval."""
    from scipy.stats import binomtest

    if not judged:
        return None
    rows = lake.scan("verdicts", columns=["trajectory_id", "outcome"]).filter(pl.col("outcome") == "kept")
    kept = rows.filter(pl.col("trajectory_id").is_in(sorted(judged))).collect()["trajectory_id"]
    values = Counter(judged[name] for name in kept)
    good, decided = values["good"], values["good"] + values["bad"]
    if not decided:
        return None
    interval = binomtest(good, decided).proportion_ci(0.95, method="wilson")
    return {
        "good": good,
        "bad": values["bad"],
        "unsure": values["unsure"],
        "value": round(good / decided, 4),
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
    }


def sentence(precision: dict[str, Any]) -> str:
    """The precision as a person reads it."""
    decided = precision["good"] + precision["bad"]
    unsure = f"; {precision['unsure']} more could not be decided" if precision["unsure"] else ""
    return (
        f"{precision['good']} of {decided} kept trajectories that people judged without seeing verdicts are good: "
        f"{precision['value']:.1%} (95% interval {precision['low']:.1%} to {precision['high']:.1%}){unsure}"
    )
