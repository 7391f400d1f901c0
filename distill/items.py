"""An episode to play. Its `QuestionItem` does not contain the correct answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from videozoomer.protocol.question import QuestionItem

Kind = Literal["exemplar", "student", "reflection", "probe", "evaluation", "rollout"]

AUTHORS: dict[str, str] = {
    "exemplar": "teacher",
    "reflection": "teacher",
    "probe": "teacher",
    "student": "student",
    "evaluation": "policy",
    "rollout": "policy",
}
"""The author of the turns of each kind of episode."""


@dataclass(frozen=True, slots=True)
class EpisodeJob:
    item: QuestionItem
    kind: Kind
    sample: int = 0
    temperature: float = 1.0
    max_zooms: int | None = None
    """Fewer zooms than the protocol allows; 0 plays from the overview alone; null means the protocol's limit."""
    parent_row: Mapping[str, Any] | None = None
    """For a reflection: the failed row of table `trajectories`."""
    opening: str | None = None
    """For a reflection: how the teacher is asked to begin."""
