"""Spans of a video that cannot be read, and which of them a time is in: one definition for players and readers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

TOLERANCE_S = 1e-6
"""A time this little before a frame's own still shows that frame; see `videozoomer.video.stream_clock`."""


class Span(Protocol):
    @property
    def start_s(self) -> float: ...

    @property
    def end_s(self) -> float: ...


SpanType = TypeVar("SpanType", bound=Span)


def unreadable_at(spans: Iterable[SpanType], time_s: float) -> SpanType | None:
    """The span that a time is in; its start belongs to it, its end does not. None if it is in none."""
    return next((span for span in spans if span.start_s <= time_s + TOLERANCE_S < span.end_s), None)
