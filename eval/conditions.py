"""The three conditions in which a player is measured, and which of them a stored trajectory was played in.

Recipes list them as `evaluation.settings`; table `evaluations` names them in its column `setting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Condition = Literal["zoom", "overview", "blind"]
CONDITIONS: dict[Condition, str] = {
    "zoom": "the full protocol, zooms allowed",
    "overview": "the overview alone, no zoom allowed",
    "blind": "no frames at all, only the question",
}
"""Condition -> what the player gets."""


def condition_of(row: Mapping[str, Any]) -> Condition:
    """The condition in which a row of table `trajectories` was played."""
    if row["max_zooms"] > 0:
        return "zoom"
    return "overview" if row["frames_shown"] else "blind"
