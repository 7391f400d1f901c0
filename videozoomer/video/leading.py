"""Leading pictures at the beginning of a file: which of them can be shown.

Leading pictures follow a keyframe in the file and are shown before it. Those that refer to the group of pictures before
the keyframe cannot be decoded at the beginning of a file, where that group is missing. Others refer to the keyframe
alone: then the film begins with them, not with the keyframe. Packets do not show which is which, so the decoder is
asked, once per opened file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from videozoomer.video.opening import prepare_decoder

if TYPE_CHECKING:
    import av
    from av.video.codeccontext import VideoCodecContext

MOST_REORDERED = 16
"""Most frames that precede another one in the file and are shown after it: the limit of H.264, HEVC and VVC."""


@dataclass(frozen=True, slots=True)
class Leading:
    """The leading pictures of a file's first keyframe that can be shown."""

    keyframe_pts: int | None = None
    shown: frozenset[int] = frozenset()
    """Presentation times in ticks; none in most files."""

    def has(self, keyframe: av.Packet, packet: av.Packet) -> bool:
        return packet.pts in self.shown and keyframe.pts == self.keyframe_pts


def head_of(packets: Iterable[av.Packet]) -> list[av.Packet]:
    """Packets from the first keyframe on, as far as leading pictures of it may come."""
    head: list[av.Packet] = []
    later = 0
    for packet in packets:
        if packet.size == 0 or not (head or packet.is_keyframe):
            continue
        head.append(packet)
        first_pts = head[0].pts
        if first_pts is None or packet.pts is None:
            break
        later += packet.pts > first_pts
        if later > MOST_REORDERED:
            break
    return head


def is_before(packet: av.Packet, keyframe: av.Packet) -> bool:
    """Whether a packet is shown before a keyframe."""
    return packet.pts is not None and keyframe.pts is not None and packet.pts < keyframe.pts


def leads(head: Sequence[av.Packet]) -> bool:
    """Whether there are leading pictures among the packets."""
    return any(is_before(packet, head[0]) for packet in head)


def find_leading(context: VideoCodecContext, head: Sequence[av.Packet]) -> Leading:
    """Ask a decoder that reports damage which leading pictures in the head of a file it can decode; flushes it."""
    first_pts = head[0].pts if head else None
    if first_pts is None or not leads(head):
        return Leading()
    before = {packet.pts for packet in head if is_before(packet, head[0])}
    hidden = {packet.pts for packet in head if packet.is_discard}
    shown = frozenset(_decoded_before(context, head, first_pts)) & before - hidden
    # Without the others the same pictures must come, in order and without an error.
    kept = [packet for packet in head if packet.pts not in before - shown]
    again = _decoded_before(context, kept, first_pts, strict=True)
    return Leading(first_pts, shown) if again == sorted(shown) else Leading()


def leading_of(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> Leading:
    """The same for a container that was just opened; open it again afterwards to read it from its beginning."""
    import av

    prepare_decoder(stream)
    try:
        head = head_of(container.demux(stream))
    except av.error.FFmpegError:
        return Leading()
    return find_leading(stream.codec_context, head)


def first_shown(pts: Iterable[int | None]) -> int | None:
    """The earliest presentation time of a film, from the times of its packets in the order of the file."""
    earliest: int | None = None
    later = 0
    for when in pts:
        if when is None:
            continue
        if earliest is None or when < earliest:
            earliest, later = when, 0
        else:
            later += 1
        if later > MOST_REORDERED:
            break
    return earliest


def _decoded_before(
    context: VideoCodecContext, packets: Sequence[av.Packet], first_pts: int, *, strict: bool = False
) -> list[int]:
    """Times of the undamaged pictures that the decoder returns before the keyframe; none after an error if strict."""
    import av

    found: list[int] = []
    try:
        for packet in [*packets, None]:
            try:
                frames = context.decode(packet)
            except av.error.FFmpegError:
                if strict:
                    return []
                continue
            for frame in frames:
                if frame.pts is not None and frame.pts >= first_pts:
                    return found
                if frame.pts is not None and not frame.is_corrupt:
                    found.append(frame.pts)
    finally:
        context.flush_buffers()
    return found
