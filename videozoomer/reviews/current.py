"""What applies now: the latest decision of each slot, if its content is still the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from videozoomer.lake.lake import Lake
from videozoomer.reviews.contents import contents
from videozoomer.reviews.review import DECISIONS, Review


@dataclass(frozen=True, slots=True)
class Current:
    review: Review
    stale: bool
    """Whether its content has changed since, or is gone: it no longer applies."""


def read(lake: Lake) -> list[Review]:
    """Every decision ever recorded, in the order of time; one that was imported twice is one."""
    rows = {Review.model_construct(**row): None for row in lake.read("reviews").to_dicts()}
    return sorted(rows, key=lambda review: (review.at, review.who, review.subject, review.key, review.decision))


def latest(reviews: Iterable[Review]) -> list[Review]:
    """The last decision of each slot, without those that only take back an earlier one."""
    last: dict[tuple[str, str, str], Review] = {}
    for review in reviews:
        if review.decision in DECISIONS.get(review.subject, {}):
            last[review.subject, review.key, review.slot] = review
    return [
        review
        for review in last.values()
        if review.decision not in ("clear", "untag") and not (review.decision == "note" and not review.value)
    ]


def current(
    lake: Lake, reviews: Iterable[Review] | None = None, known: dict[tuple[str, str], str | None] | None = None
) -> list[Current]:
    """The last decision of each slot, each with whether it still applies.

    `known` are contents by subject and key that were found before (None: it is gone); what is missing there is added.
    """
    every = read(lake) if reviews is None else list(reviews)
    last = latest(every)
    known = {} if known is None else known
    keys: dict[str, set[str]] = {}
    for review in last:
        if (review.subject, review.key) not in known:
            keys.setdefault(review.subject, set()).add(review.key)
    known.update({(subject, key): None for subject, found in keys.items() for key in found})
    known.update(contents(lake, keys, answers(every)))
    return [Current(review, known[review.subject, review.key] != review.content) for review in last]


def answers(reviews: Iterable[Review]) -> dict[str, list[str]]:
    """Question -> the values of all its corrected keys: the table may still have an earlier one."""
    found: dict[str, list[str]] = {}
    for review in reviews:
        if review.decision == "answer" and review.value:
            found.setdefault(review.key, []).append(review.value)
    return found


def applying(lake: Lake) -> list[Review]:
    """The decisions to obey."""
    return [one.review for one in current(lake) if not one.stale]


def digest(lake: Lake, decisions: Mapping[str, tuple[str, ...]]) -> str | None:
    """Hash of the last decisions of these kinds, by subject; None while there are none, as in homes without reviews."""
    chosen = [
        (review.subject, review.key, review.decision, review.value, review.content)
        for review in latest(read(lake))
        if review.decision in decisions.get(review.subject, ())
    ]
    text = json.dumps(sorted(chosen, key=str), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16] if chosen else None


def pair_decisions(lake: Lake) -> dict[str, Literal["confirm", "refuse"]]:
    """Id of a pair of a leak -> `confirm` or `refuse`."""
    named: dict[str, Literal["confirm", "refuse"]] = {"leak": "confirm", "no_leak": "refuse"}
    return {
        review.key: named[review.decision]
        for review in latest(read(lake))
        if review.subject == "pair" and review.decision in named
    }


def corrections(lake: Lake) -> dict[str, Review]:
    """Question -> its corrected key, whether its content still fits or not."""
    return {review.key: review for review in latest(read(lake)) if review.decision == "answer"}
