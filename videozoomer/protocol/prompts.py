"""Prompt texts, one folder per version. A version that has been used is never edited; add a new one instead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

JUDGE_VERSION = "2"
"""Raised when the judge's texts change; part of the name of the judge in table `grades`."""
FOLDER = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class Prompts:
    version: str
    system: str
    """System text that explains the protocol; fields: `{overview_frames}`, `{zoom_frames}`, `{max_zooms}`."""
    question: str
    """Follows the overview; fields: `{question}`, `{options}`, `{duration}`, `{how}`."""
    no_zoom: str
    """System text if no zoom is allowed."""
    frames_alone: str
    """System text of a probe that shows a few frames without any overview."""
    go_on: str
    """Follows a tool answer; field: `{left}` zooms."""
    last_round: str
    """Follows the last tool answer."""
    fault: str
    """Sent instead of frames; field: `{fault}`."""
    reflect: str
    """Asks a teacher to correct a failed zoom without showing the right answer; field: `{opening}`."""
    openings: tuple[str, ...]
    """First sentences of a reflection. Each reflection gets one at random, so that none becomes a habit."""
    judge: str
    """Asks a judge to compare two answers; fields: `{question}`, `{expected}`, `{given}`. The answers are filled in as
    JSON strings, so that nothing in one can end it. No player sees the judge's texts; JUDGE_VERSION numbers them."""
    judge_again: str
    """The same in other words and from another side, for a second vote."""


@cache
def load_prompts(version: str = "v1") -> Prompts:
    """Read the texts of a version.

    Raises:
        FileNotFoundError: the version does not exist; the message lists those that do.
    """
    folder = FOLDER / version
    if not folder.is_dir():
        known = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
        raise FileNotFoundError(f"there are no prompts of version {version!r}; choose one of {known}")
    read = {path.stem: path.read_text().strip("\n") for path in folder.glob("*.txt")}
    openings = tuple(line for line in read.pop("openings").splitlines() if line.strip())
    return Prompts(version=version, openings=openings, **read)
