"""The pairs of films that are copies, or so near to it that a person should look."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from filters.copies.align import NEAR, Match, align
from filters.copies.film import Film
from filters.copies.index import candidates

VERDICT_EVIDENCE, VERDICT_SHARE, VERDICT_S = 30.0, 0.7, 2.5
"""What a copy has at least: evidence, share of the shorter film, and seconds in common."""
LISTED_EVIDENCE, LISTED_SHARE = 18.0, 0.5
"""What a pair has at least that a person should look at."""

Status = Literal["verdict", "listed", "confirmed", "refused"]
Decision = Literal["confirm", "refuse"]


@dataclass(frozen=True, slots=True)
class Copy:
    left: str
    right: str
    match: Match


def find_copies(
    left: Sequence[Film], right: Sequence[Film], *, share: float = LISTED_SHARE, near: int = NEAR
) -> list[Copy]:
    """Every left and right film that are alike enough to be listed, sorted by their ids.

    Two films with the same id are skipped. The result for a pair does not depend on the other films. `share` is the
    least share of the shorter film, `near` the most differing bits of two hashes that show the same, up to NEAR.
    """
    found = candidates(left, right, near=near)
    pairs = sorted(pair for pair in found if left[pair[0]].film_id != right[pair[1]].film_id)

    def compared(pair: tuple[int, int]) -> Match | None:
        return align(left[pair[0]], right[pair[1]], tuple(found[pair]), near)

    # Comparing is numpy on large arrays, which releases the GIL.
    with ThreadPoolExecutor() as threads:
        matches = list(threads.map(compared, pairs))
    copies = [
        Copy(left[one].film_id, right[other].film_id, match)
        for (one, other), match in zip(pairs, matches, strict=True)
        if match is not None and match.evidence >= LISTED_EVIDENCE and match.share >= share
    ]
    return sorted(copies, key=lambda copy: (copy.left, copy.right))


def status_of(evidence: float, share: float, length_s: float, decision: Decision | None = None) -> Status:
    """What a listed pair is; a person's decision counts before ours."""
    if decision is not None:
        return "confirmed" if decision == "confirm" else "refused"
    certain = evidence >= VERDICT_EVIDENCE and share >= VERDICT_SHARE and length_s >= VERDICT_S
    return "verdict" if certain else "listed"
