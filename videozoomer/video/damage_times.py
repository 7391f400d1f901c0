"""Which times of a damaged file's packets can be believed, and where the times show that packets are missing."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from videozoomer.video.damage import Packets
from videozoomer.video.leading import MOST_REORDERED
from videozoomer.video.preflight import HOLE_STEPS
from videozoomer.video.types import Quarantine

EVEN_SHARE = 0.8
"""A film has an even rate if this share of the steps between its pictures is the usual one."""
UNEVEN = 0.1
"""A step is the usual one if it differs from it by at most this share; two ticks of difference come from rounding."""
JUMP_STEPS = 300
"""A decoding time this many usual steps later than the one before begins a new part of the file."""
LEAST_PICTURES = 24
"""Pictures that must be left of a film, so that its usual step is known."""
MOST_PARTS = 2000
"""Most parts of a file, between losses and jumps of its times."""


@dataclass(frozen=True)
class Times:
    sorted: list[int]
    """Presentation times that can be believed, in order, of pictures that can be shown or not."""
    known: frozenset[int]
    keyframes: frozenset[int]
    usual: int
    """Ticks of the median step."""
    even: bool
    """Whether nearly all steps are the usual one."""
    odd: frozenset[int]
    """Times that fit neither the one before nor the one after, in a film of an even rate."""
    last_duration: int
    dropped_after: int
    """Packets at the end of the file whose times are before those that are believed."""


def settle_times(packets: Packets, *, stored_dts: bool) -> Times:
    """Find the times that increase through the file, and mark in `packets` what is missing or has no such time.

    `stored_dts` says that the container stores decoding times; FFmpeg makes them up for the others.

    Raises:
        Quarantine: the times do not increase from the first packet on, or jump too often.
    """
    steps = _steps(sorted({when for when in packets.pts if when is not None}))
    rough = _median(steps) or 1
    parts = _parts(packets, rough)
    kept = _increasing(packets, parts)
    if not kept or kept[0] != parts[0]:
        raise Quarantine(
            "times_not_increasing", "its times run back and most of it comes after that; split or re-encode it"
        )
    dropped_after = _drop_others(packets, parts, kept)
    shown = [when for when in packets.pts if when is not None]
    ordered = sorted(set(shown))
    if len(ordered) < LEAST_PICTURES:
        raise Quarantine("damaged", "too few of its pictures are left to tell their times; download it again")
    steps = _steps(ordered)
    usual = _median(steps)
    usually = [_is_usual(step, usual) for step in steps]
    even = bool(usually) and sum(usually) >= EVEN_SHARE * len(usually)
    odd: set[int] = set()
    if even:
        odd = {when for when, count in Counter(shown).items() if count > 1}
        odd |= {
            when
            for index, when in enumerate(ordered)
            if not (index and usually[index - 1]) and not (index < len(usually) and usually[index])
        }
        if stored_dts:
            _mark_late(packets, usual)
        else:
            _mark_holes(packets, ordered, usual)
    durations = [duration for when, duration in zip(packets.pts, packets.durations, strict=True) if when == ordered[-1]]
    return Times(
        ordered,
        frozenset(ordered),
        frozenset(when for when, key in zip(packets.pts, packets.keyframes, strict=True) if key and when is not None),
        usual,
        even,
        frozenset(odd),
        durations[0] or usual,
        dropped_after,
    )


def _parts(packets: Packets, usual: int) -> list[range]:
    """Stretches of packets without a loss, and without a jump of the decoding times."""
    starts = [0]
    before = packets.dts[0]
    for index in range(1, len(packets)):
        after = packets.dts[index]
        jumps = before is not None and after is not None and not 0 < after - before <= JUMP_STEPS * usual
        if packets.after_loss[index] or jumps:
            starts.append(index)
        before = before if after is None else after
    if len(starts) > MOST_PARTS:
        raise Quarantine("damaged", f"it is damaged in {len(starts)} places; download it again")
    return [range(start, stop) for start, stop in pairwise([*starts, len(packets)])]


def _increasing(packets: Packets, parts: Sequence[range]) -> list[range]:
    """The parts with the most packets whose times increase from part to part."""
    spans: list[tuple[range, int, int, int]] = []
    for part in parts:
        entry = next((i for i in part if packets.keyframes[i] and packets.pts[i] is not None), None)
        if entry is None:
            continue
        begin = packets.pts[entry]
        times = [when for when in (packets.pts[i] for i in part if i >= entry) if when is not None]
        later = [when for when in times if begin is not None and when >= begin]
        if begin is not None:
            spans.append((part, begin, max(later), len(later)))
    best: list[tuple[int, int]] = []
    for index, (_, begin, _, weight) in enumerate(spans):
        before = max(((best[other][0], -other) for other in range(index) if spans[other][2] < begin), default=(0, 1))
        best.append((before[0] + weight, -before[1]))
    if not best:
        return []
    at = max(range(len(best)), key=lambda index: (best[index][0], -index))
    chosen = []
    while at >= 0:
        chosen.append(spans[at][0])
        at = best[at][1]
    return chosen[::-1]


def _drop_others(packets: Packets, parts: Sequence[range], kept: Sequence[range]) -> int:
    """Take away the times of the other parts; returns how many packets come after the last part that is kept.

    A part without a keyframe shows nothing. It keeps its times if they are between those of the parts around it.
    """
    begins = [_times_in(packets, part)[0] for part in kept]
    following, latest = 0, None
    dropped_after = 0
    for part in parts:
        packets.after_loss[part.start] = part.start > 0
        times = _times_in(packets, part)
        if following < len(kept) and part == kept[following]:
            following += 1
            latest = max(times)
            continue
        until = begins[following] if following < len(kept) else None
        has_keyframe = any(packets.keyframes[index] for index in part)
        fits = times and latest is not None and min(times) > latest and (until is None or max(times) < until)
        if fits and not has_keyframe:
            latest = max(times)
            continue
        for index in part:
            packets.pts[index] = None
            packets.broken[index] = True
        dropped_after += len(part) if following == len(kept) else 0
    return dropped_after


def _times_in(packets: Packets, part: range) -> list[int]:
    return [when for index in part if (when := packets.pts[index]) is not None]


def _mark_late(packets: Packets, usual: int) -> None:
    """Mark packets that are decoded later than the one before promises: another is missing between them."""
    before = packets.dts[0]
    for index, after in enumerate(packets.dts):
        if after is not None:
            if before is not None and after - before > HOLE_STEPS * usual:
                packets.after_loss[index] = True
            before = after


def _mark_holes(packets: Packets, ordered: Sequence[int], usual: int) -> None:
    """Mark what may refer to packets that are missing.

    A missing picture shows as a hole in the presentation times. Its packet may have come up to as many packets before
    the first one behind the hole as a decoder may hold back.
    """
    behind = [after for before, after in pairwise(ordered) if after - before > HOLE_STEPS * usual]
    latest = None
    found = 0
    for index, when in enumerate(packets.pts):
        if when is None or (latest is not None and when <= latest):
            continue
        latest = when
        reached = bisect_left(behind, when + 1)
        if reached > found:
            found = reached
            for near in range(max(1, index - MOST_REORDERED), index + 1):
                packets.after_loss[near] = True


def _steps(ordered: Sequence[int]) -> list[int]:
    return [after - before for before, after in pairwise(ordered)]


def _median(steps: Sequence[int]) -> int:
    return sorted(steps)[len(steps) // 2] if steps else 0


def _is_usual(step: int, usual: int) -> bool:
    return abs(step - usual) <= max(2, UNEVEN * usual)
