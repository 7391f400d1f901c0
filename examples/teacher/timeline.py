"""The scenes of a video according to its overview, and how well each fits a description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples.teacher.conversation import Look

_NEAR_COLOURS = {
    frozenset(pair)
    for pair in (
        ("teal", "green"),
        ("teal", "blue"),
        ("orange", "yellow"),
        ("red", "orange"),
        ("purple", "blue"),
        ("purple", "pink"),
        ("red", "pink"),
    )
}
_NEAR_TEXTURES = {
    frozenset(pair)
    for pair in (
        ("bricks", "grid"),
        ("waves", "horizontal"),
        ("dots", "checks"),
        ("grid", "checks"),
        ("diagonal", "vertical"),
    )
}


@dataclass(frozen=True, slots=True)
class Span:
    """A run of overview frames that look alike."""

    look: tuple[str, str]
    first_s: float
    last_s: float
    low_s: float
    """The scene begins after this time: the frame before it shows something else."""
    high_s: float
    """The scene ends before this time."""
    looks: tuple[Look, ...]

    def match(self, look: tuple[str, str]) -> float:
        """How well the frames fit a named look, 0 to 1."""
        return sum(one.sight.match(*look) for one in self.looks) / len(self.looks)


def find_spans(overview: Sequence[Look], end_s: float) -> list[Span]:
    """Scenes by time. Black frames, and single frames that fit nothing well, belong to transitions."""
    runs: list[list[Look]] = []
    shown = [look for look in overview if not look.sight.blank]
    for look in shown:
        if runs and runs[-1][-1].sight.look == look.sight.look:
            runs[-1].append(look)
        else:
            runs.append([look])
    clear = [run for run in runs if len(run) > 1 or max(run[0].sight.colours) * max(run[0].sight.textures) > 0.8]
    kept: list[list[Look]] = []
    for run in clear or runs:
        if kept and kept[-1][-1].sight.look == run[0].sight.look and run[0].time_s - kept[-1][-1].time_s < 13:
            kept[-1].extend(run)
        else:
            kept.append(list(run))
    spans = []
    for index, run in enumerate(kept):
        low_s = kept[index - 1][-1].time_s if index else 0.0
        high_s = kept[index + 1][0].time_s if index + 1 < len(kept) else end_s
        spans.append(Span(run[0].sight.look, run[0].time_s, run[-1].time_s, low_s, high_s, tuple(run)))
    return spans


def likeness(one: tuple[str, str], two: tuple[str, str]) -> float:
    """How easily two looks are confused, 0 to 1."""
    colour = 1.0 if one[0] == two[0] else 0.6 if frozenset((one[0], two[0])) in _NEAR_COLOURS else 0.12
    texture = 1.0 if one[1] == two[1] else 0.6 if frozenset((one[1], two[1])) in _NEAR_TEXTURES else 0.2
    return colour * texture
