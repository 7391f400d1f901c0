"""Concludes an answer from the events seen, or None while it is undecided."""

from __future__ import annotations

from collections.abc import Sequence

from examples.teacher.questions import Intent
from examples.teacher.reading import Seen

ALL_NEEDED = ("count_events", "order_events", "before_event")
"""Kinds that require the whole scene, unless everything named has been seen."""


def patient(intent: Intent) -> bool:
    return intent.kind in ALL_NEEDED or intent.ordinal == "last" or intent.kind == "exists_event"


def conclude(intent: Intent, events: Sequence[Seen], complete: bool) -> str | None:
    """The answer in words; `complete` means the whole scene was seen."""
    kind = intent.kind
    if kind in ("shape", "digit", "colour", "stays"):
        return _one_thing(intent, events, complete)
    if kind == "when_event":
        found = _matching(intent.glyphs[0], events)
        return f"{_onset(found[0]):.1f}" if found else None
    if kind == "count_events":
        if not complete:
            return None
        wanted = intent.glyphs[0] if intent.plural and intent.glyphs else ("", "")
        return (
            str(len([event for event in events if wanted[0] in ("", event.name) and wanted[1] in ("", event.colour)]))
            if events
            else None
        )
    if kind == "order_events":
        return _order(intent, events, complete)
    if kind == "before_event":
        one, two = (_matching(glyph, events) for glyph in intent.glyphs[:2])
        if one and two:
            return "yes" if one[0].start_s < two[0].start_s else "no"
        return None
    if kind == "after_event":
        for place, event in enumerate(events[:-1]):
            if event.name == intent.glyphs[0][0]:
                return events[place + 1].name
        return None
    if kind == "exists_event":
        if _matching(intent.glyphs[0], events, strict=True):
            return "yes"
        return "no" if complete else None
    return None


def _one_thing(intent: Intent, events: Sequence[Seen], complete: bool) -> str | None:
    if intent.kind == "stays":
        return max(events, key=lambda event: event.end_s - event.start_s).name if events else None
    pool = list(events)
    if intent.kind == "digit":
        pool = [event for event in pool if event.name.isdigit()]
    elif intent.kind == "shape":
        pool = [event for event in pool if not event.name.isdigit()] or pool
    elif intent.glyphs:
        pool = _matching(intent.glyphs[0], pool) or pool
    if not pool or (intent.ordinal == "last" and not complete):
        return None
    event = pool[-1 if intent.ordinal == "last" else 0]
    return event.colour if intent.kind == "colour" else event.name


def _matching(glyph: tuple[str, str], events: Sequence[Seen], *, strict: bool = False) -> list[Seen]:
    """Events with that name, and that colour if one is given and present."""
    name, colour = glyph
    named = [event for event in events if event.name == name]
    exact = [event for event in named if colour in ("", event.colour)]
    return exact if exact or strict else named


def _onset(event: Seen) -> float:
    """When it began: halfway between the last frame without it and the first with it, if those are close."""
    if event.before_s is None or event.start_s - event.before_s > 1.5:
        return event.start_s
    return (event.before_s + event.start_s) / 2


def _order(intent: Intent, events: Sequence[Seen], complete: bool) -> str | None:
    first: dict[str, float] = {}
    for event in events:
        first.setdefault(event.name, event.start_s)
    names = [name for name, _ in intent.glyphs]
    missing = [name for name in names if name not in first]
    if not names or (missing and not complete) or len(missing) > 1:
        return None
    return ", ".join([*sorted((name for name in names if name in first), key=first.__getitem__), *missing])
