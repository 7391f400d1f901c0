"""Which pairs of films are worth a full comparison, in time that grows with the number of films, not of their pairs.

Each hash is filed under several of its bands of bits, in sorted arrays. Two hashes with an equal band are compared;
those within SEED bits are seeds, and a pair of films needs several seeds at about one shift. A short film has few
pictures, so it is looked up by narrower bands, which find more of its copies' hashes and cost more for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from filters.copies.film import KINDS, PAIRS, Film
from videozoomer.video.hashing import RATE_HZ, mirror_mask

SEED = 12
"""Differing bits up to which two pictures with an equal band are a seed."""
SHORT_S = 60.0
WIDE, NARROW = (21, 21, 22), (16, 16, 16, 16)
"""Bits of the bands: of films longer than SHORT_S and of shorter ones."""
SHIFT_S = 4.0
"""Seeds of a pair count together when their shifts are within one or two of these; another speed spreads them."""
LONG_STEP = 2
"""Of two long films, every second picture of one is looked up."""
_PAIRS_AT_ONCE = 1 << 21
_ENTRY_BITS = 32

Combination = tuple[str, str, bool]
"""Left track, right track, mirrored; one of PAIRS."""


@dataclass(frozen=True, slots=True)
class _Entries:
    """Hashes of one track of many films, without blanks and without those equal to the one before."""

    hashes: np.ndarray
    films: np.ndarray
    places: np.ndarray
    """Position in the film, in pictures."""

    @classmethod
    def of(cls, films: Sequence[Film], chosen: np.ndarray, track: str, kind: str, step: int = 1) -> _Entries:
        """Of the chosen films, by their numbers in `films`."""
        hashes, numbers, places = [], [], []
        for number in chosen:
            found = films[number].tracks.get(track)
            if found is None:
                continue
            values = getattr(found, kind)
            kept = values != 0
            kept[1:] &= values[1:] != values[:-1]
            where = np.flatnonzero(kept)[::step]
            hashes.append(values[where])
            places.append(where.astype(np.int32))
            numbers.append(np.full(len(where), number, np.int32))
        if not hashes:
            return cls(np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int32))
        return cls(np.concatenate(hashes), np.concatenate(numbers), np.concatenate(places))


def candidates(
    left: Sequence[Film], right: Sequence[Film], pairs: Sequence[Combination] = PAIRS, *, near: int = SEED
) -> dict[tuple[int, int], list[Combination]]:
    """Pairs of numbers of a left and a right film, each with the combinations of tracks to compare.

    `near` is the most differing bits of two hashes that show the same; above SEED, it is SEED here.
    """
    found: dict[tuple[int, int], list[Combination]] = {}
    short_left, long_left = _by_length(left)
    short_right, long_right = _by_length(right)
    everything = np.sort(np.concatenate([short_right, long_right]))
    passes = [
        (short_left, everything, NARROW, False),
        (long_left, short_right, NARROW, True),
        (long_left, long_right, WIDE, False),
    ]
    for lefts, rights, widths, right_asks in passes:
        if not len(lefts) or not len(rights):
            continue
        step = LONG_STEP if widths is WIDE else 1
        for combination in pairs:
            for kind in KINDS:
                ones = _Entries.of(left, lefts, combination[0], kind, 1 if right_asks else step)
                others = _Entries.of(right, rights, combination[1], kind)
                mask = mirror_mask() if combination[2] else np.uint64(0)
                for pair in _voted(ones, others, widths, mask, right_asks, left, right, min(near, SEED)):
                    if combination not in (listed := found.setdefault(pair, [])):
                        listed.append(combination)
    return found


def _by_length(films: Sequence[Film]) -> tuple[np.ndarray, np.ndarray]:
    short = np.array([film.length_s <= SHORT_S for film in films], bool)
    return np.flatnonzero(short), np.flatnonzero(~short)


def _voted(
    ones: _Entries,
    others: _Entries,
    widths: tuple[int, ...],
    mask: np.uint64,
    right_asks: bool,
    left: Sequence[Film],
    right: Sequence[Film],
    near: int,
) -> Iterator[tuple[int, int]]:
    """Pairs of films with enough seeds at about one shift."""
    if not len(ones.hashes) or not len(others.hashes):
        return
    count_right = len(right)
    asked, filed = (others, ones) if right_asks else (ones, others)
    asking, held = [], []
    for query, entry in _seeds(asked.hashes ^ mask, filed.hashes, widths, near):
        asking.append(query)
        held.append(entry)
    query, entry = np.concatenate(asking), np.concatenate(held)
    one, other = (entry, query) if right_asks else (query, entry)
    pair = ones.films[one].astype(np.int64) * count_right + others.films[other]
    shift = np.floor((others.places[other] - ones.places[one]) / (SHIFT_S * RATE_HZ)).astype(np.int64) + (1 << 19)
    # The same two pictures may agree in several bands; a picture that stands still asks once.
    keys, votes = np.unique(np.unique((pair << 20 | shift) << 20 | ones.places[one] >> 1) >> 20, return_counts=True)
    together = votes.copy()
    if len(keys) > 1:
        adjacent = np.diff(keys) == 1
        together[1:][adjacent] += votes[:-1][adjacent]
    numbers = keys >> 20
    for number in np.unique(numbers[together >= 2]):
        first, second = divmod(int(number), count_right)
        start, stop = np.searchsorted(numbers, [number, number + 1])
        if together[start:stop].max() >= _needed(left[first], right[second]):
            yield first, second


def _needed(left: Film, right: Film) -> int:
    """Seeds at one shift that two unrelated films of these lengths seldom have."""
    compared = len(left.tracks["whole"].pictures) * len(right.tracks["whole"].pictures)
    return 2 + (compared > 100_000) + (compared > 1_000_000) + (compared > 30_000_000)


def _seeds(
    asked: np.ndarray, filed: np.ndarray, widths: tuple[int, ...], most: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of asked and of filed hashes that have an equal band and differ in at most `most` bits."""
    low = 64
    for width in widths:
        low -= width
        mask = np.uint64((1 << width) - 1)
        order = _sorted_by(filed >> np.uint64(low) & mask)
        sorted_hashes = filed[order]
        filed_keys = sorted_hashes >> np.uint64(low) & mask
        asking = _sorted_by(asked >> np.uint64(low) & mask)
        keys = asked[asking] >> np.uint64(low) & mask
        # Both are sorted, so this walks through memory once.
        starts = np.searchsorted(filed_keys, keys)
        counts = np.searchsorted(filed_keys, keys, side="right") - starts
        ends = np.cumsum(counts)
        at = 0
        while at < len(asking):
            done = ends[at - 1] if at else 0
            stop = max(at + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
            some = counts[at:stop]
            first = np.repeat(starts[at:stop] - (ends[at:stop] - some - done), some)
            entries = first + np.arange(len(first))
            hashed = np.repeat(asked[asking[at:stop]], some)
            near = np.flatnonzero(np.bitwise_count(sorted_hashes[entries] ^ hashed) <= most)
            if len(near):
                query = np.searchsorted(ends[at:stop] - done, near, side="right") + at
                yield asking[query], order[entries[near]]
            at = stop
    yield np.empty(0, np.int64), np.empty(0, np.int64)


def _sorted_by(keys: np.ndarray) -> np.ndarray:
    """Indices that sort keys of up to 22 bits; sorting one packed number is several times faster than `argsort`."""
    packed = keys << np.uint64(_ENTRY_BITS) | np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    return (packed & np.uint64((1 << _ENTRY_BITS) - 1)).astype(np.int64)
