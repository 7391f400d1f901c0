"""From frames to events: what appeared, when, in which colour. Errs where recognition is hard."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from examples.teacher.conversation import Look


@dataclass(frozen=True, slots=True)
class Seen:
    """A glyph tracked through neighbouring frames."""

    name: str
    colour: str
    start_s: float
    """First frame that shows it."""
    end_s: float
    """Last frame that shows it."""
    before_s: float | None
    """Last frame before it; None if the first frame already shows it."""
    frames: int
    clear: bool
    """Whether it was easy to recognise."""


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """Error rates at a temperature, and the random generators behind them."""

    temperature: float
    seed: int

    @property
    def scale(self) -> float:
        """Factor on every error rate; some errors remain at temperature 0."""
        return 0.45 + 0.55 * min(self.temperature, 1.6)

    def rng(self, *what: object) -> random.Random:
        """A generator seeded by its arguments; at temperature 0 the seed has no effect."""
        parts = [*what, None if self.temperature == 0 else self.seed]
        data = b"\0".join(part if isinstance(part, bytes) else repr(part).encode() for part in parts)
        return random.Random(hashlib.sha1(data).digest())

    def errs(self, chance: float, *what: object) -> bool:
        return self.rng("slip", *what).random() < chance * self.scale


def read_events(looks: Sequence[Look], errors: ErrorModel, salt: bytes) -> list[Seen]:
    """Events by time. `looks` are frames of one scene, in order; `salt` varies the errors between episodes."""
    groups: list[list[Look]] = []
    before: list[Look | None] = []
    last: Look | None = None
    for look in looks:
        if look.sight.glyph is not None and not look.sight.blank:
            if groups and groups[-1][-1] is last and _continues(groups[-1][-1], look):
                groups[-1].append(look)
            else:
                groups.append([look])
                before.append(last)
        last = look
    seen = []
    for group, earlier in zip(groups, before, strict=True):
        event = _read(group, earlier, errors, salt)
        if event is not None:
            seen.append(event)
    return seen


def _continues(one: Look, two: Look) -> bool:
    """Whether two neighbouring frames show the same glyph."""
    gap_s = two.time_s - one.time_s
    first, second = one.sight.glyph, two.sight.glyph
    assert first and second
    if gap_s < 1e-3:
        return True
    same = first.names[0][0] == second.names[0][0] and first.colours[0][0] == second.colours[0][0]
    near = math.hypot(first.x - second.x, first.y - second.y) < 14 + 150 * gap_s
    return gap_s < 1.6 and near and (same or gap_s < 0.3)


def _read(group: list[Look], earlier: Look | None, errors: ErrorModel, salt: bytes) -> Seen | None:
    """What a group of frames shows, sometimes misread; None if overlooked."""
    glyphs = [look.sight.glyph for look in group if look.sight.glyph]
    best = max(glyphs, key=lambda glyph: glyph.contrast * glyph.size)
    moves = len(glyphs) > 1 and max(abs(one.x - two.x) for one in glyphs for two in glyphs) > 40
    dark = sum(look.sight.light for look in group) / len(group) < 62
    trouble = 2.0 * (best.contrast < 30) + 1.0 * dark + 1.0 * (best.size < 32) + 0.8 * moves + 0.5 * (len(group) == 1)
    key = group[0].key + salt
    if errors.errs(0.03 + 0.05 * trouble, "overlooked", key):
        return None
    names: dict[str, float] = {}
    for glyph in glyphs:
        for name, likeness in glyph.names:
            names[name] = names.get(name, 0.0) + max(0.0, likeness) ** 4
    ranked = sorted(names, key=lambda name: -names[name])
    alike = names[ranked[1]] / names[ranked[0]] if len(ranked) > 1 else 0.0
    rng = errors.rng("rival", key)
    name, colour = ranked[0], best.colours[0][0]
    if len(ranked) > 1 and errors.errs(0.035 + 0.06 * trouble + 0.15 * alike**2, "shape", key):
        name = rng.choices(ranked[1:], [names[other] for other in ranked[1:]])[0]
    if len(best.colours) > 1 and errors.errs(0.03 + 0.06 * trouble, "colour", key):
        colour = best.colours[1][0]
    return Seen(
        name, colour, group[0].time_s, group[-1].time_s, earlier.time_s if earlier else None, len(group), trouble < 1
    )
