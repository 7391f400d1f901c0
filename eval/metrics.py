"""Figures over graded evaluation episodes: one number, its interval, and how many questions it rests on.

A question that could not be played or judged is *unknown*: left out of the value and counted beside it. An episode
that used up its rounds without an answer is not unknown: the player had its chance, so the answer counts as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from eval.bootstrap import estimate
from eval.settings import setting_of

ALL = "all"


@dataclass(frozen=True, slots=True)
class Played:
    """One question in one setting: what each of its episodes scored, as a mean over samples; None where unknown."""

    question_id: str
    video_id: str
    topic: str | None
    scores: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    meaning: str
    score: Callable[[dict, dict | None], float | None]
    """Of a trajectory row and its grade row (None where ungraded): the value, or None where it is not known."""
    settings: tuple[str, ...] = ("zoom", "overview", "blind")
    within: tuple[float, float] = (0.0, 1.0)
    """The range that it can have."""
    applies: Callable[[dict], bool] = lambda question: True
    """Whether a question row can have this figure at all; others are not even counted as unknown."""


def _accuracy(trajectory: dict, grade: dict | None) -> float | None:
    if trajectory["status"] == "failed":
        return None
    if trajectory["status"] == "exhausted":
        return 0.0
    if grade is None or grade["verdict"] == "unknown":
        return None
    return float(grade["verdict"] == "correct")


def _hit(trajectory: dict, grade: dict | None) -> float | None:
    if trajectory["status"] == "failed" or grade is None or grade["hit"] is None:
        return None
    return float(grade["hit"])


def _of_played(value: Callable[[dict], float]) -> Callable[[dict, dict | None], float | None]:
    return lambda trajectory, grade: None if trajectory["status"] == "failed" else float(value(trajectory))


METRICS: tuple[Metric, ...] = (
    Metric("accuracy", "share of questions answered rightly; running out of rounds counts as wrong", _accuracy),
    Metric(
        "hit_rate",
        "share of questions, of those with known evidence, for which a zoom returned a frame inside it",
        _hit,
        settings=("zoom",),
        applies=lambda question: bool(question["evidence"]),
    ),
    Metric(
        "zooms",
        "zooms that returned frames, per question",
        _of_played(lambda row: row["zooms"]),
        settings=("zoom",),
        within=(0.0, math.inf),
    ),
    Metric(
        "zoomed",
        "share of questions for which the player zoomed at all",
        _of_played(lambda row: row["zooms"] > 0),
        settings=("zoom",),
    ),
    Metric(
        "frames",
        "frames shown per question, overview and zooms",
        _of_played(lambda row: row["frames_shown"]),
        within=(0.0, math.inf),
    ),
    Metric(
        "well_formed",
        "share of episodes that kept to the format to the letter",
        _of_played(lambda row: row["well_formed"]),
    ),
    Metric(
        "unanswered",
        "share of questions for which the rounds were used up without an answer",
        _of_played(lambda row: row["status"] == "exhausted"),
    ),
)
GAIN = "accuracy_gain"
"""Accuracy with zoom less accuracy from the overview alone, over the questions known in both; setting `zoom`."""
MEANINGS: dict[str, str] = {metric.name: metric.meaning for metric in METRICS} | {
    GAIN: "accuracy with zoom less accuracy from the overview alone, over the questions known in both settings"
}
"""Metric -> what it says."""
BY_TOPIC = ("accuracy", "hit_rate", GAIN)
"""Metrics that are also broken down by topic."""


def summarise(
    trajectories: Iterable[dict],
    grades: Iterable[dict],
    questions: Iterable[dict],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> list[dict]:
    """Rows of table `evaluations`, for every player and setting among the rows of kind `evaluation`.

    Raises:
        ValueError: a trajectory is about a question that is not among `questions`.
    """
    by_question = {row["question_id"]: row for row in questions}
    by_trajectory = {row["trajectory_id"]: row for row in grades}
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in trajectories:
        if row["kind"] != "evaluation":
            continue
        if row["question_id"] not in by_question:
            raise ValueError(
                f"trajectory {row['trajectory_id']} answers question {row['question_id']}, which is not among the "
                "questions given; pass the rows of table `questions` that were played"
            )
        groups.setdefault((row["player"], setting_of(row)), []).append(row)
    played = {key: _played(rows, by_trajectory, by_question) for key, rows in groups.items()}
    out: list[dict] = []
    for (player, setting), items in sorted(played.items()):
        for metric in METRICS:
            if setting in metric.settings:
                applicable = [item for item in items if metric.applies(by_question[item.question_id])]
                out += _rows(player, setting, metric.name, applicable, metric.within, resamples, seed)
        if setting == "zoom" and (player, "overview") in played:
            out += _rows(player, setting, GAIN, _gains(items, played[player, "overview"]), (-1.0, 1.0), resamples, seed)
    return out


def _played(rows: Sequence[dict], grades: Mapping[str, dict], questions: Mapping[str, dict]) -> list[Played]:
    by_question: dict[str, list[dict]] = {}
    for row in rows:
        by_question.setdefault(row["question_id"], []).append(row)
    return [
        Played(
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


def _gains(zoomed: Sequence[Played], overview: Sequence[Played]) -> list[Played]:
    """Paired by question; only questions played in both settings take part."""
    without = {item.question_id: item.scores["accuracy"] for item in overview}
    out = []
    for item in zoomed:
        if item.question_id in without:
            after, before = item.scores["accuracy"], without[item.question_id]
            gain = None if after is None or before is None else after - before
            out.append(Played(item.question_id, item.video_id, item.topic, {GAIN: gain}))
    return out


def _rows(
    player: str,
    setting: str,
    metric: str,
    items: Sequence[Played],
    within: tuple[float, float],
    resamples: int,
    seed: int,
) -> list[dict]:
    slices: dict[str, list[Played]] = {ALL: list(items)} if items else {}
    if metric in BY_TOPIC:
        for item in items:
            if item.topic:
                slices.setdefault(f"topic {ALL}" if item.topic == ALL else item.topic, []).append(item)
    rows = []
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
                "setting": setting,
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
