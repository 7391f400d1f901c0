"""Plays evaluation episodes for any player: with zoom, from the overview alone, or blind.

The episodes come from `distill.rollouts`, so students, teachers and trained policies are measured under the same
protocol that made the training data.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.conditions import CONDITIONS, Condition
from eval.metrics import summarise
from filters.grading import grade_rows

if TYPE_CHECKING:
    from distill.items import EpisodeJob
    from distill.rollouts import EpisodeRunner
    from videozoomer.lake.rows import EvaluationRow, GradeRow, TrajectoryRow
    from videozoomer.protocol.question import QuestionColumns, QuestionItem
    from videozoomer.settings.model import EvalSettings


@dataclass(frozen=True, slots=True)
class Evaluated:
    trajectories: list[TrajectoryRow]
    """Rows of table `trajectories`, kind `evaluation`."""
    grades: list[GradeRow]
    """Rows of table `grades`; none for an episode that could not be played."""
    evaluations: list[EvaluationRow]
    """Rows of table `evaluations`."""


def draw(items: Sequence[QuestionItem], limit: int | None, seed: int = 0) -> list[QuestionItem]:
    """Draw at most `limit` questions; the draw depends only on their ids and the seed.

    A smaller limit draws a subset of a larger one, and a new question displaces at most one other, so players
    evaluated with different limits can still be compared on the questions they share.
    """
    ranked = sorted(items, key=lambda item: hashlib.sha256(f"{seed}:{item.question_id}".encode()).digest())
    return ranked if limit is None else ranked[:limit]


def evaluation_jobs(
    items: Sequence[QuestionItem], conditions: Sequence[Condition], *, max_zooms: int, temperature: float
) -> Iterator[EpisodeJob]:
    """One job per question and condition; `max_zooms` is the protocol's.

    Raises:
        ValueError: a condition is unknown, or is `zoom` although the protocol allows no zoom.
    """
    from distill.items import EpisodeJob

    for condition in conditions:
        if condition not in CONDITIONS:
            raise ValueError(f"condition {condition!r} is unknown; choose from {', '.join(CONDITIONS)}")
        if condition == "zoom" and max_zooms < 1:
            raise ValueError(
                "condition 'zoom' needs max_zooms of at least 1; raise protocol.max_zooms or remove 'zoom' from "
                "evaluation.settings"
            )
        for item in items:
            yield EpisodeJob(
                item=dataclasses.replace(item, overview=()) if condition == "blind" else item,
                kind="evaluation",
                temperature=temperature,
                max_zooms=max_zooms if condition == "zoom" else 0,
            )


def evaluate(
    items: Sequence[QuestionItem],
    question_rows: Sequence[QuestionColumns],
    runner: EpisodeRunner,
    *,
    settings: EvalSettings,
) -> Evaluated:
    """Play every question in every condition that the recipe lists, grade the answers and compute the metrics.

    The items carry no right answer. `question_rows` (rows of table `questions`) do, and only grading reads them.
    """
    max_zooms = runner.protocol.max_zooms
    rows = runner.play_all(
        evaluation_jobs(items, settings.settings, max_zooms=max_zooms, temperature=settings.temperature)
    )
    grades = grade_rows(rows, question_rows, settings.grader)
    metrics = summarise(rows, grades, question_rows, resamples=settings.bootstrap, seed=settings.seed)
    return Evaluated(rows, grades, metrics)
