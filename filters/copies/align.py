"""Compares two films in full: at which shift and speed do they show the same, and how much does that prove?

Hits are pairs of pictures whose hashes differ in at most NEAR bits. Those of a copy lie on one line over the times of
both films. The evidence is the sum, over distinct pictures on the line, of the logarithm of one over the chance that
the picture is hit at all; that chance is how often it is hit away from the line. So a picture that is everywhere in
the other film (a fixed camera, a template, a test card) proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.copies.film import KINDS, PAIRS, Film
from videozoomer.video.hashing import RATE_HZ, mirror_mask

NEAR = 15
"""Differing bits of 64 up to which two hashes show the same. Those of unrelated pictures differ in 31.8 +- 4.1."""
BASE_CHANCE = {
    "pictures": np.array([5e-6] * 13 + [1e-5, 2e-5, 4e-5]),
    "motions": np.array([5e-6] * 10 + [1e-5, 3e-5, 5e-5, 1e-4, 2e-4, 4e-4]),
}
"""Least chance that two unrelated pictures differ in 0, 1, ... NEAR bits or fewer: twice what was measured over 6.7
million pairs of pictures of real films, and no less than these can show."""
DISTINCT = 12
"""Differing bits from which two pictures of one film count twice."""
MOST_PICTURES = 40
"""Distinct pictures that are counted; more prove nothing further."""
RARE = 0.05
"""Chance above which a picture is too common to be part of a match."""
TOLERANCE_S = 0.26
BESIDE_S = 2.0
BRIDGED_S = 3.0
"""Time without a hit that is still part of the match."""
SPEEDS = tuple(
    sorted({1.0, 24 / 25, 25 / 24, 25 * 1001 / 24000, 24000 / 25025} | {round(0.8 + 0.01 * i, 2) for i in range(46)})
)
"""Speeds tried, of the right film against the left; a line between two of them is fitted."""
OTHER_SPEED = 4.0
"""Evidence that another speed than 1 costs: the logarithm of how many are tried."""
_CELLS = 1 << 22
"""Pairs of pictures compared at once."""
_VOTES = 20_000
"""Hits that vote; of more, evenly spaced ones do."""
_MOST_CELLS = 1 << 26
"""Pairs of pictures compared of two films; of longer ones, fewer of the left film's pictures vote."""


@dataclass(frozen=True, slots=True)
class Match:
    """What two films have in common."""

    evidence: float
    """Natural logarithm of how much likelier the hits are in a copy than by chance."""
    share: float
    """Share of the shorter film's time that the other one shows."""
    length_s: float
    """Seconds of it."""
    shift_s: float
    """The right film shows at `shift_s + speed * t` what the left one shows at t."""
    speed: float
    """Above 1, the left film plays faster."""
    left_track: str
    right_track: str
    mirrored: bool
    basis: str
    """Which hash proves most: `pictures` or `motions`."""


def align(left: Film, right: Film, pairs: tuple[tuple[str, str, bool], ...] = PAIRS, near: int = NEAR) -> Match | None:
    """The best match over tracks and mirrored; None if nothing is shown by both."""
    near = min(near, NEAR)
    shorter_s = min(left.length_s, right.length_s)
    best: Match | None = None
    if not shorter_s:
        return best
    for left_track, right_track, mirrored in pairs:
        if left_track in left.tracks and right_track in right.tracks:
            found = _along_tracks(left, right, left_track, right_track, mirrored, shorter_s, near)
            if found and (best is None or _rank(found) > _rank(best)):
                best = found
    return best


def _rank(match: Match) -> tuple[float, float]:
    return min(match.evidence, 40.0) * match.share, match.evidence


