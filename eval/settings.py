"""The three ways in which a player is measured, and how a stored trajectory tells which one it was."""

from __future__ import annotations

from typing import Literal

Setting = Literal["zoom", "overview", "blind"]
SETTINGS: dict[str, str] = {
    "zoom": "the protocol as it is",
    "overview": "no zoom allowed: the overview alone",
    "blind": "no frame at all: what the question gives away by itself",
}
"""Setting -> what the player gets."""


def setting_of(row: dict) -> Setting:
    """The setting in which a row of table `trajectories` was played."""
    if row["max_zooms"] > 0:
        return "zoom"
    return "overview" if row["frames_shown"] else "blind"
