"""Evidence: the windows of a video in which the answer is seen, and whether the player looked there.

The only definition in the project. Grading, RL rewards, harvest, the proof and the viewer call it; the rules in SQL use
`filters/queries/functions.sql`, which takes `EDGE_S` from here and is tested against these functions.

- A window is closed, and each edge reaches `EDGE_S` further, because containers round presentation times.
- A hit is a frame that the player saw inside a window. Asking for a segment over the window is not enough: at a slow
  rate it may show nothing of a brief event.
- Only a zoom that returned frames counts as a look.
- Where no evidence is known, every function here returns None: there is nothing to hit or to miss. Where it is known
  and no zoom looked at anything, the hit is False and the best IoU is 0.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from videozoomer.lake.rows import TurnRow, WindowRow

EDGE_S = 0.001
"""Tolerance at both edges of a window: the coarsest containers round presentation times to a millisecond."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the video, in seconds: evidence, or the segment of a zoom."""

    start_s: float
    end_s: float

    def covers(self, time_s: float) -> bool:
        return self.start_s - EDGE_S <= time_s <= self.end_s + EDGE_S


@dataclass(frozen=True, slots=True)
class Look:
    """A zoom that returned frames."""

    segment: Window
    times_s: tuple[float, ...]


def windows_of(rows: Iterable[WindowRow] | None) -> tuple[Window, ...]:
    """Column `evidence` of a question as windows; empty where nothing is known."""
    return tuple(Window(row["start_s"], row["end_s"]) for row in rows or ())


def looks_of(turns: Iterable[TurnRow]) -> tuple[Look, ...]:
    """Column `turns` of a trajectory as looks; `Episode.looks` gives the same for an episode in memory."""
    return tuple(
        Look(Window(turn["start_s"], turn["end_s"]), tuple(turn["frame_times_s"]))
        for turn in turns
        if turn["frame_times_s"] and turn["start_s"] is not None and turn["end_s"] is not None
    )


def hits(times_s: Iterable[float], windows: Sequence[Window]) -> bool | None:
    """Whether at least one frame is inside at least one window; None where there is no window."""
    if not windows:
        return None
    return any(window.covers(time_s) for time_s in times_s for window in windows)


def hits_every_window(times_s: Sequence[float], windows: Sequence[Window]) -> bool | None:
    """Whether every window holds at least one frame, such as of the overview; None where there is no window."""
    if not windows:
        return None
    return all(any(window.covers(time_s) for time_s in times_s) for window in windows)


def looks_hit(looks: Iterable[Look], windows: Sequence[Window]) -> bool | None:
    """Whether a frame of at least one zoom is inside at least one window; None where there is no window."""
    return hits((time_s for look in looks for time_s in look.times_s), windows)


def iou(segment: Window, window: Window) -> float:
    """Intersection over union, without tolerance; 0.0 where both are the same single moment."""
    shared_s = min(segment.end_s, window.end_s) - max(segment.start_s, window.start_s)
    union_s = max(segment.end_s, window.end_s) - min(segment.start_s, window.start_s)
    return max(shared_s, 0.0) / union_s if union_s > 0 else 0.0


def best_iou(looks: Iterable[Look], windows: Sequence[Window]) -> float | None:
    """Best IoU of one zoom's segment with one window; None where there is no window, 0.0 where there is no zoom."""
    if not windows:
        return None
    return max((iou(look.segment, window) for look in looks for window in windows), default=0.0)


def joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The windows in order, those that overlap or touch as one."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda window: (window.start_s, window.end_s)):
        if found and window.start_s <= found[-1].end_s + EDGE_S:
            found[-1] = Window(found[-1].start_s, max(found[-1].end_s, window.end_s))
        else:
            found.append(window)
    return tuple(found)