def _along_tracks(
    left: Film, right: Film, left_track: str, right_track: str, mirrored: bool, shorter_s: float, near: int
) -> Match | None:
    ones, others = left.tracks[left_track], right.tracks[right_track]
    mask = mirror_mask() if mirrored else np.uint64(0)
    shown = {kind: (getattr(ones, kind), _unmirrored(getattr(others, kind), mask)) for kind in KINDS}
    hits = {kind: _hits(*shown[kind], near) for kind in KINDS}
    lengths = len(ones.pictures), len(others.pictures)
    lines = {line for kind in KINDS if (line := _vote(hits[kind])) is not None}
    best: Match | None = None
    for speed, shift in lines:
        evidence, seconds = dict.fromkeys(KINDS, 0.0), []
        for kind in KINDS:
            evidence[kind], on = _prove(*shown[kind], hits[kind], speed, shift, near, BASE_CHANCE[kind])
            seconds.append(on)
        length_s = _covered(np.unique(np.concatenate(seconds))) / RATE_HZ
        if lengths[1] < lengths[0]:
            length_s *= speed
        basis = max(KINDS, key=lambda kind: evidence[kind])
        match = Match(
            evidence[basis],
            min(1.0, length_s / shorter_s),
            length_s,
            shift / RATE_HZ,
            speed,
            left_track,
            right_track,
            mirrored,
            basis,
        )
        if evidence[basis] and (best is None or _rank(match) > _rank(best)):
            best = match
    return best


@dataclass(frozen=True, slots=True)
class _Hits:
    """Pictures that are near each other: positions in the left and in the right film, and the differing bits."""

    rows: np.ndarray
    columns: np.ndarray
    bits: np.ndarray
    compared: np.ndarray
    """Positions in the left film that were compared: all that are not blank, or evenly spaced ones."""


def _unmirrored(hashes: np.ndarray, mask: np.uint64) -> np.ndarray:
    return np.where(hashes == 0, hashes, hashes ^ mask) if mask else hashes


