"""Metrics over graded evaluation episodes: a value, its interval, and the number of questions behind it.

A question that could not be played or judged is *unknown*: it is left out of the value and counted separately. An
episode that used up its rounds without an answer is not unknown: the player had its chance, so it counts as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.conditions import Condition, condition_of
from eval.statistics import estimate

if TYPE_CHECKING:
    from videozoomer.lake.rows import EvaluationRow, GradeRow, TrajectoryRow
    from videozoomer.protocol.question import QuestionColumns

ALL = "all"


@dataclass(frozen=True, slots=True)
class QuestionScores:
    """One question played in one condition, its samples averaged."""

    question_id: str
    video_id: str
    topic: str | None
    scores: Mapping[str, float | None]
    """Metric -> mean over the samples; None if unknown."""


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    meaning: str
    score: Callable[[TrajectoryRow, GradeRow | None], float | None]
    """(trajectory row, its grade row or None if ungraded) -> the value, or None if unknown."""
    conditions: tuple[Condition, ...] = ("zoom", "overview", "blind")
    within: tuple[float, float] = (0.0, 1.0)
    """Range of possible values."""
    applies: Callable[[QuestionColumns], bool] = lambda question: True
    """Whether the metric is defined for a question row; if not, the question does not count as unknown either."""


def _accuracy(trajectory: TrajectoryRow, grade: GradeRow | None) -> float | None:
    if trajectory["status"] == "failed":
        return None
    if trajectory["status"] == "exhausted":
        return 0.0
    if grade is None or grade["verdict"] == "unknown":
        return None
    return float(grade["verdict"] == "correct")


def _hit(trajectory: TrajectoryRow, grade: GradeRow | None) -> float | None:
    if trajectory["status"] == "failed" or grade is None or grade["hit"] is None:
        return None
    return float(grade["hit"])


def _if_played(value: Callable[[TrajectoryRow], float]) -> Callable[[TrajectoryRow, GradeRow | None], float | None]:
    return lambda trajectory, grade: None if trajectory["status"] == "failed" else float(value(trajectory))


METRICS: tuple[Metric, ...] = (
    Metric("accuracy", "share of questions answered correctly; running out of rounds counts as wrong", _accuracy),
    Metric(
        "hit_rate",
        "share of questions with known evidence for which a zoom returned a frame inside the evidence",
        _hit,
        conditions=("zoom",),
        applies=lambda question: bool(question["evidence"]),
    ),
    Metric(
        "zooms",
        "zooms per question that returned frames",
        _if_played(lambda row: row["zooms"]),
        conditions=("zoom",),
        within=(0.0, math.inf),
    ),
    Metric(
        "zoomed",
        "share of questions for which the player zoomed at least once",
        _if_played(lambda row: row["zooms"] > 0),
        conditions=("zoom",),
    ),
    Metric(
        "frames",
        "frames shown per question, overview and zooms together",
        _if_played(lambda row: row["frames_shown"]),
        within=(0.0, math.inf),
    ),
    Metric(
        "well_formed",
        "share of episodes that followed the format exactly",
        _if_played(lambda row: row["well_formed"]),
    ),
    Metric(
        "unanswered",
        "share of questions for which the rounds ran out before an answer",
        _if_played(lambda row: row["status"] == "exhausted"),
    ),
)
GAIN = "accuracy_gain"
"""Accuracy with zoom minus accuracy from the overview alone, over the questions known in both; condition `zoom`."""
MEANINGS: dict[str, str] = {metric.name: metric.meaning for metric in METRICS} | {
    GAIN: "accuracy with zoom minus accuracy from the overview alone, over the questions known in both conditions"
}
"""Metric -> what it measures."""
BY_TOPIC = ("accuracy", "hit_rate", GAIN)
"""Metrics that are also reported by topic."""


def summarise(
    trajectories: Iterable[TrajectoryRow],
    grades: Iterable[GradeRow],
    questions: Iterable[QuestionColumns],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> list[EvaluationRow]:
    """Rows of table `evaluations` for every player and condition among the rows of kind `evaluation`.

    Raises:
        ValueError: the question of a trajectory is missing from `questions`.
    """
    by_question = {row["question_id"]: row for row in questions}
    by_trajectory = {row["trajectory_id"]: row for row in grades}
    groups: dict[tuple[str, str], list[TrajectoryRow]] = {}
    for row in trajectories:
        if row["kind"] != "evaluation":
            continue
        if row["question_id"] not in by_question:
            raise ValueError(
                f"trajectory {row['trajectory_id']} answers question {row['question_id']}, which is not among the "
                "given questions; pass the rows of table `questions` for every question that was played"
            )
        groups.setdefault((row["player"], condition_of(row)), []).append(row)
    played = {key: _scores(rows, by_trajectory, by_question) for key, rows in groups.items()}
    out: list[EvaluationRow] = []
    for (player, condition), items in sorted(played.items()):
        for metric in METRICS:
            if condition in metric.conditions:
                applicable = [item for item in items if metric.applies(by_question[item.question_id])]
                out += _rows(player, condition, metric.name, applicable, metric.within, resamples, seed)
        if condition == "zoom" and (player, "overview") in played:
            out += _rows(
                player, condition, GAIN, _gains(items, played[player, "overview"]), (-1.0, 1.0), resamples, seed
            )
    return out


def _scores(
    rows: Sequence[TrajectoryRow], grades: Mapping[str, GradeRow], questions: Mapping[str, QuestionColumns]
) -> list[QuestionScores]:
    by_question: dict[str, list[TrajectoryRow]] = {}
    for row in rows:
        by_question.setdefault(row["question_id"], []).append(row)
    return [
        QuestionScores(
            question_id,
            samples[0]["video_id"],
            questions[question_id]["topic"],
            {
                metric.name: _mean([metric.score(row, grades.get(row["trajectory_id"])) for row in samples])
                for metric in METRICS
            },
        )
        for question_id, samples in sorted(by_question.items())
    ]


def _gains(zoomed: Sequence[QuestionScores], overview: Sequence[QuestionScores]) -> list[QuestionScores]:
    """Differences paired by question, over the questions played in both conditions."""
    without = {item.question_id: item.scores["accuracy"] for item in overview}
    out = []
    for item in zoomed:
        if item.question_id in without:
            after, before = item.scores["accuracy"], without[item.question_id]
            gain = None if after is None or before is None else after - before
            out.append(QuestionScores(item.question_id, item.video_id, item.topic, {GAIN: gain}))
    return out


def _rows(
    player: str,
    condition: str,
    metric: str,
    items: Sequence[QuestionScores],
    within: tuple[float, float],
    resamples: int,
    seed: int,
) -> list[EvaluationRow]:
    slices: dict[str, list[QuestionScores]] = {ALL: list(items)} if items else {}
    if metric in BY_TOPIC:
        for item in items:
            if item.topic:
                slices.setdefault(f"topic {ALL}" if item.topic == ALL else item.topic, []).append(item)
    rows: list[EvaluationRow] = []
    for name, members in slices.items():
        found = estimate(
            {item.question_id: item.scores[metric] for item in members},
            {item.question_id: item.video_id for item in members},
            resamples=resamples,
            seed=seed,
            within=within,
        )
        rows.append(
            {
                "player": player,
                "setting": condition,
                "metric": metric,
                "slice": name,
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "questions": found.questions,
                "unknown": found.unknown,
            }
        )
    return rows


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
