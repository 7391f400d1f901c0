"""Packets of one stream, from a point where decoding can begin.

Decoding cannot begin at every keyframe. A keyframe of an *open* group of pictures (GOP) is followed by leading
pictures, which are shown before it and refer to the previous GOP; `from_keyframe` drops them, except those at the
beginning of the file that `videozoomer.video.leading` found to be decodable. An H.264 decoder that is
set to report damage also rejects references to them later in the GOP; `PacketReader.with_run_in` therefore starts one
GOP earlier.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from videozoomer.video.leading import MOST_REORDERED, Leading, find_leading, head_of, is_before, leads
from videozoomer.video.opening import open_container, prepare_decoder
from videozoomer.video.stream_facts import StreamFacts, declared_colours, facts_of
from videozoomer.video.streams import no_stream, video_stream

if TYPE_CHECKING:
    import av

STEPS_BACK_S = (0.0, 1.0, 5.0, 20.0)
"""How much earlier to look for a keyframe when the container's seek lands too late."""


class FastReadFailed(Exception):
    """The packets' times do not determine which frame is shown, or the decoder did not return that frame."""


class PacketReader:
    """An open file and its video stream. A call that seeks invalidates earlier iterators."""

    def __init__(self, uri: str, threads: int, stream_index: int | None = None) -> None:
        """Open the file.

        Raises:
            OSError, ValueError: the file cannot be opened, or has no video that can be decoded.
        """
        self._uri, self._threads, self._stream_index = uri, threads, stream_index
        import av

        self._container, self.stream, self.time_base = self.opened()
        self.leading = Leading()
        self._head: list[av.Packet] = []
        """Packets that were read ahead and come next."""
        try:
            self._head = head_of(self._container.demux(self.stream))
        except av.error.FFmpegError:
            self.reopen()
            return
        if leads(self._head):
            self.leading = find_leading(self.stream.codec_context, self._head)
            self.reopen()

    def reopen(self) -> None:
        """Close the file and open it again: the one way back to the first packet that works for every container."""
        self.close()
        self._head = []
        self._container, self.stream, self.time_base = self.opened()

    def close(self) -> None:
        self._container.close()

    def opened(self) -> tuple[av.container.InputContainer, av.video.stream.VideoStream, Fraction]:
        """The file opened once more, which does not disturb what is read here; close it.

        Raises:
            OSError, ValueError: as when it was opened first.
        """
        container = open_container(self._uri)
        stream = video_stream(container, self._stream_index)
        if stream is None and self._stream_index is not None:
            sentence = no_stream(container, self._stream_index)
            container.close()
            raise ValueError(sentence)
        if stream is None or stream.codec_context is None or stream.time_base is None:
            container.close()
            raise ValueError("it has no video stream that can be decoded; check it with `videozoomer video probe`")
        prepare_decoder(stream, self._threads)
        self.declared = declared_colours(stream)
        return container, stream, stream.time_base

    def facts(self, first: av.VideoFrame) -> StreamFacts:
        """What the file says about its video stream; `first` is its first frame."""
        return facts_of(self._container, self.stream, first, self.declared)

    def after_seek(self, pts: int) -> Iterator[av.Packet]:
        """Packets from where the container seeks to for a time: often, but not always, the keyframe before it."""
        import av

        self._head = []
        try:
            self._container.seek(pts, stream=self.stream)
        except av.error.FFmpegError:
            self.reopen()  # It cannot seek there; reading from the beginning reaches every packet.
        self.stream.codec_context.flush_buffers()
        return self.from_here()

    def from_here(self) -> Iterator[av.Packet]:
        head, self._head = self._head, []
        return from_keyframe(itertools.chain(head, self._container.demux(self.stream)), self.leading)

    def at_keyframe(self, target: int) -> Iterator[av.Packet]:
        """Packets from a keyframe that is shown no later than the target; from the beginning if there is none."""
        for step_s in STEPS_BACK_S:
            packets = self.after_seek(target - int(step_s / self.time_base))
            first = next(packets, None)
            if first is not None and first.pts is not None and first.pts <= target:
                return itertools.chain([first], packets)
        self.reopen()
        return self.from_here()

    def with_run_in(self, target: int) -> tuple[Iterator[av.Packet], int]:
        """Packets from one GOP earlier, and the time of the keyframe from which frames can be trusted.

        Ignore errors of the decoder before that keyframe.

        Raises:
            FastReadFailed: there are no two keyframes before the target.
        """
        first = next(self.at_keyframe(target), None)
        if first is None or first.pts is None:
            raise FastReadFailed
        for step_s in STEPS_BACK_S:
            packets = self.after_seek(first.pts - 1 - int(step_s / self.time_base))
            run_in = []
            for packet in packets:
                run_in.append(packet)
                if packet.is_keyframe and len(run_in) > 1:
                    break
            if len(run_in) > 1 and run_in[-1].is_keyframe and run_in[-1].pts is not None and run_in[-1].pts <= target:
                return itertools.chain(run_in, packets), run_in[-1].pts
        raise FastReadFailed


def from_keyframe(packets: Iterable[av.Packet], leading: Leading) -> Iterator[av.Packet]:
    """Packets from the first keyframe on, without the leading pictures of it that cannot be decoded."""
    keyframe: av.Packet | None = None
    for packet in packets:
        if packet.size == 0:
            continue
        if keyframe is None:
            if not packet.is_keyframe:
                continue
            keyframe = packet
        elif is_before(packet, keyframe) and not leading.has(keyframe, packet):
            continue
        yield packet


def with_successors(packets: Iterable[av.Packet]) -> Iterator[tuple[av.Packet, int, int | None]]:
    """Each packet as (packet, its pts, the pts of the frame shown after it); the latter is None for the last frame.

    Decoding times alone do not determine the next frame: in some files a packet's decoding time is past its
    presentation time, so a frame comes later than the decoding times promise. So the next frame counts as known once a
    decoding time has reached it *and* as many frames from there on have come as a decoder may have to hold back.

    Raises:
        FastReadFailed: a packet has no times, or comes although the frame shown before it already has a successor.
    """
    queue: deque[tuple[av.Packet, int]] = deque()
    shown: list[int] = []
    decided: set[int] = set()
    latest_dts: int | None = None
    for packet in packets:
        if packet.pts is None or packet.dts is None:
            raise FastReadFailed
        latest_dts = packet.dts if latest_dts is None else max(latest_dts, packet.dts)
        queue.append((packet, packet.pts))
        if not packet.is_discard:
            place = bisect_right(shown, packet.pts)
            if place and shown[place - 1] in decided:
                raise FastReadFailed
            shown.insert(place, packet.pts)
        while queue:
            pts = queue[0][1]
            after = bisect_right(shown, pts)
            if len(shown) - after <= MOST_REORDERED or latest_dts < shown[after]:
                break
            decided.add(pts)
            yield *queue.popleft(), shown[after]
        # Times before all queued packets are never compared again.
        if len(shown) > 4096 and queue:
            decided.intersection_update(shown)
            del shown[: bisect_left(shown, min(pts for _, pts in queue))]
    while queue:
        after = bisect_right(shown, queue[0][1])
        yield *queue.popleft(), shown[after] if after < len(shown) else None