def _hits(left: np.ndarray, right: np.ndarray, near: int) -> _Hits:
    rows = np.flatnonzero(left)
    columns = np.flatnonzero(right)
    if not len(rows) or not len(columns):
        return _Hits(rows[:0], columns[:0], np.empty(0, np.uint8), rows)
    step = -(-len(rows) * len(columns) // _MOST_CELLS)
    rows = rows[::step]
    wanted = right[columns]
    found = []
    height = max(1, _CELLS // len(columns))
    for at in range(0, len(rows), height):
        differing = np.bitwise_count(left[rows[at : at + height], None] ^ wanted[None, :]).ravel()
        flat = np.flatnonzero(differing <= near)
        found.append((rows[at + flat // len(columns)], columns[flat % len(columns)], differing[flat]))
    near_rows, near_columns, bits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return _Hits(near_rows, near_columns, bits, rows)


def _vote(hits: _Hits) -> tuple[float, float] | None:
    """Speed and shift (in pictures) of the line through most hits, each weighed by how rare its pictures' hits are."""
    rows, columns = hits.rows, hits.columns
    if not len(rows):
        return None
    weights = 1.0 / np.sqrt(np.bincount(rows)[rows] * np.bincount(columns)[columns].astype(float))
    if len(rows) > _VOTES:
        some = np.linspace(0, len(rows) - 1, _VOTES).astype(int)
        rows, columns, weights = rows[some], columns[some], weights[some]
    best = (0.0, 1.0, 0.0)
    for speed in SPEEDS:
        shifts = np.rint(columns - speed * rows).astype(int)
        lowest = int(shifts.min())
        votes = np.bincount(shifts - lowest, weights)
        # A line crosses the grid of pictures between them, so its hits fall on two neighbouring shifts.
        pairs = np.convolve(votes, [0.5, 1.0, 0.5], "same")
        at = int(pairs.argmax())
        preferred = float(pairs[at]) * (1.02 if speed == 1.0 else 1.0)
        if preferred > best[0]:
            best = preferred, speed, float(at + lowest)
    _, speed, shift = best
    return _refined(rows, columns, weights, speed, shift)


def _refined(
    rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, speed: float, shift: float
) -> tuple[float, float]:
    """The line fitted to the hits near it, in three steps that come closer."""
    for reach in (4.0, 2.0, 1.2):
        near = np.abs(columns - speed * rows - shift) <= reach
        if np.ptp(rows[near]) < 2 * RATE_HZ if near.any() else True:
            return speed, shift
        if speed == 1.0:
            shift = float(np.average(columns[near] - rows[near], weights=weights[near]))
            continue
        slope, offset = np.polyfit(rows[near], columns[near], 1, w=weights[near])
        if not SPEEDS[0] - 0.01 <= slope <= SPEEDS[-1] + 0.01:
            return speed, shift
        speed, shift = float(slope), float(offset)
    return speed, shift


def _prove(
    left: np.ndarray, right: np.ndarray, hits: _Hits, speed: float, shift: float, near: int, base: np.ndarray
) -> tuple[float, np.ndarray]:
    """Evidence of the hits along a line, and the left pictures that are hit there and are not too common."""
    here, there, found = _on_line(left, right, speed, shift, near)
    if not len(here):
        return 0.0, here
    rows, columns, bits = hits.rows, hits.columns, hits.bits.astype(np.int64)
    # Pictures just beside the line show the same shot; they are neither for nor against it.
    outside = np.abs(columns - speed * rows - shift) > BESIDE_S * RATE_HZ
    rows, columns, bits = rows[outside], columns[outside], bits[outside]
    beside = int(2 * BESIDE_S * RATE_HZ)
    # Of the left film, perhaps not all pictures were compared: the nearest one that was stands for those around it.
    compared = hits.compared
    asked = compared[np.clip(np.searchsorted(compared, here), 0, len(compared) - 1)]
    lefts = max(1, round((len(left) - beside) * len(compared) / max(1, int(np.count_nonzero(left)))))
    rights = max(1, len(right) - beside)
    chance = np.maximum.reduce(
        [
            base[found],
            # How often anything is hit this nearly, this left picture, and the right one, which a fixed camera repeats.
            np.cumsum(np.bincount(bits, minlength=NEAR + 1))[found] / (lefts * rights),
            _as_near(rows, bits, asked, found, len(left)) / rights,
            _as_near(columns, bits, there, found, len(right)) / lefts,
        ]
    )
    here, chance = here[chance <= RARE], chance[chance <= RARE]
    evidence, counted = 0.0, np.empty(0, np.uint64)
    for hit in np.argsort(chance, kind="stable"):
        if len(counted) == MOST_PICTURES:
            break
        hashed = left[here[hit]]
        if len(counted) and np.bitwise_count(counted ^ hashed).min() < DISTINCT:
            continue
        counted = np.append(counted, hashed)
        evidence -= float(np.log(chance[hit]))
    return max(0.0, evidence - (0.0 if speed == 1.0 else OTHER_SPEED)), here


def _on_line(
    left: np.ndarray, right: np.ndarray, speed: float, shift: float, near: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left positions with a hit on the line, the right position of the nearest hit of each, and its differing bits."""
    rows = np.flatnonzero(left)
    centre = speed * rows + shift
    reach = TOLERANCE_S * RATE_HZ + 0.5
    columns = np.rint(centre)[:, None].astype(np.int64) + np.arange(-2, 3)
    inside = (columns >= 0) & (columns < len(right)) & (np.abs(columns - centre[:, None]) <= reach)
    columns = np.where(inside, columns, 0)
    bits = np.where(inside & (right[columns] != 0), np.bitwise_count(left[rows][:, None] ^ right[columns]), 64)
    best = bits.argmin(axis=1)
    which = np.arange(len(rows))
    hit = bits[which, best] <= near
    return rows[hit], columns[which, best][hit], bits[which, best][hit].astype(np.int64)


def _as_near(
    places: np.ndarray, bits: np.ndarray, asked: np.ndarray, asked_bits: np.ndarray, length: int
) -> np.ndarray:
    """For each asked picture, the number of hits at its place that differ in no more bits."""
    counts = np.bincount(places * (NEAR + 1) + bits, minlength=length * (NEAR + 1)).reshape(length, NEAR + 1)
    return counts.cumsum(axis=1)[asked, asked_bits]


def _covered(pictures: np.ndarray) -> float:
    """Length in pictures of sorted hits, with gaps up to BRIDGED_S."""
    gaps = np.diff(pictures)
    return float(gaps[gaps <= BRIDGED_S * RATE_HZ].sum())
