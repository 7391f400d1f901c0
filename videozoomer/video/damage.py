"""Which pictures of a damaged file are certain, and which spans of it cannot be read.

A picture is certain if its packet and every packet back to a keyframe at which decoding may begin were read whole and
decoded without an error, and if its time fits those around it. What lies between certain pictures is a bad span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from videozoomer.video.leading import Leading, is_before
from videozoomer.video.opening import prepare_decoder
from videozoomer.video.random_access import Entry, entry_of

if TYPE_CHECKING:
    import av

MOST_ERRORS = 1000
"""Read errors after which the rest of a file counts as unreadable."""
_SAME_PLACE = 3
"""Read errors in a row, without a packet between them, after which the rest of a file counts as unreadable."""


@dataclass
class Packets:
    """What the packets of a damaged file say, in the order of the file; read without decoding."""

    pts: list[int | None] = field(default_factory=list)
    """In ticks, one for each video packet; None where it has none, is not shown, or is not to be decoded."""
    dts: list[int | None] = field(default_factory=list)
    after_loss: list[bool] = field(default_factory=list)
    """Whether something may be missing just before the packet."""
    broken: list[bool] = field(default_factory=list)
    """Whether the packet itself cannot be used."""
    keyframes: list[bool] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    end_s: float | None = None
    """Latest end of any undamaged packet of any stream, in seconds on the container's clock."""

    def __len__(self) -> int:
        return len(self.pts)


def packets_past_damage(container: av.container.InputContainer) -> Iterator[av.Packet | None]:
    """Packets of all streams; None where reading failed and went on behind the damage.

    Raises:
        av.error.FFmpegError: reading failed for another reason than damage, such as a network that is gone.
    """
    import av

    errors = in_a_row = 0
    while True:
        try:
            for packet in container.demux():
                in_a_row = 0
                if packet.size:
                    yield packet
            return
        except (av.error.InvalidDataError, av.error.EOFError):
            errors += 1
            in_a_row += 1
            yield None
            if errors >= MOST_ERRORS or in_a_row >= _SAME_PLACE:
                return


def read_packets(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, leading: Leading
) -> Packets:
    """List the video packets from the first keyframe on; the same packets in the same order as `decode` gets."""
    found = Packets()
    entry: av.Packet | None = None
    lost = False
    for packet in packets_past_damage(container):
        if packet is None:
            lost = True
            continue
        begin = packet.pts if packet.pts is not None else packet.dts
        if begin is not None and packet.time_base is not None and not packet.is_discard and not packet.is_corrupt:
            end_s = float((begin + (packet.duration or 0)) * packet.time_base)
            found.end_s = end_s if found.end_s is None else max(found.end_s, end_s)
        if packet.stream_index != stream.index:
            continue
        if entry is None:
            if not packet.is_keyframe or packet.pts is None:
                continue
            entry = packet
        hidden = packet.is_discard or (is_before(packet, entry) and not leading.has(entry, packet))
        found.pts.append(None if hidden else packet.pts)
        found.dts.append(packet.dts)
        found.broken.append(packet.is_corrupt)
        found.after_loss.append(lost)
        found.keyframes.append(packet.is_keyframe)
        found.durations.append(packet.duration or 0)
        lost = False
    return found


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture that came out of the decoder."""

    index: int
    """Number of its packet, as in `Packets`."""
    run: int
    """Number of the stretch without damage; where one of its pictures is corrupt, so may be those decoded later."""
    pts: int
    frame: av.VideoFrame


def decode(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    leading: Leading,
    packets: Packets,
) -> Iterator[Decoded]:
    """Decode what can be trusted, in the order of the file; the same for the same file, so it can be repeated.

    After damage the decoder begins anew at the next keyframe at which it may. Pictures after an error, up to there, and
    pictures shown before that keyframe are left out.
    """
    import av

    prepare_decoder(stream)
    context = stream.codec_context
    run = _Run()
    entry: av.Packet | None = None
    index = -1
    for packet in packets_past_damage(container):
        if packet is None or packet.stream_index != stream.index:
            continue
        if entry is None:
            if not packet.is_keyframe or packet.pts is None:
                continue
            entry = packet
        index += 1
        if index >= len(packets):
            return
        if is_before(packet, entry) and not leading.has(entry, packet):
            continue
        way = entry_of(packet, context)
        if (packets.after_loss[index] or packets.broken[index]) and run.decoding:
            # What was decoded until here is right; what comes next may refer to what is missing.
            yield from run.taken(_drained(context))
            run.stop()
        if packets.broken[index] or (way is Entry.NO and not run.decoding):
            continue
        if way is not Entry.NO and not run.trusted:
            run.begin(packet.pts, fresh=not run.decoding, way=way, first=index == 0)
        if packet.pts is not None and not packet.is_discard:
            run.expect(packet.pts, index)
        try:
            frames = context.decode(packet)
        except av.error.FFmpegError:
            if run.running_in:
                run.trusted = False  # It refers to pictures before the keyframe; the next keyframe may help.
                run.drop(packet.pts)
            else:
                run.drop(packet.pts)
                yield from run.taken(_drained(context))
                run.stop()
            continue
        yield from run.taken(frames)
    if run.decoding:
        yield from run.taken(_drained(context))


class _Run:
    """Decoding from one keyframe until the next damage."""

    def __init__(self) -> None:
        self.decoding = self.trusted = self.running_in = False
        self._floor: int | None = None
        self._number = 0
        self._index_of: dict[int, tuple[int, int]] = {}

    def begin(self, pts: int | None, *, fresh: bool, way: Entry, first: bool) -> None:
        """Trust pictures from this keyframe on, in the order of the file and of presentation."""
        self.running_in = fresh and way is Entry.OPEN
        self.decoding = self.trusted = True
        self._number += 1
        # The leading pictures of a file's first keyframe were tried before.
        self._floor = None if first else pts

    def expect(self, pts: int, index: int) -> None:
        if self.trusted and (self._floor is None or pts >= self._floor):
            self._index_of[pts] = index, self._number

    def drop(self, pts: int | None) -> None:
        if pts is not None:
            self._index_of.pop(pts, None)

    def stop(self) -> None:
        self.decoding = self.trusted = self.running_in = False
        self._index_of.clear()

    def taken(self, frames: Sequence[av.VideoFrame]) -> Iterator[Decoded]:
        for frame in frames:
            found = self._index_of.pop(frame.pts, None) if frame.pts is not None else None
            if frame.pts is None or found is None:
                continue
            if frame.is_corrupt:
                self.trusted = False
            yield Decoded(*found, frame.pts, frame)


def _drained(context: av.video.codeccontext.VideoCodecContext) -> list[av.VideoFrame]:
    """The pictures that a decoder still holds; it can begin anew afterwards."""
    import av

    try:
        return context.decode(None)
    except av.error.FFmpegError:
        return []
    finally:
        context.flush_buffers()
