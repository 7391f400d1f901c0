"""A question as players see it, and an episode that is to be played. Neither holds the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from videozoomer.protocol import FrameRef, Task

Kind = Literal["exemplar", "student", "reflection", "probe", "evaluation", "rollout"]

AUTHORS: dict[str, str] = {
    "exemplar": "teacher",
    "reflection": "teacher",
    "probe": "teacher",
    "student": "student",
    "evaluation": "policy",
    "rollout": "policy",
}
"""Who writes the turns of each kind of episode."""


@dataclass(frozen=True, slots=True)
class QuestionItem:
    question_id: str
    video_id: str
    video_uri: str
    batch: str
    question: str
    options: tuple[str, ...]
    answer_type: str
    duration_s: float
    overview: tuple[FrameRef, ...]

    @property
    def task(self) -> Task:
        return Task(self.question, self.options, self.answer_type, self.duration_s)


@dataclass(frozen=True, slots=True)
class EpisodeJob:
    item: QuestionItem
    kind: Kind
    sample: int = 0
    temperature: float = 1.0
    max_zooms: int | None = None
    """Fewer zooms than the protocol allows; 0 plays the overview alone; null takes the protocol's."""
    parent_row: dict | None = None
    """For a reflection: the failed row of table `trajectories`."""
    opening: str | None = None
    """For a reflection: the way in which the teacher is asked to begin."""
