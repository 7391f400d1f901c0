"""Scenes of imagined films for `benchmarks.good_voices`: what is asked, what is seen and what was unclear at first."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Scene:
    question: str
    answer: str
    """The right option's text, or the open answer."""
    others: tuple[str, ...]
    """Wrong options; empty for an open question."""
    subject: str
    fact: str
    """A clause that holds in the close look."""
    vague: str
    """A clause about what the overview shows."""
    kind: str


@dataclass(frozen=True, slots=True)
class Tongue:
    """Scenes in another language, and ways to speak of each."""

    name: str
    scenes: tuple[Scene, ...]
    ways: tuple[tuple[str, str], ...]
    """Thought before the zoom and last thought, with fields such as `{vague}` and `{fact}`."""


def english_scenes() -> tuple[Scene, ...]:
    return _scenes(tomllib.loads((FOLDER / "good_scenes.toml").read_text())["scenes"])


def tongues() -> tuple[Tongue, ...]:
    listed = tomllib.loads((FOLDER / "good_tongues.toml").read_text())["tongue"]
    return tuple(
        Tongue(one["name"], _scenes(one["scenes"]), tuple((first, last) for first, last in one["ways"]))
        for one in listed
    )


def _scenes(listed: Iterable[Mapping[str, Any]]) -> tuple[Scene, ...]:
    return tuple(Scene(**{**one, "others": tuple(one["others"])}) for one in listed)
