"""Finding copies of videos by their signatures: 64-bit perceptual hashes of frames one second apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

PROBES = 24
"""Hashes of a video that are looked up in all others before two videos are compared in full."""
NEAR = 10
"""Bits in which a probe and what it finds may differ. Of a copy at low quality a quarter of the frames come so near, of
unrelated pictures one pair in a hundred million: strict enough to leave few videos, and one find among them is enough."""
MIN_PICTURES = 4
"""Different pictures that two videos must share. A still slide that lasts for minutes is one picture, however often
it is counted, and two talks may share it."""
FLAT_BITS = 4
"""A hash with fewer bits set or unset is that of a blank frame, which says nothing."""
_CHUNK = 1 << 16
_ROWS = 512


@dataclass(frozen=True, slots=True)
class Copy:
    left: str
    right: str
    share: float
    """Share of the shorter video's pictures that the other shows at one and the same shift."""
    shift_s: int
    """Seconds by which the right video is ahead: its second i + shift shows what the left one shows at i."""


@dataclass(frozen=True, slots=True)
class _Index:
    """All informative hashes of many videos, end to end."""

    hashes: np.ndarray
    starts: np.ndarray
    names: list[str]

    @classmethod
    def of(cls, signatures: Mapping[str, np.ndarray]) -> _Index:
        kept = {name: told for name, hashes in signatures.items() if len(told := hashes[~_blank(hashes)])}
        lengths = [len(hashes) for hashes in kept.values()]
        hashes = np.concatenate(list(kept.values())) if kept else np.empty(0, np.uint64)
        return cls(hashes, np.cumsum([0, *lengths[:-1]]) if lengths else np.empty(0, np.int64), list(kept))

    def found(self, probes: np.ndarray, distance: int) -> set[str]:
        """Names of the videos that show any of the probes."""
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
    """Every pair of a left and a right video of which the shorter is shown, for at least `share`, by the other.

    Each value is a (seconds,) array of uint64. Two frames are the same picture when their hashes differ in at most
    `distance` bits. The seconds must follow each other as in the other video, at one shift, so a re-encoded, resized,
    trimmed or shifted copy is found, and another video of the same style is not. A copy that was cropped, mirrored or
    played at another speed is not found.

    Cost: each video's `PROBES` hashes are looked up in all hashes of the other side, and only pairs with a find are
    compared in full. 9,000 left and 1,000 right made-up signatures of ten minutes took 216 s of one CPU core; it grows
    with the product of both sides' lengths, and each pair with a find adds 1.7 ms (600 seconds a side).
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
    """Evenly spaced informative hashes, each once."""
    told = hashes[~_blank(hashes)]
    return np.unique(told[np.linspace(0, len(told) - 1, PROBES).round().astype(int)])


def _aligned(left: np.ndarray, right: np.ndarray, distance: int) -> tuple[float, int]:
    """Best share of the shorter video's informative seconds that match at one shift, and that shift."""
    told = ~_blank(left)
    counts = np.zeros(len(left) + len(right), np.int64)
    for at in range(0, len(left), _ROWS):
        rows, columns = np.nonzero(_same(left[at : at + _ROWS], right, distance) & told[at : at + _ROWS, None])
        counts += np.bincount(columns - rows - at + len(left), minlength=len(counts))
    shift = int(counts.argmax()) - len(left)
    shorter = min(int(told.sum()), int((~_blank(right)).sum()))
    first, last = max(0, -shift), min(len(left), len(right) - shift)
    block = left[first:last]
    matched = (
        told[first:last] & _same(block, right, distance)[np.arange(len(block)), np.arange(len(block)) + first + shift]
    )
    if not _several(block[matched], distance):
        return 0.0, shift
    return min(1.0, int(counts.max()) / shorter), shift


def _same(left: np.ndarray, right: np.ndarray, distance: int) -> np.ndarray:
    """(left, right) whether a left second is the right one or the next after it.

    A copy that starts between two seconds of the original has its pictures half a second off.
    """
    near = np.bitwise_count(left[:, None] ^ right[None, :]) <= distance
    near[:, :-1] |= near[:, 1:]
    return near


def _several(hashes: np.ndarray, distance: int) -> bool:
    """Whether at least `MIN_PICTURES` of the hashes differ from each other."""
    for _ in range(MIN_PICTURES - 1):
        if not len(hashes):
            return False
        hashes = hashes[np.bitwise_count(hashes ^ hashes[0]) > distance]
    return len(hashes) > 0
