"""Decides where to look next: the scene in question, how much of it was seen, the next segment to zoom into."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from examples.teacher.conversation import Conversation, Look
from examples.teacher.reading import ErrorModel
from examples.teacher.timeline import Span, likeness

_DENSE_FPS = 1.9
"""Rate at which a zoom catches most brief events."""
_SMALLEST_GAP_S = 0.6


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment to zoom into."""

    start_s: float
    end_s: float
    fps: float


@dataclass(frozen=True, slots=True)
class Target:
    span: Span
    wrong: bool = False
    """Whether the frames fit the description badly."""
    noticed: Span | None = None
    """The scene zoomed into by mistake, if this turn corrects it."""


def overlap_s(start_s: float, end_s: float, other_start_s: float, other_end_s: float) -> float:
    return max(0.0, min(end_s, other_end_s) - max(start_s, other_start_s))


def choose_target(
    chat: Conversation, spans: Sequence[Span], look: tuple[str, str], errors: ErrorModel, *, careful: bool
) -> Target | None:
    """The scene that fits `look`. A first confusion with another scene persists until noticed."""
    best = max(spans, key=lambda span: span.match(look), default=None)
    if best is None or best.match(look) < 0.05:
        return None
    if chat.zooms:
        zooms = [attempt.zoom for attempt in chat.zooms if attempt.zoom]
        if any(overlap_s(zoom.start_s, zoom.end_s, best.first_s - 0.2, best.last_s + 0.2) > 0.5 for zoom in zooms):
            return Target(best)
        last = zooms[-1]
        current = max(spans, key=lambda span: overlap_s(last.start_s, last.end_s, span.low_s, span.high_s))
        if current is best or current.match(look) > 0.5 * best.match(look):
            return Target(current)
        if careful or errors.rng("notice", chat.digest).random() > 0.75:
            return Target(best, noticed=current)
        return Target(current, wrong=True)
    others = [span for span in spans if span.look != best.look]
    if others:
        weights = [likeness(span.look, best.look) ** 1.5 + 0.02 for span in others]
        chance = 0.17 + 0.2 * max(likeness(span.look, best.look) for span in others) ** 2
        if not careful and errors.errs(chance, "scene", chat.opening):
            picked = errors.rng("which scene", chat.opening).choices(others, weights)[0]
            return Target(picked, wrong=True)
    return Target(best)


def looks_of(chat: Conversation, span: Span) -> list[Look]:
    """All frames seen of a scene, in order, without neighbours and transitions."""
    return [
        look
        for look in chat.looks
        if span.low_s <= look.time_s <= span.high_s and not look.sight.blank and look.sight.match(*span.look) > 0.2
    ]


def bounds(chat: Conversation, span: Span) -> tuple[float, float]:
    """The time range of the scene, as far as the frames seen determine it."""
    low_s, high_s = span.low_s, span.high_s
    for look in chat.looks:
        if look.sight.match(*span.look) < 0.2:
            if low_s < look.time_s < span.first_s:
                low_s = look.time_s
            elif span.last_s < look.time_s < high_s:
                high_s = look.time_s
    return low_s, high_s


def gaps(chat: Conversation, span: Span) -> list[tuple[float, float]]:
    """Parts of the scene no zoom has covered. Sparse zooms do not count beside dense ones."""
    low_s, high_s = bounds(chat, span)
    within = [
        attempt
        for attempt in chat.zooms
        if attempt.zoom and overlap_s(attempt.zoom.start_s, attempt.zoom.end_s, low_s, high_s) > 0
    ]
    fastest = max((attempt.zoom.fps for attempt in within if attempt.zoom), default=0.0)
    least = min(_DENSE_FPS, 0.6 * fastest)
    seen = sorted(
        (attempt.looks[0].time_s, attempt.looks[-1].time_s + 1 / attempt.zoom.fps)
        for attempt in within
        if attempt.zoom and attempt.zoom.fps >= least
    )
    found, at = [], low_s
    for start_s, end_s in seen:
        if start_s - at > _SMALLEST_GAP_S:
            found.append((at, start_s))
        at = max(at, end_s)
    if high_s - at > _SMALLEST_GAP_S:
        found.append((at, high_s))
    return found


def fastest_in(chat: Conversation, span: Span) -> float:
    """Highest rate of the zooms into the scene; 0 without any."""
    return max(
        (
            a.zoom.fps
            for a in chat.zooms
            if a.zoom and overlap_s(a.zoom.start_s, a.zoom.end_s, span.first_s, span.last_s) > 0
        ),
        default=0.0,
    )


def segment(start_s: float, end_s: float, fps: float, budget: int, limit_s: float) -> Segment:
    """A segment from `start_s`, as long as the budget allows, with round numbers."""
    fps = max(0.1, math.floor(fps * 10 + 1e-6) / 10)
    start_s = max(0.0, math.floor(start_s * 10 + 1e-6) / 10)
    end_s = min(end_s, limit_s, start_s + budget / fps)
    end_s = math.floor(end_s * 10 + 1e-6) / 10
    if end_s - start_s < 0.2:
        start_s, end_s = max(0.0, min(start_s, limit_s - 1)), min(limit_s, max(start_s, limit_s - 1) + 1)
    return Segment(round(start_s, 2), round(end_s, 2), fps)


def pace(chat: Conversation, span: Span, errors: ErrorModel, *, careful: bool, patient: bool) -> float:
    """Rate in fps at which to search a scene; `patient` if all of it must be seen."""
    low_s, high_s = bounds(chat, span)
    length_s = max(0.5, high_s - low_s)
    used = fastest_in(chat, span)
    left = max(1, chat.may_zoom)
    if used and not careful:
        return used
    wanted = 2.0 if careful else errors.rng("pace", chat.opening).choices((1.0, 1.5, 2.0, 3.0), (20, 16, 50, 14))[0]
    if careful and used >= _DENSE_FPS:
        wanted = min(6.0, used * 1.7)
    elif not careful and errors.errs(0.2 if patient else 0.14, "hasty", chat.opening):
        wanted = chat.budget / length_s
    return max(0.3, min(wanted, chat.budget * left / length_s if patient else wanted))
