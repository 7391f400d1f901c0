"""An episode to play. Its `QuestionItem` does not contain the correct answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from videozoomer.protocol.question import QuestionItem

Kind = Literal["exemplar", "student", "reflection", "probe", "evidence", "evaluation", "rollout"]

AUTHORS: dict[str, str] = {
    "exemplar": "teacher",
    "reflection": "teacher",
    "probe": "teacher",
    "evidence": "teacher",
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
    probe: str | None = None
    """For a probe of evidence: its name, with the zoom that it leaves out. Its item shows the probe's frames."""
    probed_id: str | None = None
    """For a probe of evidence: the trajectory that it is about."""
    frames_alone: bool = False
    """Whether the item's frames are no overview but a few frames from anywhere, and the player is told so."""
