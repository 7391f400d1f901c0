"""Answers in the requested form (letter, number, yes/no, list), and guesses when nothing was seen."""

from __future__ import annotations

import random
import re

from examples.palette import GLYPH_COLOURS, SHAPES
from examples.teacher.questions import Intent, find_looks
from videozoomer.protocol.options import letter_of


def to_option(value: str, options: tuple[str, ...]) -> str | None:
    """Letter of the option with the same meaning, or None."""
    wanted = _plain(value)
    for index, option in enumerate(options):
        if _plain(option) == wanted:
            return letter_of(index)
    looks = find_looks(value.lower())
    for index, option in enumerate(options):
        if looks and find_looks(option.lower()) == looks:
            return letter_of(index)
    number = _number(value)
    if number is not None:
        near = [
            (abs(other - number), index)
            for index, option in enumerate(options)
            if (other := _number(option)) is not None
        ]
        if near:
            return letter_of(min(near)[1])
    return None


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", " ", text.lower()).strip(" .")


def _number(text: str) -> float | None:
    found = re.fullmatch(r"\D{0,3}(\d+(?:\.\d+)?)\D{0,10}", text.strip())
    return float(found[1]) if found else None


def guess(intent: Intent, options: tuple[str, ...], how: str, middle_s: float, rng: random.Random) -> str:
    """A plausible guess; a letter if there are options."""
    if options:
        return letter_of(rng.randrange(len(options)))
    if intent.kind in ("exists_event", "exists_scene", "before_event") or "yes or no" in how:
        return rng.choice(("yes", "no"))
    if intent.kind == "order_events" and intent.glyphs:
        names = [name for name, _ in intent.glyphs]
        rng.shuffle(names)
        return ", ".join(names)
    if intent.kind in ("when_event", "when_scene") or "time in seconds" in how:
        return f"{middle_s:.1f}"
    if intent.kind in ("count_events", "count_scenes"):
        return str(rng.choice((1, 2, 2, 3, 3, 4)))
    if intent.kind == "digit" or "number" in how:
        return str(rng.randrange(10))
    if intent.kind == "colour":
        return rng.choice(tuple(GLYPH_COLOURS))
    return (
        rng.choice(SHAPES)
        if intent.kind in ("shape", "stays", "after_event")
        else rng.choice(("yes", "no", "it cannot be seen"))
    )
