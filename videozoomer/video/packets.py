"""Packets of one stream, from a point where decoding can begin.

Not every keyframe is one. After a keyframe of an *open* group of pictures come leading pictures, which are shown before
it and refer to pictures of the group before; and an H.264 decoder told to report damage also objects to what the
keyframe's group says about those. Hence `from_keyframe`, and the run-in of `PacketReader.with_run_in`.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from videozoomer.video.opening import open_container, prepare_decoder, video_stream

if TYPE_CHECKING:
    import av

STEPS_BACK_S = (0.0, 1.0, 5.0, 20.0)
"""How much earlier to look for a keyframe when the container's seek came out too late."""


class Unsure(Exception):
    """The packets' times do not tell which frame is shown, or the frame they tell did not come."""


class PacketReader:
    """An open file and its video stream. After any call that seeks, earlier iterators are dead."""

    def __init__(self, uri: str, threads: int) -> None:
        """
        Raises:
            OSError, ValueError: the file cannot be opened, or has no video that can be decoded.
        """
        self._uri, self._threads = uri, threads
        self._container: av.container.InputContainer | None = None
        self.open()

    def open(self) -> None:
        """Open the file, again where it is open: the way back to its first packet that every container knows."""
        self.close()
        self._container = open_container(self._uri)
        stream = video_stream(self._container)
        if stream is None or stream.codec_context is None:
            self.close()
            raise ValueError("it has no video stream that can be decoded")
        prepare_decoder(stream, self._threads)
        self.stream = stream

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def after_seek(self, pts: int) -> Iterator[av.Packet]:
        """Packets from where the container takes us for a time: often, not always, the keyframe before it."""
        import av

        try:
            self._container.seek(pts, stream=self.stream)
        except av.error.FFmpegError:
            self.open()  # It cannot seek there; from the beginning everything is reached.
        self.stream.codec_context.flush_buffers()
        return self.here()

    def here(self) -> Iterator[av.Packet]:
        return from_keyframe(self._container.demux(self.stream))

    def at_keyframe(self, target: int) -> Iterator[av.Packet]:
        """Packets from a keyframe that is shown no later than the target; from the beginning, where none is found."""
        for step_s in STEPS_BACK_S:
            packets = self.after_seek(target - int(step_s / self.stream.time_base))
            first = next(packets, None)
            if first is not None and first.pts is not None and first.pts <= target:
                return itertools.chain([first], packets)
        self.open()
        return self.here()

    def with_run_in(self, target: int) -> tuple[Iterator[av.Packet], int]:
        """Packets from one group of pictures earlier, and the time of the keyframe from which frames can be trusted.

        What the decoder says before that keyframe is of no account.

        Raises:
            Unsure: there are no two keyframes before the target.
        """
        first = next(self.at_keyframe(target), None)
        if first is None or first.pts is None:
            raise Unsure
        for step_s in STEPS_BACK_S:
            packets = self.after_seek(first.pts - 1 - int(step_s / self.stream.time_base))
            run_in = []
            for packet in packets:
                run_in.append(packet)
                if packet.is_keyframe and len(run_in) > 1:
                    break
            if len(run_in) > 1 and run_in[-1].is_keyframe and run_in[-1].pts is not None and run_in[-1].pts <= target:
                return itertools.chain(run_in, packets), run_in[-1].pts
        raise Unsure


def from_keyframe(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """Packets from the first keyframe on, without those shown before it although they come after it."""
    keyframe: av.Packet | None = None
    for packet in packets:
        if packet.size == 0:
            continue
        if keyframe is None:
            if not packet.is_keyframe:
                continue
            keyframe = packet
        elif packet.pts is not None and keyframe.pts is not None and packet.pts < keyframe.pts:
            continue
        yield packet


def with_successors(packets: Iterable[av.Packet]) -> Iterator[tuple[av.Packet, int | None]]:
    """Each packet with the presentation time of the frame shown after it (None for the last one).

    A decoding time is never past its presentation time, so once a packet's decoding time has reached a presentation
    time, every frame shown before that has been seen.

    Raises:
        Unsure: a packet without times.
    """
    queue: deque[av.Packet] = deque()
    shown: list[int] = []
    for packet in packets:
        if packet.pts is None or packet.dts is None:
            raise Unsure
        queue.append(packet)
        if not packet.is_discard:
            insort(shown, packet.pts)
        while queue:
            after = bisect_right(shown, queue[0].pts)
            if after == len(shown) or packet.dts < shown[after]:
                break
            yield queue.popleft(), shown[after]
        # Only times that packets still in the queue, or after it, can be compared with are kept.
        if len(shown) > 4096 and queue:
            del shown[: bisect_left(shown, min(waiting.pts for waiting in queue))]
    while queue:
        after = bisect_right(shown, queue[0].pts)
        yield queue.popleft(), shown[after] if after < len(shown) else None
