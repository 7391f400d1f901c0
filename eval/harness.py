"""Plays evaluation episodes: any player, with zoom, from the overview alone, or blind.

The episodes are those of `distill.rollouts`, so a student, a teacher and a trained policy are measured by exactly the
protocol that made the training data.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eval.metrics import summarise
from eval.settings import SETTINGS, Setting
from filters.grading import grade_rows

if TYPE_CHECKING:
    from distill.items import EpisodeJob, QuestionItem
    from distill.player import Player
    from distill.storage.frames import FrameStore
    from videozoomer.protocol import Prompts, Protocol
    from videozoomer.settings import EvalSettings


@dataclass(frozen=True, slots=True)
class Evaluated:
    trajectories: list[dict]
    """Rows of table `trajectories`, kind `evaluation`."""
    grades: list[dict]
    """Rows of table `grades`; none for an episode that could not be played."""
    evaluations: list[dict]
    """Rows of table `evaluations`."""


def draw(items: Sequence[QuestionItem], limit: int | None, seed: int = 0) -> list[QuestionItem]:
    """At most `limit` questions, by a draw that depends on ids and seed alone.

    A smaller limit gives a subset of a larger one, and a new question moves at most one other out, so players that
    are given different limits can still be compared on the questions they share.
    """
    ranked = sorted(items, key=lambda item: hashlib.sha256(f"{seed}:{item.question_id}".encode()).digest())
    return ranked if limit is None else ranked[:limit]


def evaluation_jobs(
    items: Sequence[QuestionItem], settings: Sequence[Setting], *, max_zooms: int, temperature: float
) -> Iterator[EpisodeJob]:
    """One job for each question and setting; `max_zooms` is the protocol's.

    Raises:
        ValueError: a setting is unknown, or `zoom` is asked for though the protocol allows no zoom.
    """
    from distill.items import EpisodeJob

    for setting in settings:
        if setting not in SETTINGS:
            raise ValueError(f"setting {setting!r} is unknown; there are {', '.join(SETTINGS)}")
        if setting == "zoom" and max_zooms < 1:
            raise ValueError("setting 'zoom' needs a protocol with max_zooms of at least 1; leave the setting out")
        for item in items:
            yield EpisodeJob(
                item=dataclasses.replace(item, overview=()) if setting == "blind" else item,
                kind="evaluation",
                temperature=temperature,
                max_zooms=max_zooms if setting == "zoom" else 0,
            )


def evaluate(
    items: Sequence[QuestionItem],
    question_rows: Sequence[dict],
    player: Player,
    frames_at: Callable[[str, Sequence[float]], list],
    store: FrameStore,
    protocol: Protocol,
    prompts: Prompts,
    *,
    settings: EvalSettings,
    grade: Callable[[Iterable[dict], Iterable[dict]], list[dict]] = grade_rows,
    concurrency: int = 8,
    on_done: Callable[[dict], Any] | None = None,
) -> Evaluated:
    """Play every question in every setting of the recipe, grade the answers, and sum up.

    The items hold no truth; `question_rows` (rows of table `questions`) do, and are used only for grading.
    `on_done` is called with each finished trajectory row.
    """
    from distill.rollouts import play_all

    jobs = list(
        evaluation_jobs(items, settings.settings, max_zooms=protocol.max_zooms, temperature=settings.temperature)
    )
    rows = play_all(jobs, player, frames_at, store, protocol, prompts, concurrency=concurrency, on_done=on_done)
    grades = grade(rows, question_rows)
    return Evaluated(
        rows, grades, summarise(rows, grades, question_rows, resamples=settings.bootstrap, seed=settings.seed)
    )
