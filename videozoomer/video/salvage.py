"""What can be used of a damaged file: its certain pictures, how long each is on the screen, and its bad spans."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from videozoomer.video.damage import Packets, decode, read_packets
from videozoomer.video.damage_times import HOLE_STEPS, Times, settle_times
from videozoomer.video.leading import MOST_REORDERED, Leading, first_shown, leading_of
from videozoomer.video.preflight import LOST_S, LOST_SHARE, counts_from_zero, open_checked
from videozoomer.video.stream_clock import StreamClock
from videozoomer.video.types import BadSpan, Quarantine
from videozoomer.video.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    import av

REASONS = frozenset({"damaged", "truncated", "times_not_increasing"})
"""Reasons for quarantine for which a part of the file may be usable; see `videozoomer.video.preflight`."""
SPANS: dict[str, str] = {
    "damaged": "packets that are damaged, or refer to what is damaged or missing",
    "missing": "no packet was found in it",
    "cut_off": "the file ends before it",
    "times_not_increasing": "the film's times run back, as in recordings that were joined; its own times are not known",
}
"""Reason of a bad span -> what it means."""
ANY_START = ("mpegts", "mpeg")
"""Containers whose recordings may begin at any time on the clock."""
STORED_DTS = ("mpegts", "mov", "flv")
"""Containers that store when each packet is decoded."""


@dataclass(frozen=True)
class Salvage:
    """A damaged film as it can be used. Times are in ticks of the stream; pictures are in order of time."""

    clock: StreamClock
    """Zero is the first picture in the file that could be shown if the file were whole."""
    pts: tuple[int, ...]
    """The certain pictures."""
    until: tuple[int, ...]
    """Up to when each is certainly on the screen."""
    end_pts: int
    """End of the film, readable or not."""
    keyframes: tuple[int, ...]
    """Certain pictures at which decoding may begin."""
    spans: tuple[BadSpan, ...]
    packets: Packets

    @property
    def duration_s(self) -> float:
        return self.clock.seconds(self.end_pts)

    @property
    def unreadable_s(self) -> float:
        return sum(span.end_s - span.start_s for span in self.spans)


def survey(path: Path, watch: Watch) -> Salvage:
    """Decode a damaged file once to learn what of it is certain.

    Raises:
        Quarantine: nothing is certain, or not the film's time zero.
    """
    container, stream = open_checked(path)
    with container:
        leading = leading_of(container, stream)
    container, stream = open_checked(path)
    with container:
        packets = read_packets(container, stream, leading)
        declared_s = _declared_end_s(container, stream)
        any_start = container.format.name.startswith(ANY_START)
        stored_dts = container.format.name.startswith(STORED_DTS)
        time_base = stream.time_base
    if not len(packets) or time_base is None:
        raise Quarantine("no_frames", "no keyframe of its video can be found; download it again or remove it")
    times = settle_times(packets, stored_dts=stored_dts)
    container, stream = open_checked(path)
    with container:
        certain = _certain(container, stream, leading, packets, watch)
    clock = StreamClock(_zero(packets, times, certain), time_base)
    if not any_start and float(clock.first_pts * time_base) > LOST_S:
        raise Quarantine(
            "damaged",
            f"its first picture is at {float(clock.first_pts * time_base):.1f} s of its own clock; what comes before "
            "may be lost, so no time in it is certain; download it again",
        )
    return _salvage(packets, times, certain, clock, declared_s)


def _zero(packets: Packets, times: Times, certain: Mapping[int, int]) -> int:
    """The first presentation time, if it is certain.

    Raises:
        Quarantine: it is not.
    """
    zero = first_shown(packets.pts)
    good = [pts for pts in certain if pts in times.known and pts not in times.odd]
    if not good:
        raise Quarantine("damaged", "no picture of it can be decoded with certainty; download it again or re-encode it")
    if zero is None or zero != times.sorted[0] or (zero in times.odd and zero not in certain):
        raise Quarantine("damaged", "the time of its first picture is not certain; download it again or re-encode it")
    return zero


def _salvage(
    packets: Packets, times: Times, certain: Mapping[int, int], clock: StreamClock, declared_s: float | None
) -> Salvage:
    pts = sorted(when for when in certain if when in times.known and when not in times.odd and when >= clock.first_pts)
    until = [
        _until(times, when, following, together=certain[when] == certain.get(following, -1))
        for when, following in zip(pts, [*pts[1:], None], strict=True)
    ]
    found_end = times.sorted[-1] + times.last_duration
    end = found_end
    cut_off_pts = None
    if declared_s is not None:
        declared = round(declared_s / clock.time_base)
        if float((declared - found_end) * clock.time_base) > max(LOST_S, LOST_SHARE * declared_s):
            end, cut_off_pts = declared, found_end
    rest_pts = None
    if times.dropped_after:
        # Their own times are not known: as many usual steps as there are packets.
        rest_pts, end = end, end + times.dropped_after * times.usual
    if end - until[-1] <= times.usual // 2:
        until[-1] = end
    spans: list[BadSpan] = []

    def bad(start: int, stop: int, reason: str | None, count: int) -> None:
        if stop > start:
            known = "damaged" if count else "missing"
            spans.append(BadSpan(clock.seconds(start), clock.seconds(stop), reason or known, count))

    borders = [clock.first_pts, *until], [*pts, found_end if until[-1] < found_end else until[-1]]
    for start, stop in zip(*borders, strict=True):
        bad(start, stop, None, bisect_left(times.sorted, stop) - bisect_left(times.sorted, start))
    if cut_off_pts is not None:
        bad(max(cut_off_pts, until[-1]), rest_pts if rest_pts is not None else end, "cut_off", 0)
    if rest_pts is not None:
        bad(rest_pts, end, "times_not_increasing", times.dropped_after)
    entries = tuple(when for when in pts if when in times.keyframes)
    return Salvage(clock, tuple(pts), tuple(until), end, entries, tuple(spans), packets)


def _until(times: Times, when: int, following: int | None, *, together: bool) -> int:
    """Up to when a certain picture is certainly on the screen; `together`: the next one is of the same run."""
    after = bisect_right(times.sorted, when)
    known = times.sorted[after] if after < len(times.sorted) else None
    step = times.usual or times.last_duration or 1
    if known is None:
        return when + times.last_duration
    if known == following and (known - when <= HOLE_STEPS * step or (together and not times.even)):
        return known
    return min(known, when + step)


def _declared_end_s(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float | None:
    """Where the film should end, in seconds on the container's clock; None where the container does not say so."""
    import av

    if container.format.name.startswith(ANY_START):
        return None  # FFmpeg takes it from the last packets.
    start = 0 if counts_from_zero(container) else None
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration + (stream.start_time or 0 if start is None else start)) * stream.time_base)
    if container.duration is None:
        return None
    return (container.duration + (container.start_time or 0 if start is None else start)) / av.time_base


def _certain(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    leading: Leading,
    packets: Packets,
    watch: Watch,
) -> dict[int, int]:
    """Presentation time of each certain picture -> its run."""
    came: list[tuple[int, int, int]] = []
    corrupt_from: dict[int, int] = {}
    for picture in decode(container, stream, leading, packets):
        watch.reached(0.5 * picture.index / max(1, len(packets)))
        if picture.frame.is_corrupt:
            corrupt_from[picture.run] = min(picture.index, corrupt_from.get(picture.run, picture.index))
        came.append((picture.pts, picture.index, picture.run))
    return {pts: run for pts, index, run in came if index < corrupt_from.get(run, len(packets))}
