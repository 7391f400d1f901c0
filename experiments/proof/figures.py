"""The proof's figures: metrics of each stage, with intervals over films."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from eval.statistics import estimate
from experiments.proof.play import PlayedQuestion

METRICS: dict[str, Callable[[PlayedQuestion], float | None]] = {
    "accuracy": lambda outcome: float(outcome.correct),
    "hit_rate": lambda outcome: float(any(outcome.hits)),
    "first_zoom_hits": lambda outcome: float(outcome.hits[0]) if outcome.hits else None,
    "recovery": lambda outcome: None if outcome.recovered is None else float(outcome.recovered),
    "zooms": lambda outcome: float(outcome.episode.zooms),
    "frames": lambda outcome: float(outcome.episode.frames_shown),
    "well_formed": lambda outcome: float(outcome.episode.well_formed),
}
"""Metric -> its value for one question; None where it does not apply."""


class Summary(TypedDict):
    """A metric of one stage over all its questions."""

    value: float
    low: float | None
    high: float | None
    """Ends of the 95% interval; None where there are too few films."""
    seeds: dict[int, float]
    """Mean of each seed."""


def per_question(outcomes: Sequence[PlayedQuestion]) -> dict[str, dict]:
    """Question -> its film and metrics. Each stage stores this; the report needs nothing else."""
    return {
        outcome.question.question_id: {"video_id": outcome.question.video_id}
        | {name: score(outcome) for name, score in METRICS.items()}
        for outcome in outcomes
    }


def summary(seeds: Mapping[int, Mapping[str, Mapping]], metric: str) -> Summary | None:
    """Mean over all seeds, its 95% interval (bootstrap over films), and the mean of each seed.

    Values of one question are averaged over seeds before films are resampled.
    """
    values: dict[str, list[float]] = {}
    films: dict[str, str] = {}
    means = {}
    for seed, questions in seeds.items():
        known = {name: row[metric] for name, row in questions.items() if row[metric] is not None}
        if known:
            means[seed] = statistics.fmean(known.values())
        for name, value in known.items():
            values.setdefault(name, []).append(value)
            films[name] = questions[name]["video_id"]
    if not values:
        return None
    found = estimate({name: statistics.fmean(several) for name, several in values.items()}, films)
    if found.value is None:
        return None
    return Summary(value=found.value, low=found.low, high=found.high, seeds=means)
