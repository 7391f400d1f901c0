"""What can be used of a damaged file: its certain pictures, how long each is on the screen, and its bad spans."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from videozoomer.video.boxes import broken_box
from videozoomer.video.damage import Packets, decode, read_packets
from videozoomer.video.damage_times import Times, settle_times
from videozoomer.video.leading import Leading, first_shown, leading_of
from videozoomer.video.preflight import HOLE_STEPS, LOST_S, LOST_SHARE, Timeline, counts_from_zero, open_checked
from videozoomer.video.stream_clock import StreamClock
from videozoomer.video.types import BadSpan, Quarantine
from videozoomer.video.watch import Watch, cpu_limit_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import av

    from videozoomer.video.damage import Opened

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
_NOTICING = frozenset({"h264", "hevc", "vvc", "mpeg2video", "mpeg1video"})
"""Decoders that report nearly all damage to a picture."""
_UNNOTICED = 4
"""Packets before noticed damage that may be damaged too."""
_STORED_DTS = ("mpegts", "mov", "flv")
"""Containers that store when each packet is decoded."""


@dataclass(frozen=True)
class Salvage:
    """A damaged film as it can be used. Times are in ticks of the stream; pictures are in order of time."""

    opened: Opened
    leading: Leading
    packets: Packets
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
    even: bool
    """Whether nearly all steps between pictures are the same."""

    @property
    def timeline(self) -> Timeline:
        """The certain pictures as those of a whole file; the last one lasts to the end of the film."""
        import numpy as np

        return Timeline(
            time_base=self.clock.time_base,
            pts=np.asarray(self.pts, dtype=np.int64),
            keyframes=np.asarray(self.keyframes, dtype=np.int64),
            last_duration=self.end_pts - self.pts[-1],
            hidden=0,
            container_end_s=None,
            broken=None,
            packets=len(self.packets),
            packets_promised=0,
        )

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """The bad spans in ticks."""
        return tuple((self.clock.ticks(span.start_s), self.clock.ticks(span.end_s)) for span in self.spans)

    @property
    def duration_s(self) -> float:
        return self.clock.seconds(self.end_pts)

    @property
    def unreadable_s(self) -> float:
        return sum(span.end_s - span.start_s for span in self.spans)


def survey(place: str, watch: Watch, size: int, stream_index: int | None = None) -> Salvage:
    """Decode a damaged file once to learn what of it is certain. `size` is its number of bytes.

    Raises:
        Quarantine: nothing is certain, or not the film's time zero.
    """

    def opened() -> tuple[av.container.InputContainer, av.video.stream.VideoStream]:
        return open_checked(place, stream_index)

    container, stream = opened()
    with container:
        leading = leading_of(container, stream)
    container, stream = opened()
    with container:
        packets = read_packets(container, stream, leading)
        declared_s = _declared_end_s(container, stream)
        any_start = container.format.name.startswith(ANY_START)
        stored_dts = stores_dts(container)
        time_base, codec = stream.time_base, stream.codec_context.codec.canonical_name
        pixels = stream.codec_context.width * stream.codec_context.height
    if not len(packets) or time_base is None:
        raise Quarantine("no_frames", "no keyframe of its video can be found; download it again or remove it")
    if packets.index_short:
        raise Quarantine(
            "damaged", "its index is incomplete, and times are counted by it; remux it, for example to MKV"
        )
    # It was decoded up to the damage already, is decoded whole now, and once more to sample it.
    watch.allow(3 * cpu_limit_s(size, len(packets), pixels))
    packets.lost_at_end |= broken_box(place) is not None
    times = settle_times(packets, stored_dts=stored_dts)
    if declared_s is not None:
        # Damage at the end of a file hides what comes after it.
        short = declared_s / time_base - (times.sorted[-1] + times.last_duration)
        packets.lost_at_end |= float(short) > HOLE_STEPS * times.usual
    certain = _certain(opened, codec, leading, packets, watch)
    clock = StreamClock(_zero(packets, times, certain), time_base)
    if not any_start and float(clock.first_pts * time_base) > LOST_S:
        raise Quarantine(
            "damaged",
            f"its first picture is at {float(clock.first_pts * time_base):.1f} s of its own clock; what comes before "
            "may be lost, so no time in it is certain; download it again",
        )
    pts, until, end, spans = _spans(packets, times, certain, clock, declared_s)
    entries = tuple(when for when in pts if when in times.keyframes)
    return Salvage(opened, leading, packets, clock, tuple(pts), tuple(until), end, entries, tuple(spans), times.even)


def stores_dts(container: av.container.InputContainer) -> bool:
    """Whether a container stores when each packet is decoded; FFmpeg makes that up for the others."""
    return container.format.name.startswith(_STORED_DTS)


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


def _spans(
    packets: Packets, times: Times, certain: Mapping[int, int], clock: StreamClock, declared_s: float | None
) -> tuple[list[int], list[int], int, list[BadSpan]]:
    """The certain pictures, up to when each is on the screen, the end of the film, and what is between them."""
    pts = sorted(when for when in certain if when in times.known and when not in times.odd and when >= clock.first_pts)
    until = [
        _until(times, when, following, together=following is not None and certain[when] == certain[following])
        for when, following in zip(pts, [*pts[1:], None], strict=True)
    ]
    pts, until = _from_keyframes(pts, until, times, clock.first_pts)
    if not pts:
        raise Quarantine("damaged", "no picture of it can be decoded with certainty; download it again or re-encode it")
    found_end = times.sorted[-1] + times.last_duration
    end = found_end
    cut_off_pts = None
    if declared_s is not None:
        declared = round(declared_s / clock.time_base)
        if float((declared - found_end) * clock.time_base) > max(LOST_S, LOST_SHARE * declared_s):
            end, cut_off_pts = declared, found_end
    rest_pts = None
    if times.dropped_after and declared_s is None:
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
        bad(max(cut_off_pts, until[-1]), end, None if times.dropped_after else "cut_off", times.dropped_after)
    if rest_pts is not None:
        bad(rest_pts, end, "times_not_increasing", times.dropped_after)
    return pts, until, end, spans


def _from_keyframes(
    pts: Sequence[int], until: Sequence[int], times: Times, first_pts: int
) -> tuple[list[int], list[int]]:
    """Leave out what comes after a bad span and before the next keyframe: a reader could not begin there."""
    kept_pts: list[int] = []
    kept_until: list[int] = []
    for index, (when, end) in enumerate(zip(pts, until, strict=True)):
        follows = index > 0 and until[index - 1] == when and bool(kept_until) and kept_until[-1] == when
        if follows or when == first_pts or when in times.keyframes:
            kept_pts.append(when)
            kept_until.append(end)
    return kept_pts, kept_until


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


def certain_frames(salvage: Salvage) -> Iterator[tuple[int, av.VideoFrame]]:
    """The certain pictures in order of time, each with its presentation time in ticks; decodes the file once more.

    Raises:
        Quarantine: a picture does not come again.
    """
    wanted = iter(salvage.pts)
    following = next(wanted, None)
    for picture in decode(salvage.opened, salvage.leading, salvage.packets):
        if picture.pts == following:
            yield picture.pts, picture.frame
            following = next(wanted, None)
    if following is not None:
        near_s = salvage.clock.seconds(following)
        raise Quarantine("damaged", f"near {near_s:.1f} s it decodes differently each time; re-encode it")


def nothing_usable(damage: Quarantine, error: Quarantine) -> Quarantine:
    """Why a file is quarantined that is damaged and cannot be salvaged either."""
    if error.detail == damage.detail:
        return damage
    return Quarantine(damage.reason, f"{damage.detail}. Nothing of it can be used: {error.detail}")


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


def _certain(opened: Opened, codec: str, leading: Leading, packets: Packets, watch: Watch) -> dict[int, int]:
    """Presentation time of each certain picture -> its run."""
    came: list[tuple[int, int, int]] = []
    corrupt_from: dict[int, int] = {}
    for picture in decode(opened, leading, packets):
        watch.reached(0.5 * picture.index / max(1, len(packets)))
        if picture.frame.is_corrupt:
            corrupt_from[picture.run] = min(picture.index, corrupt_from.get(picture.run, picture.index))
        came.append((picture.pts, picture.index, picture.run))
    doubtful = _beside_damage(packets, notices=codec in _NOTICING)
    if packets.counted:
        noticed = packets.errors | set(corrupt_from.values())
        # Pictures are missing somewhere before the end: where is unknown unless the decoder noticed it.
        unknown = packets.fewer and not packets.lost_at_end
        doubtful |= set(range(min(noticed, default=0 if unknown else len(packets)), len(packets)))
    return {
        pts: run for pts, index, run in came if index < corrupt_from.get(run, len(packets)) and index not in doubtful
    }


def _beside_damage(packets: Packets, *, notices: bool) -> set[int]:
    """Packets that may be damaged although they were decoded, because the next one was found to be.

    A decoder that `notices` damage misses at most the last bytes of a packet and very small packets. To others any
    bytes are a picture, so the groups of pictures beside damage are in doubt as a whole.
    """
    found = [
        index
        for index in range(len(packets))
        if packets.after_loss[index] or packets.broken[index] or index in packets.errors
    ]
    if packets.lost_at_end:
        found.append(len(packets))
    if notices:
        return {near for index in found for near in range(index - _UNNOTICED, index)}
    group = list(accumulate(packets.keyframes, initial=0))[1:]
    hit = {group[min(index, len(group) - 1)] + beside for index in found for beside in (-1, 0, 1)}
    return {index for index, number in enumerate(group) if number in hit}
