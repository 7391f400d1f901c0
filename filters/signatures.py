"""Finds copies of videos by their signatures: 64-bit perceptual hashes of frames one second apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

PROBES = 24
"""Hashes per video that are looked up in all other videos; only pairs with a match are compared in full."""
NEAR = 10
"""Maximum differing bits between a probe and its match. A quarter of the frames of a low-quality copy are this close,
but only one pair of unrelated pictures in a hundred million, so few unrelated videos match and one match is enough."""
MIN_PICTURES = 4
"""Distinct pictures that two videos must share. A slide shown for minutes is one picture that two talks may share."""
FLAT_BITS = 4
"""A hash with fewer set (or fewer unset) bits belongs to a blank frame, which identifies nothing."""
_CHUNK = 1 << 16
"""Hashes compared with a probe at once."""
_ROWS = 512
"""Rows of the match matrix computed at once."""


@dataclass(frozen=True, slots=True)
class Copy:
    left: str
    right: str
    share: float
    """Share of the shorter video's pictures that the other video shows at the best shift."""
    shift_s: int
    """The right video shows at second i + shift_s what the left one shows at second i."""


@dataclass(frozen=True, slots=True)
class _Index:
    """The informative hashes of many videos in one array."""

    hashes: np.ndarray
    starts: np.ndarray
    """Index of each video's first hash."""
    names: list[str]

    @classmethod
    def of(cls, signatures: Mapping[str, np.ndarray]) -> _Index:
        kept = {name: shown for name, hashes in signatures.items() if len(shown := hashes[~_blank(hashes)])}
        lengths = [len(hashes) for hashes in kept.values()]
        hashes = np.concatenate(list(kept.values())) if kept else np.empty(0, np.uint64)
        return cls(hashes, np.cumsum([0, *lengths[:-1]]) if lengths else np.empty(0, np.int64), list(kept))

    def found(self, probes: np.ndarray, distance: int) -> set[str]:
        """Names of the videos with a hash within `distance` bits of any probe."""
        near = np.zeros(len(self.hashes), bool)
        for at in range(0, len(self.hashes), _CHUNK):
            chunk = self.hashes[at : at + _CHUNK]
            for probe in probes:
                near[at : at + _CHUNK] |= np.bitwise_count(chunk ^ probe) <= distance
        places = np.searchsorted(self.starts, np.flatnonzero(near), side="right") - 1
        return {self.names[place] for place in np.unique(places)}


def find_copies(
    left: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray], *, distance: int, share: float
) -> Iterator[Copy]:
    """Every left and right video where at least `share` of the shorter one appears in the other.

    Each value is a (seconds,) array of uint64. Two frames show the same picture if their hashes differ in at most
    `distance` bits. The pictures must follow in the same order at one constant shift. This finds re-encoded, resized,
    trimmed and shifted copies but no other videos of the same style. It misses copies that were cropped, mirrored or
    played at another speed.

    Cost: each video's `PROBES` hashes are looked up among all hashes of the other side, so the time grows with the
    product of both sides' lengths. Only pairs with a match are compared in full.
    """
    index_left, index_right = _Index.of(left), _Index.of(right)
    near = min(NEAR, distance)
    pairs: set[tuple[str, str]] = set()
    for name in index_left.names:
        pairs |= {(name, other) for other in index_right.found(_probes(left[name]), near)}
    for name in index_right.names:
        pairs |= {(other, name) for other in index_left.found(_probes(right[name]), near)}
    for one, other in sorted(pairs):
        found, shift = _aligned(left[one], right[other], distance)
        if found >= share:
            yield Copy(one, other, found, shift)


def _blank(hashes: np.ndarray) -> np.ndarray:
    bits = np.bitwise_count(hashes)
    return (bits < FLAT_BITS) | (bits > 64 - FLAT_BITS)


def _probes(hashes: np.ndarray) -> np.ndarray:
    """Evenly spaced informative hashes without repeats."""
    shown = hashes[~_blank(hashes)]
    return np.unique(shown[np.linspace(0, len(shown) - 1, PROBES).round().astype(int)])


def _aligned(left: np.ndarray, right: np.ndarray, distance: int) -> tuple[float, int]:
    """The largest share of the shorter video's informative seconds that match at one shift, and that shift."""
    shown = ~_blank(left)
    counts = np.zeros(len(left) + len(right), np.int64)
    for at in range(0, len(left), _ROWS):
        rows, columns = np.nonzero(_same(left[at : at + _ROWS], right, distance) & shown[at : at + _ROWS, None])
        counts += np.bincount(columns - rows - at + len(left), minlength=len(counts))
    shift = int(counts.argmax()) - len(left)
    shorter = min(int(shown.sum()), int((~_blank(right)).sum()))
    first, last = max(0, -shift), min(len(left), len(right) - shift)
    block = left[first:last]
    seconds = np.arange(len(block))
    matched = shown[first:last] & _same(block, right, distance)[seconds, seconds + first + shift]
    if not _enough_pictures(block[matched], distance):
        return 0.0, shift
    return min(1.0, int(counts.max()) / shorter), shift


def _same(left: np.ndarray, right: np.ndarray, distance: int) -> np.ndarray:
    """(left, right) booleans: whether a left frame shows the picture of a right frame or of the one after it.

    If a copy starts between two seconds of the original, each of its frames falls half a second between two others.
    """
    near = np.bitwise_count(left[:, None] ^ right[None, :]) <= distance
    near[:, :-1] |= near[:, 1:]
    return near


def _enough_pictures(hashes: np.ndarray, distance: int) -> bool:
    """Whether the hashes show at least `MIN_PICTURES` distinct pictures."""
    for _ in range(MIN_PICTURES - 1):
        if not len(hashes):
            return False
        hashes = hashes[np.bitwise_count(hashes ^ hashes[0]) > distance]
    return len(hashes) > 0
