"""Which pictures of a damaged file are certain, and which spans of it cannot be read.

A picture is certain if its packet and every packet back to a keyframe at which decoding may begin were read whole and
decoded without an error, and if its time fits those around it. What lies between certain pictures is a bad span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from videozoomer.video.leading import Leading, is_before
from videozoomer.video.opening import prepare_decoder
from videozoomer.video.preflight import skipped_bytes_of
from videozoomer.video.random_access import Entry, entry_of, stands_alone

if TYPE_CHECKING:
    import av

    Opened = Callable[[], tuple[av.container.InputContainer, av.video.stream.VideoStream]]
    """Opens the same file anew."""

MOST_ERRORS = 1000
"""Read errors after which the rest of a file counts as unreadable."""
_SAME_PLACE = 3
"""Read errors in a row, without a packet between them, after which the rest of a file counts as unreadable."""


COUNTED_GAP = 24
"""Bytes between two chunks of an AVI: the header of one, a padding byte, and the header of a list."""


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
    lost_at_end: bool = False
    """Whether something may be missing behind the last packet."""
    errors: set[int] = field(default_factory=set)
    """Packets that the decoder refused; filled by `decode`."""
    index_short: bool = False
    """Whether an AVI's index lists fewer pictures than were found: after a seek, times are counted by it."""
    counted: bool = False
    """Whether times are counts of pictures that no index confirms, so that damage may have moved all later ones."""
    fewer: bool = False
    """Whether the header counts more pictures than were found."""

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
    # AVI stores no times: FFmpeg counts pictures, and a lost one moves all that come after it.
    counted, counts_lost = container.format.name == "avi", False
    skipped_bytes, read_to = COUNTED_GAP if counted else skipped_bytes_of(container), None
    promised, read = len(stream.index_entries), 0
    for packet in packets_past_damage(container):
        if packet is None:
            lost = True
            continue
        if skipped_bytes is not None and packet.pos is not None:
            lost |= read_to is not None and packet.pos - read_to > skipped_bytes
            read_to = packet.pos + packet.size
        if packet.stream_index != stream.index:
            counts_lost |= counted and lost
            continue
        if counted and not found and packet.pos is not None and stream.index_entries:
            lost |= packet.pos - stream.index_entries[0].pos > (skipped_bytes or 0)
        counts_lost |= counted and lost
        read += 1
        if entry is None:
            if not packet.is_keyframe or packet.pts is None or counts_lost:
                continue
            entry = packet
        hidden = packet.is_discard or (is_before(packet, entry) and not leading.has(entry, packet))
        hidden |= counts_lost
        found.pts.append(None if hidden else packet.pts)
        found.dts.append(packet.dts)
        found.broken.append(packet.is_corrupt or counts_lost)
        found.after_loss.append(lost)
        found.keyframes.append(packet.is_keyframe)
        found.durations.append(packet.duration or 0)
        lost = False
    found.lost_at_end = lost
    found.counted = counted and promised != read
    found.index_short = counted and 0 < promised < read
    found.fewer = stream.frames > read
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


def decode(opened: Opened, leading: Leading, packets: Packets) -> Iterator[Decoded]:
    """Decode what can be trusted, in the order of the file; the same for the same file, so it can be repeated.

    After damage a new decoder begins at the next keyframe at which it may. Pictures after an error, up to there, and
    pictures shown before that keyframe are left out.
    """
    container, stream = opened()
    with container, _Run(opened) as run:
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
            if packets.after_loss[index] or packets.broken[index]:
                # What was decoded until here is right; what comes next may refer to what is missing.
                yield from run.stop()
            if packets.broken[index]:
                continue
            way = entry_of(packet, stream.codec_context)
            if way is not Entry.NO:
                run.enter(way, packet.pts, first=index == 0)
            yield from run.take(packet, index, packets.errors)
        yield from run.stop()


class _Run:
    """Decoding from one keyframe until the next damage, with a decoder of its own.

    A decoder that met damage can return wrong pictures even after it was flushed, so it is never used again.

    A decoder of H.264 that begins at an open group of pictures refuses a picture or two there, because they name
    pictures before it; it decodes them nevertheless. Whether they are damaged shows at the *next* keyframe: there a new
    decoder begins, and the one before it, which knows all pictures by then, tells errors of the new one from damage.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._decoder: _Decoder | None = None
        self._judge: _Decoder | None = None
        """Decodes the same packets and knows the group of pictures before; its errors count, its pictures do not."""
        self._trusted = self._running_in = self._failed = False
        self._floor: int | None = None
        self._entry: int | None = None
        self._number = 0
        self._expected: dict[int, tuple[int, int]] = {}

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def enter(self, way: Entry, pts: int | None, *, first: bool) -> None:
        """A keyframe comes next at which decoding may begin."""
        if self._judge is not None:
            self._judge.close()
            self._judge = None
        if self._failed:
            self._judge, self._decoder = self._decoder, None
            self._failed = self._trusted = False
        fresh = self._decoder is None
        if fresh:
            self._decoder = _Decoder(*self._opened())
        self._running_in = fresh and way is Entry.OPEN and self._judge is None
        if not self._trusted:
            self._trusted = True
            self._number += 1
            # The leading pictures of a file's first keyframe were tried before.
            self._floor = None if first else pts
            self._entry = pts

    def take(self, packet: av.Packet, index: int, errors: set[int]) -> Iterator[Decoded]:
        """Decode a packet; on damage, end the run and note the packet in `errors`."""
        if self._decoder is None:
            return
        pts = packet.pts
        if self._trusted and pts is not None and not packet.is_discard and (self._floor is None or pts >= self._floor):
            self._expected[pts] = index, self._number
        fails = not self._decoder.decode(packet)
        if self._judge is not None:
            fails = not self._judge.decode(packet)
        if fails:
            errors.add(index)
            if pts is not None:
                self._expected.pop(pts, None)
            if not self._running_in:
                yield from self.stop()
                return
            self._failed, self._trusted = True, False
        yield from self._results()

    def stop(self) -> Iterator[Decoded]:
        """The pictures that the decoder still holds; the next keyframe begins with another decoder."""
        if self._decoder is not None:
            self._decoder.decode(None)
            yield from self._results()
        self._close()
        self._trusted = self._running_in = self._failed = False
        self._expected.clear()

    def _results(self) -> Iterator[Decoded]:
        if self._decoder is None:
            return
        frames, self._decoder.frames = self._decoder.frames, []
        for frame in frames:
            found = self._expected.pop(frame.pts, None) if frame.pts is not None else None
            if frame.pts is None or found is None:
                continue
            if frame.pts == self._entry and not stands_alone(frame, self._decoder.context):
                self._trusted = False
                self._expected.clear()
                continue
            if frame.is_corrupt:
                self._trusted = False
            yield Decoded(*found, frame.pts, frame)

    def _close(self) -> None:
        for decoder in (self._decoder, self._judge):
            if decoder is not None:
                decoder.close()
        self._decoder = self._judge = None


class _Decoder:
    """A new decoder of a file, with the file opened for it: only so does it get all that the container declares."""

    def __init__(self, container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> None:
        prepare_decoder(stream)
        self._container, self.context = container, stream.codec_context
        self.frames: list[av.VideoFrame] = []

    def decode(self, packet: av.Packet | None) -> bool:
        """Whether the decoder took the packet without an error; pictures are added to `frames`."""
        import av

        try:
            self.frames += self.context.decode(packet)
        except av.error.FFmpegError:
            return False
        return True

    def close(self) -> None:
        self._container.close()
