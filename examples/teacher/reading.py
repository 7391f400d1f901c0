"""From frames to events: what appeared, when, in which colour. The reader errs where seeing is hard."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from examples.teacher.conversation import Look


@dataclass(frozen=True, slots=True)
class Seen:
    """A glyph followed through neighbouring frames."""

    name: str
    colour: str
    start_s: float
    """First frame that shows it."""
    end_s: float
    """Last frame that shows it."""
    before_s: float | None
    """Last frame before it, or None where the first frame shows it already."""
    frames: int
    clear: bool
    """Whether it was easy to see."""


@dataclass(frozen=True, slots=True)
class Temper:
    """How unsure the model is at a temperature, and where its luck comes from."""

    temperature: float
    seed: int

    @property
    def unsteadiness(self) -> float:
        """Factor on every chance of a lapse: some remain at temperature 0, as habits do."""
        return 0.45 + 0.55 * min(self.temperature, 1.6)

    def luck(self, *what: object) -> random.Random:
        """The same luck for the same things: at temperature 0 the seed plays no part."""
        parts = [*what, None if self.temperature == 0 else self.seed]
        data = b"\0".join(part if isinstance(part, bytes) else repr(part).encode() for part in parts)
        return random.Random(hashlib.sha1(data).digest())

    def slips(self, chance: float, *what: object) -> bool:
        return self.luck("slip", *what).random() < chance * self.unsteadiness


def read_events(looks: Sequence[Look], temper: Temper, salt: bytes) -> list[Seen]:
    """Events in order of time. `looks` are frames of one scene, in order; `salt` makes one episode's luck its own."""
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
        event = _read(group, earlier, temper, salt)
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


def _read(group: list[Look], earlier: Look | None, temper: Temper, salt: bytes) -> Seen | None:
    """What a group shows, misread at times; None when it is overlooked."""
    glyphs = [look.sight.glyph for look in group if look.sight.glyph]
    best = max(glyphs, key=lambda glyph: glyph.contrast * glyph.size)
    moves = len(glyphs) > 1 and max(abs(one.x - two.x) for one in glyphs for two in glyphs) > 40
    dark = sum(look.sight.light for look in group) / len(group) < 62
    trouble = 2.0 * (best.contrast < 30) + 1.0 * dark + 1.0 * (best.size < 32) + 0.8 * moves + 0.5 * (len(group) == 1)
    key = group[0].key + salt
    if temper.slips(0.03 + 0.05 * trouble, "overlooked", key):
        return None
    names: dict[str, float] = {}
    for glyph in glyphs:
        for name, likeness in glyph.names:
            names[name] = names.get(name, 0.0) + max(0.0, likeness) ** 4
    ranked = sorted(names, key=lambda name: -names[name])
    alike = names[ranked[1]] / names[ranked[0]] if len(ranked) > 1 else 0.0
    luck = temper.luck("rival", key)
    name, colour = ranked[0], best.colours[0][0]
    if len(ranked) > 1 and temper.slips(0.035 + 0.06 * trouble + 0.15 * alike**2, "shape", key):
        name = luck.choices(ranked[1:], [names[other] for other in ranked[1:]])[0]
    if len(best.colours) > 1 and temper.slips(0.03 + 0.06 * trouble, "colour", key):
        colour = best.colours[1][0]
    return Seen(
        name, colour, group[0].time_s, group[-1].time_s, earlier.time_s if earlier else None, len(group), trouble < 1
    )
