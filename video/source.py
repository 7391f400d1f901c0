"""One open video: the frames on the screen at given times, decoding as little as gives exactly those.

Packets carry their presentation times, so which frame is on the screen at a time is known before anything is decoded.
Frames that no other frame refers to, and that nobody asked for, are then skipped by the decoder. Where a file does not
bear this out (no times, frames that do not come, damage), everything is decoded in order from further back.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from video.clock import Clock
from video.opening import open_container, prepare_decoder, video_stream
from video.picture import Encoded, PictureMaker
from video.types import Frame, FrameError

if TYPE_CHECKING:
    import av

SKIPPING_CODECS = frozenset({"h264", "hevc", "vp9"})
"""Decoders that skip unreferenced frames packet by packet and leave all others as they are."""
NEAR_S = 10.0
"""Wanted frames further apart than this are never reached by decoding on."""
NEAR_WITHOUT_INDEX_S = 2.0
END_TOLERANCE_S = 1.0
"""How far past the end a time still shows the last frame."""
STEPS_BACK_S = (0.0, 1.0, 5.0, 20.0)
"""How much earlier to look for a keyframe when the container's seek came out too late."""


class _Unsure(Exception):
    """The packets' times do not tell which frame is shown, or the frame they tell did not come."""


class VideoSource:
    """Not thread-safe: `video.reader.ReaderPool` gives each caller its turn."""

    def __init__(self, uri: str, min_pixels: int, max_pixels: int, *, threads: int = 1) -> None:
        """Open the file and decode its first frame, whose time is zero.

        Raises:
            FrameError: the file cannot be opened, or shows no frame.
        """
        self.uri, self._threads = uri, threads
        self._maker = PictureMaker(min_pixels, max_pixels)
        self._container: av.container.InputContainer | None = None
        try:
            self._open()
            first = next(self._decoded(), None)
        except (OSError, ValueError) as error:
            self.close()
            raise FrameError(uri, 0.0, f"cannot be opened: {error}") from error
        if first is None or first.pts is None:
            self.close()
            raise FrameError(uri, 0.0, "the video shows no frame with a time")
        self.clock = Clock(first.pts, self._stream.time_base)

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def frames_at(self, times_s: Sequence[float]) -> list[Frame]:
        """The frame on the screen at each time, in the order of the times.

        Raises:
            FrameError: a time more than a second past the end, or a frame that cannot be decoded.
        """
        targets = {time_s: self.clock.ticks(time_s) for time_s in times_s}
        wanted = sorted(set(targets.values()))
        shown: dict[int, tuple[int, Encoded]] = {}
        for run in self._runs(wanted):
            shown.update(self._read(run))
        frames = []
        for time_s in times_s:
            pts, picture = shown[targets[time_s]]
            frames.append(
                Frame(picture.frame_id, self.clock.seconds(pts), time_s, picture.width, picture.height, picture.jpeg)
            )
        return frames

    def _open(self) -> None:
        self.close()
        self._container = open_container(self.uri)
        stream = video_stream(self._container)
        if stream is None or stream.codec_context is None:
            raise ValueError("it has no video stream that can be decoded")
        self._stream = stream
        prepare_decoder(stream, self._threads)
        self._aspect = float(stream.sample_aspect_ratio or 1) or 1.0

    def _runs(self, targets: list[int]) -> Iterator[list[int]]:
        """Targets in groups, each of which is read by one seek and one stretch of decoding."""
        index = self._stream.index_entries
        indexed = len(index) > 0
        near = (NEAR_S if indexed else NEAR_WITHOUT_INDEX_S) / self.clock.time_base
        run: list[int] = []
        group = None
        for target in targets:
            found = index.search_timestamp(target) if indexed else 0
            if run and (found != group or target - run[-1] > near):
                yield run
                run = []
            run.append(target)
            group = found
        if run:
            yield run

    def _read(self, run: list[int]) -> dict[int, tuple[int, Encoded]]:
        import av

        try:
            return self._read_wanted(run)
        except (_Unsure, av.error.FFmpegError):
            pass  # Not a failure yet: the thorough way decides.
        shown: dict[int, tuple[int, Encoded]] = {}
        try:
            self._read_all(run, shown)
        except (av.error.FFmpegError, _Unsure) as error:
            missing = next(target for target in run if target not in shown)
            raise self._error(missing, f"it cannot be decoded ({error})") from error
        return shown

    def _read_wanted(self, run: list[int]) -> dict[int, tuple[int, Encoded]]:
        """Decode from the keyframe before the first target, skipping what neither a target nor its decoding needs."""
        context = self._stream.codec_context
        skips = context.codec.canonical_name in SKIPPING_CODECS
        wanted: dict[int, list[int]] = {}
        pictures: dict[int, Encoded] = {}
        resolved = 0

        def collect(frames: list[av.VideoFrame]) -> None:
            for frame in frames:
                if frame.pts in wanted and frame.pts not in pictures:
                    if frame.is_corrupt:
                        raise _Unsure
                    pictures[frame.pts] = self._maker.encode(frame, self._aspect)

        try:
            for packet, until in _with_successors(self._packets_from_keyframe(run[0])):
                first = bisect_left(run, packet.pts)
                last = len(run) if until is None else bisect_left(run, until)
                if first < last and not packet.is_discard:
                    if until is None:
                        self._check_end(run[-1], packet)
                    wanted[packet.pts] = run[first:last]
                    resolved += last - first
                if skips:
                    context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
                collect(context.decode(packet))
                if resolved == len(run):
                    break
            collect(context.decode(None))
        finally:
            context.skip_frame = "DEFAULT"
        if resolved < len(run) or len(pictures) < len(wanted):
            raise _Unsure
        return {target: (pts, pictures[pts]) for pts, targets in wanted.items() for target in targets}

    def _packets_from_keyframe(self, target: int) -> Iterator[av.Packet]:
        """Packets in decoding order from a keyframe that is shown no later than the target."""
        for step_s in STEPS_BACK_S:
            packets = self._packets_after_seek(target - int(step_s / self.clock.time_base))
            first = next((packet for packet in packets if packet.is_keyframe and not packet.is_discard), None)
            if first is not None and first.pts is not None and first.pts <= target:
                yield first
                yield from packets
                return
        self._open()
        yield from self._packets()

    def _packets_after_seek(self, pts: int) -> Iterator[av.Packet]:
        import av

        try:
            self._container.seek(pts, stream=self._stream)
        except av.error.FFmpegError:
            # A demuxer that cannot seek there; from the beginning everything is reached.
            self._open()
        self._stream.codec_context.flush_buffers()
        return self._packets()

    def _packets(self) -> Iterator[av.Packet]:
        for packet in self._container.demux(self._stream):
            if packet.size:
                yield packet

    def _decoded(self) -> Iterator[av.VideoFrame]:
        context = self._stream.codec_context
        for packet in self._packets():
            yield from context.decode(packet)
        yield from context.decode(None)

    def _read_all(self, run: list[int], shown: dict[int, tuple[int, Encoded]]) -> None:
        """Decode every frame in order from well before the first target, and take what is on the screen."""
        for step_s in (*STEPS_BACK_S[1:], None):
            if step_s is None:
                self._open()
            else:
                self._packets_after_seek(run[0] - int(step_s / self.clock.time_base))
            frames = self._from_keyframe() if step_s is not None else self._decoded()
            first = next(frames, None)
            if first is not None and first.pts is not None and first.pts <= run[0]:
                break
        else:
            raise self._error(run[0], "the file cannot be read from its beginning again")
        pending = deque(run)
        current = first
        for frame in frames:
            if frame.pts is None or frame.pts <= current.pts:
                raise self._error(pending[0], "the frames' times do not increase there")
            self._take(pending, current, frame.pts, shown)
            if not pending:
                return
            current = frame
        if pending:
            self._check_end(pending[-1], current)
            self._take(pending, current, None, shown)

    def _from_keyframe(self) -> Iterator[av.VideoFrame]:
        context = self._stream.codec_context
        packets = self._packets()
        first = next((packet for packet in packets if packet.is_keyframe), None)
        if first is not None:
            yield from context.decode(first)
        for packet in packets:
            yield from context.decode(packet)
        yield from context.decode(None)

    def _take(
        self, pending: deque[int], frame: av.VideoFrame, until: int | None, shown: dict[int, tuple[int, Encoded]]
    ) -> None:
        picture = None
        while pending and (until is None or pending[0] < until):
            if frame.is_corrupt:
                raise self._error(pending[0], "the frame is damaged")
            picture = picture or self._maker.encode(frame, self._aspect)
            shown[pending.popleft()] = (frame.pts, picture)

    def _check_end(self, target: int, last: av.Packet | av.VideoFrame) -> None:
        end = last.pts + (last.duration or 0)
        if (target - end) * self.clock.time_base > END_TOLERANCE_S:
            raise self._error(target, f"the video ends at {self.clock.seconds(end):.3f} s")

    def _error(self, target: int, reason: str) -> FrameError:
        return FrameError(self.uri, self.clock.seconds(target), reason)


def _with_successors(packets: Iterator[av.Packet]) -> Iterator[tuple[av.Packet, int | None]]:
    """Each packet with the presentation time of the frame shown after it (None for the last one).

    A decoding time is never past its presentation time, so once a packet's decoding time has reached a presentation
    time, every frame shown before that has been seen.
    """
    queue: deque[av.Packet] = deque()
    shown: list[int] = []
    for packet in packets:
        if packet.pts is None or packet.dts is None:
            raise _Unsure
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
