"""Prompt texts, one folder a version; a version that has been used is never edited, a new one is added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class Prompts:
    version: str
    system: str
    """Explains the protocol; fields: `{overview_frames}`, `{zoom_frames}`, `{max_zooms}`."""
    question: str
    """Follows the overview; fields: `{question}`, `{options}`, `{duration}`, `{how}`."""
    no_zoom: str
    """System text where no zoom is allowed."""
    go_on: str
    """After a tool answer; field: `{left}` zooms."""
    last_round: str
    """After the last tool answer."""
    fault: str
    """Instead of frames; field: `{fault}`."""
    reflect: str
    """Asks a teacher to repair a failed zoom; never shows the right answer; field: `{opening}`."""
    openings: tuple[str, ...]
    """Ways to begin a reflection; one is drawn for each, so that none becomes a habit."""
    judge: str
    """Asks a judge to compare two answers; fields: `{question}`, `{expected}`, `{given}`."""


@cache
def load_prompts(version: str = "v1") -> Prompts:
    """Read a version's texts.

    Raises:
        FileNotFoundError: there is no such version; the message lists those there are.
    """
    folder = FOLDER / version
    if not folder.is_dir():
        known = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
        raise FileNotFoundError(f"no prompts of version {version!r}; there are {known}")
    read = {path.stem: path.read_text().strip("\n") for path in folder.glob("*.txt")}
    openings = tuple(line for line in read.pop("openings").splitlines() if line.strip())
    return Prompts(version=version, openings=openings, **read)
