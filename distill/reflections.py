"""Reflections: the teacher continues failed rollouts that zoomed, without seeing their answer or the correct one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from distill.items import EpisodeJob
from videozoomer.protocol import Prompts
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.model import DistillSettings


def reflection_jobs(
    items: Iterable[QuestionItem],
    failed_rows: Iterable[Mapping[str, Any]],
    settings: DistillSettings,
    prompts: Prompts,
    *,
    temperature: float = 1.0,
) -> Iterator[EpisodeJob]:
    """`settings.reflections` episodes for each failed row, of at most `reflect_per_question` rows a question.

    `failed_rows` are rows of `trajectories` that were graded wrong; those without a zoom, or whose question is not in
    `items`, are skipped. A row without a round left becomes a failed row (`parent_unusable`).
    """
    by_question: dict[str, list[Mapping[str, Any]]] = {}
    for row in failed_rows:
        if row["zooms"] and row["status"] in ("answered", "exhausted"):
            by_question.setdefault(row["question_id"], []).append(row)
    for item in items:
        rows = sorted(by_question.get(item.question_id, ()), key=lambda row: (row["sample"], row["trajectory_id"]))
        for row in rows[: settings.reflect_per_question]:
            for sample, opening in enumerate(chosen_openings(row["trajectory_id"], prompts, settings.reflections)):
                yield EpisodeJob(
                    item, "reflection", sample=sample, temperature=temperature, parent_row=row, opening=opening
                )


def chosen_openings(trajectory_id: str, prompts: Prompts, count: int) -> list[str]:
    """`count` openings for one failed trajectory, distinct as far as there are enough; the same in every run."""
    start = int(hashlib.sha256(trajectory_id.encode()).hexdigest(), 16)
    return [prompts.openings[(start + index) % len(prompts.openings)] for index in range(count)]
