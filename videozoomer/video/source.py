"""One open video: returns the frames on the screen at given times and decodes no more than it must.

Packets carry presentation times, so it is known before decoding which frame is on the screen at a time. The decoder
then skips frames that nobody asked for and that no other frame refers to. Where that fails (packets without times,
missing frames, damage), everything is decoded in order from further back.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from videozoomer.places.finding import on_disk
from videozoomer.video.packets import STEPS_BACK_S, FastReadFailed, PacketReader, with_successors
from videozoomer.video.picture import EncodedFrame, FrameEncoder, display_size, orientation_of
from videozoomer.video.random_access import stands_alone
from videozoomer.video.scaling import UnsupportedColours, check_colours
from videozoomer.video.stream_clock import StreamClock
from videozoomer.video.types import Frame, FrameError

if TYPE_CHECKING:
    import av

SKIPPING_CODECS = frozenset({"h264", "hevc", "vp9"})
"""Decoders that can skip unreferenced frames packet by packet without changing the others."""
NEAR_S = 10.0
"""To reach a frame further away than this, seek instead of decoding on."""
NEAR_WITHOUT_INDEX_S = 2.0
"""The same for a container without an index."""
HELD_PICTURES = 20
"""Decoded pictures that an open decoder may keep, for the estimate of its memory."""
MOST_UNCODED_BYTES = 19
"""MPEG-4 packets up to this size may say that there is no picture at their time (FFmpeg's MAX_NVOP_SIZE). The decoder
shows nothing for them, or the picture before at its end."""
END_TOLERANCE_S = 1.0
"""How far past the end a time still shows the last frame."""

Shown = dict[int, tuple[int, EncodedFrame]]
"""Requested time -> (pts, picture) of the frame on the screen, in ticks."""


class VideoSource:
    """Not thread-safe: `videozoomer.video.reader.ReaderPool` gives each caller its turn."""

    def __init__(
        self,
        uri: str,
        min_pixels: int,
        max_pixels: int,
        *,
        threads: int = 1,
        unpacked_dir: str | Path | None = None,
        stream: int | None = None,
    ) -> None:
        """Open the file and decode its first frame, whose time is zero.

        A film that an archive compresses is unpacked into `unpacked_dir`; without one, for as long as it is open.
        `stream` is the position of the video stream to read; by default the one that FFmpeg takes.

        Raises:
            FrameError: the file cannot be opened, or shows no frame.
        """
        import av

        self.uri = uri
        self._open_groups = False
        self._entries: dict[int, int] = {}
        """Time of a picture that is falsely marked as a keyframe -> where decoding begins instead, in ticks."""
        try:
            self._reader = PacketReader(on_disk(uri, unpacked_dir), threads, stream)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise FrameError(uri, 0.0, f"cannot be opened: {error}") from error
        self._encoder = FrameEncoder(min_pixels, max_pixels, self._reader.declared)
        try:
            first, first_pts = self._first()
        except (OSError, ValueError, av.error.FFmpegError) as error:
            self.close()
            raise FrameError(uri, 0.0, f"its first frame cannot be decoded: {error}; re-encode the video") from error
        if first is None or first_pts is None:
            self.close()
            raise FrameError(uri, 0.0, "the video shows no frame with a time; remux it, for example to MP4")
        try:
            check_colours(first, self._reader.declared)
        except UnsupportedColours as error:
            self.close()
            raise FrameError(uri, 0.0, str(error)) from error
        self.clock = StreamClock(first_pts, self._reader.time_base)
        context = self._reader.stream.codec_context
        self.memory_bytes = context.width * context.height * 2 * HELD_PICTURES
        """Estimated memory of the open decoder: pictures it may still refer to, at two bytes a pixel."""
        try:
            self._orientation = orientation_of(first)
        except ValueError as error:
            self.close()
            raise FrameError(uri, 0.0, f"its orientation cannot be read: {error}; re-encode the video") from error
        self._aspect = float(self._reader.stream.sample_aspect_ratio or 1) or 1.0
        self.display_size = display_size(first, self._aspect, self._orientation)
        """Width and height on a screen with square pixels."""
        self.facts = self._reader.facts(first)

    def close(self) -> None:
        self._reader.close()

    def _first(self) -> tuple[av.VideoFrame | None, int | None]:
        """The first frame, and time zero in ticks."""
        first = next(self._decoded(self._reader.from_here()), None)
        return first, None if first is None else first.pts

    def frames_at(self, times_s: Sequence[float]) -> list[Frame]:
        """The frame on the screen at each time, in the order of the times.

        Raises:
            FrameError: a time is more than a second past the end, or a frame cannot be decoded.
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
        """Targets in groups; one seek and one run of decoding reads a group."""
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
        """Tries the ways to read, cheapest first. Only when the last one fails too is the file at fault."""
        import av

        if not self._open_groups:
            try:
                return self._read_wanted(run, self._reader.at_keyframe(run[0]), None)
            except (FastReadFailed, OSError, ValueError, av.error.FFmpegError):
                self._reader.reopen()  # A decoder that met damage can return wrong pictures, even after a seek.
        try:
            shown = self._read_wanted(run, *self._reader.with_run_in(run[0]))
            self._open_groups = True
            return shown
        except (FastReadFailed, OSError, ValueError, av.error.FFmpegError):
            self._reader.reopen()
        shown = {}
        try:
            self._read_all(run, shown)
            return shown
        except (av.error.FFmpegError, OSError, ValueError):
            self._reader.reopen()
        shown = {}
        try:
            self._read_all(run, shown, from_start=True)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._reader.reopen()
            missing = next(target for target in run if target not in shown)
            reason = (None if isinstance(error, ValueError) else error.strerror) or error
            raise self._error(missing, f"it cannot be read ({reason}); re-encode the video") from error
        return shown

    def _read_wanted(self, run: list[int], packets: Iterator[av.Packet], trusted_pts: int | None) -> Shown:
        """Decode what the targets need and skip the rest. Errors before the keyframe at `trusted_pts` are ignored."""
        import av

        context = self._reader.stream.codec_context
        codec = context.codec.canonical_name
        skips, may_be_uncoded = codec in SKIPPING_CODECS, codec == "mpeg4"
        trusted = trusted_pts is None
        wanted: dict[int, list[int]] = {}
        pictures: dict[int, EncodedFrame] = {}
        resolved = 0

        entry = trusted_pts

        def collect(frames: list[av.VideoFrame]) -> None:
            for frame in frames:
                pts = frame.pts
                if pts == entry and not self._is_entry(frame):
                    raise FastReadFailed
                if pts is not None and pts in wanted and pts not in pictures:
                    if frame.is_corrupt:
                        raise FastReadFailed
                    pictures[pts] = self._encoder.encode(frame, self._aspect, self._orientation)

        try:
            for packet, pts, until in with_successors(packets):
                entry = pts if entry is None else entry
                first = bisect_left(run, pts)
                last = len(run) if until is None else bisect_left(run, until)
                if first < last and not packet.is_discard:
                    if may_be_uncoded and packet.size <= MOST_UNCODED_BYTES:
                        raise FastReadFailed
                    if until is None:
                        self._check_end(run[-1], pts, packet.duration)
                    wanted[pts] = run[first:last]
                    resolved += last - first
                trusted = trusted or pts == trusted_pts
                if skips:
                    context.skip_frame = "DEFAULT" if pts in wanted else "NONREF"
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
            raise FastReadFailed
        return {target: (pts, pictures[pts]) for pts, targets in wanted.items() for target in targets}

    def _read_all(self, run: list[int], shown: Shown, *, from_start: bool = False) -> None:
        """Decode every frame in order from well before the first target, and take those on the screen."""
        found = None if from_start else self._from_entry(run[0])
        if found is None:
            self._reader.reopen()
            frames = self._decoded(self._reader.from_here())
            current = next(frames, None)
        else:
            current, frames = found
        if current is None or current.pts is None or current.pts > run[0]:
            raise self._error(run[0], "the frames before it cannot be read; re-encode the video")
        pts, pending = current.pts, deque(run)
        for frame in frames:
            if frame.pts is None or frame.pts <= pts:
                raise self._error(pending[0], "the times of its frames do not increase there; re-encode the video")
            self._take(pending, pts, current, frame.pts, shown)
            if not pending:
                return
            pts, current = frame.pts, frame
        self._check_end(pending[-1], pts, current.duration)
        self._take(pending, pts, current, None, shown)

    def _from_entry(self, target: int) -> tuple[av.VideoFrame, Iterator[av.VideoFrame]] | None:
        """The frame at which decoding can begin, from a second before a time back, and those after it.

        None if there is none but the first one. Each keyframe is tried once: of those that are marked as keyframes but
        refer to others, it is remembered where decoding begins instead.
        """
        steps = [int(step_s / self.clock.time_base) for step_s in STEPS_BACK_S[1:]]
        at = target - steps.pop(0)
        passed: list[int] = []
        while at > self.clock.first_pts:
            packets = self._reader.after_seek(at)
            first = next(packets, None)
            landed = None if first is None else first.pts
            if first is None or landed is None or landed in passed:
                return None  # The container seeks nowhere further back.
            if (known := self._entries.get(landed, landed)) != landed:
                passed.append(landed)
                at = known
                continue
            frames = self._decoded(itertools.chain([first], packets))
            current = next(frames, None)
            if current is None or current.pts is None or current.pts > target:
                if not steps:
                    return None
                at = target - steps.pop(0)
                continue
            if self._is_entry(current) or current.pts == self.clock.first_pts:
                self._entries |= dict.fromkeys(passed, landed)
                return current, frames
            passed.append(landed)
            at = min(at, landed) - 1
        self._entries |= dict.fromkeys(passed, self.clock.first_pts)
        return None

    def _decoded(self, packets: Iterator[av.Packet]) -> Iterator[av.VideoFrame]:
        context = self._reader.stream.codec_context
        for packet in packets:
            yield from context.decode(packet)
        yield from context.decode(None)

    def _take(self, pending: deque[int], pts: int, frame: av.VideoFrame, until: int | None, shown: Shown) -> None:
        picture = None
        while pending and (until is None or pending[0] < until):
            if frame.is_corrupt:
                raise self._error(pending[0], "the frame is damaged; re-encode the video")
            picture = picture or self._encoder.encode(frame, self._aspect, self._orientation)
            shown[pending.popleft()] = (pts, picture)

    def _check_end(self, target: int, last_pts: int, last_duration: int | None) -> None:
        end = last_pts + (last_duration or 0)
        if (target - end) * self.clock.time_base > END_TOLERANCE_S:
            raise self._error(target, f"the video ends at {self.clock.seconds(end):.3f} s; ask for an earlier time")

    def _error(self, target: int, reason: str) -> FrameError:
        return FrameError(self.uri, self.clock.seconds(target), reason)

    def _is_entry(self, frame: av.VideoFrame) -> bool:
        """Whether decoding can begin at a frame: some containers mark pictures as keyframes that refer to others.

        Decoding from such a picture gives wrong pictures without an error.
        """
        return stands_alone(frame, self._reader.stream.codec_context)
