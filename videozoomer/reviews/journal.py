"""Appends decisions so that none is lost: each process writes a partition of its own, which nobody else replaces."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from videozoomer.lake.lake import Lake
from videozoomer.reviews.contents import contents
from videozoomer.reviews.current import answers, read
from videozoomer.reviews.review import Review, ReviewError

ROWS = 200
"""Of a partition; then the journal begins another, so that a decision never costs more than this many rows."""
STEP = timedelta(microseconds=1)


class Journal:
    """One writer of reviews. Threads may share it; each process has its own."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._guard = threading.Lock()
        self._rows: list[dict[str, Any]] = []
        self._partition = ""
        self._last = datetime.min.replace(tzinfo=UTC)

    def decide(self, who: str, subject: str, key: str, decision: str, value: str | None, seen: str | None) -> Review:
        """Record a decision about what exists now. `seen` is the content that the person saw, where it is known.

        Raises:
            ReviewError: it is no decision, its subject does not exist, or it has changed since the person saw it.
        """
        with self._guard:
            self._last = max(datetime.now(UTC), self._last + STEP)
            at = self._last.isoformat(timespec="microseconds")
            values = {"subject": subject, "key": key, "decision": decision, "value": value, "who": who, "at": at}
            review = validated({**values, "content": seen or "unknown"})
            corrected = answers(read(self._lake)) if subject == "question" else {}
            now = contents(self._lake, {subject: [key]}, corrected).get((subject, key))
            if now is None:
                raise ReviewError(f"there is no {subject} {key}")
            if seen is not None and seen != now:
                raise ReviewError(f"the {subject} has changed since the page was loaded; load it again")
            review = review.model_copy(update={"content": now})
            self._append([review])
            return review

    def add(self, reviews: Iterable[Review]) -> int:
        """Record decisions from elsewhere as they are, without those that are known; return how many were new."""
        with self._guard:
            known = set(read(self._lake))
            new = [review for review in dict.fromkeys(reviews) if review not in known]
            for start in range(0, len(new), ROWS):
                self._append(new[start : start + ROWS])
            return len(new)

    def _append(self, reviews: list[Review]) -> None:
        if not self._partition or len(self._rows) + len(reviews) > ROWS:
            self._partition, self._rows = f"r{uuid.uuid4().hex[:16]}", []
        rows = [*self._rows, *(review.model_dump() for review in reviews)]
        self._lake.write("reviews", rows, self._partition)
        self._rows = rows


def validated(values: Mapping[str, Any]) -> Review:
    """A decision from its fields.

    Raises:
        ReviewError: one of them is missing or wrong.
    """
    try:
        return Review.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ReviewError(f"{place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}") from error
