"""One open video: the frames on the screen at given times, decoding as little as gives exactly those.

Packets carry their presentation times, so which frame is on the screen at a time is known before anything is decoded.
Frames that no other frame refers to, and that nobody asked for, are then skipped by the decoder. Where a file does not
bear this out (no times, frames that do not come, damage), everything is decoded in order from further back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from videozoomer.video.clock import Clock
from videozoomer.video.packets import STEPS_BACK_S, PacketReader, Unsure, with_successors
from videozoomer.video.picture import Encoded, PictureMaker, turn_of
from videozoomer.video.types import Frame, FrameError

if TYPE_CHECKING:
    import av

SKIPPING_CODECS = frozenset({"h264", "hevc", "vp9"})
"""Decoders that skip unreferenced frames packet by packet and leave all others as they are."""
NEAR_S = 10.0
"""Wanted frames further apart than this are never reached by decoding on."""
NEAR_WITHOUT_INDEX_S = 2.0
HELD_PICTURES = 20
END_TOLERANCE_S = 1.0
"""How far past the end a time still shows the last frame."""

Shown = dict[int, tuple[int, Encoded]]
"""Time asked for -> time and picture of the frame on the screen, times in ticks."""


class VideoSource:
    """Not thread-safe: `videozoomer.video.reader.ReaderPool` gives each caller its turn."""

    def __init__(self, uri: str, min_pixels: int, max_pixels: int, *, threads: int = 1) -> None:
        """Open the file and decode its first frame, whose time is zero.

        Raises:
            FrameError: the file cannot be opened, or shows no frame.
        """
        import av

        self.uri = uri
        self._maker = PictureMaker(min_pixels, max_pixels)
        self._open_groups = False
        try:
            self._reader = PacketReader(uri, threads)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise FrameError(uri, 0.0, f"cannot be opened: {error}") from error
        try:
            first = next(self._decoded(self._reader.here()), None)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            self.close()
            raise FrameError(uri, 0.0, f"its first frame cannot be decoded: {error}") from error
        if first is None or first.pts is None:
            self.close()
            raise FrameError(uri, 0.0, "the video shows no frame with a time")
        self.clock = Clock(first.pts, self._reader.stream.time_base)
        context = self._reader.stream.codec_context
        self.memory_bytes = context.width * context.height * 2 * HELD_PICTURES
        """About what the open decoder holds: pictures it may still refer to, at two bytes a pixel."""
        self._turn = turn_of(first)
        self._aspect = float(self._reader.stream.sample_aspect_ratio or 1) or 1.0

    def close(self) -> None:
        self._reader.close()

    def frames_at(self, times_s: Sequence[float]) -> list[Frame]:
        """The frame on the screen at each time, in the order of the times.

        Raises:
            FrameError: a time more than a second past the end, or a frame that cannot be decoded.
        """
        targets = [self.clock.ticks(time_s) for time_s in times_s]
        shown: Shown = {}
        for run in self._runs(sorted(set(targets))):
            shown.update(self._read(run))
        frames = []
        for time_s, target in zip(times_s, targets, strict=True):
            pts, picture = shown[target]
            frames.append(
                Frame(picture.frame_id, self.clock.seconds(pts), time_s, picture.width, picture.height, picture.jpeg)
            )
        return frames

    def _runs(self, targets: list[int]) -> list[list[int]]:
        """Targets in groups, each of which is read by one seek and one stretch of decoding."""
        index = self._reader.stream.index_entries
        indexed = len(index) > 0
        near = (NEAR_S if indexed else NEAR_WITHOUT_INDEX_S) / self.clock.time_base
        runs: list[list[int]] = []
        group = None
        for target in targets:
            found = index.search_timestamp(target) if indexed else 0
            if not runs or found != group or target - runs[-1][-1] > near:
                runs.append([])
            runs[-1].append(target)
            group = found
        return runs

    def _read(self, run: list[int]) -> Shown:
        """The ways to read, cheapest first: one that fails says nothing of the file before the last has failed."""
        import av

        if not self._open_groups:
            try:
                return self._read_wanted(run, self._reader.at_keyframe(run[0]), None)
            except (Unsure, OSError, av.error.FFmpegError):
                pass
        try:
            shown = self._read_wanted(run, *self._reader.with_run_in(run[0]))
            self._open_groups = True
            return shown
        except (Unsure, OSError, av.error.FFmpegError):
            pass
        shown = {}
        try:
            self._read_all(run, shown)
        except (av.error.FFmpegError, OSError) as error:
            missing = next(target for target in run if target not in shown)
            raise self._error(missing, f"it cannot be read ({error.strerror or error})") from error
        return shown

    def _read_wanted(self, run: list[int], packets: Iterator[av.Packet], trusted_pts: int | None) -> Shown:
        """Decode what the targets need and skip the rest. Before the keyframe at `trusted_pts` errors do not count."""
        import av

        context = self._reader.stream.codec_context
        skips = context.codec.canonical_name in SKIPPING_CODECS
        trusted = trusted_pts is None
        wanted: dict[int, list[int]] = {}
        pictures: dict[int, Encoded] = {}
        resolved = 0

        def collect(frames: list[av.VideoFrame]) -> None:
            for frame in frames:
                if frame.pts in wanted and frame.pts not in pictures:
                    if frame.is_corrupt:
                        raise Unsure
                    pictures[frame.pts] = self._maker.encode(frame, self._aspect, self._turn)

        try:
            for packet, until in with_successors(packets):
                first = bisect_left(run, packet.pts)
                last = len(run) if until is None else bisect_left(run, until)
                if first < last and not packet.is_discard:
                    if until is None:
                        self._check_end(run[-1], packet)
                    wanted[packet.pts] = run[first:last]
                    resolved += last - first
                trusted = trusted or packet.pts == trusted_pts
                if skips:
                    context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
                try:
                    collect(context.decode(packet))
                except av.error.FFmpegError:
                    if trusted:
                        raise
                if resolved == len(run):
                    break
            collect(context.decode(None))
        finally:
            context.skip_frame = "DEFAULT"
        if resolved < len(run) or len(pictures) < len(wanted):
            raise Unsure
        return {target: (pts, pictures[pts]) for pts, targets in wanted.items() for target in targets}

    def _read_all(self, run: list[int], shown: Shown) -> None:
        """Decode every frame in order from well before the first target, and take what is on the screen."""
        for step_s in STEPS_BACK_S[1:]:
            frames = self._decoded(self._reader.after_seek(run[0] - int(step_s / self.clock.time_base)))
            current = next(frames, None)
            if current is not None and current.pts is not None and current.pts <= run[0]:
                break
        else:
            self._reader.open()
            frames = self._decoded(self._reader.here())
            current = next(frames, None)
        if current is None or current.pts is None or current.pts > run[0]:
            raise self._error(run[0], "the frames before it cannot be read")
        pending = deque(run)
        for frame in frames:
            if frame.pts is None or frame.pts <= current.pts:
                raise self._error(pending[0], "the frames' times do not increase there")
            self._take(pending, current, frame.pts, shown)
            if not pending:
                return
            current = frame
        self._check_end(pending[-1], current)
        self._take(pending, current, None, shown)

    def _decoded(self, packets: Iterator[av.Packet]) -> Iterator[av.VideoFrame]:
        context = self._reader.stream.codec_context
        for packet in packets:
            yield from context.decode(packet)
        yield from context.decode(None)

    def _take(self, pending: deque[int], frame: av.VideoFrame, until: int | None, shown: Shown) -> None:
        picture = None
        while pending and (until is None or pending[0] < until):
            if frame.is_corrupt:
                raise self._error(pending[0], "the frame is damaged")
            picture = picture or self._maker.encode(frame, self._aspect, self._turn)
            shown[pending.popleft()] = (frame.pts, picture)

    def _check_end(self, target: int, last: av.Packet | av.VideoFrame) -> None:
        end = last.pts + (last.duration or 0)
        if (target - end) * self.clock.time_base > END_TOLERANCE_S:
            raise self._error(target, f"the video ends at {self.clock.seconds(end):.3f} s")

    def _error(self, target: int, reason: str) -> FrameError:
        return FrameError(self.uri, self.clock.seconds(target), reason)
