"""One decode of a file gives all that ingest wants of it: shots, overview, signature, and the zoom store."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from videozoomer.video.clock import Clock
from videozoomer.video.opening import prepare_decoder
from videozoomer.video.overview import overview_times, shot_aware_times
from videozoomer.video.packets import from_keyframe
from videozoomer.video.picture import PictureMaker, display_size, turn_of
from videozoomer.video.preflight import (
    Timeline,
    check_decoded,
    check_file,
    check_timeline,
    content_hash,
    open_checked,
    read_timeline,
)
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.shots import ShotFinder
from videozoomer.video.signature import SPACING_S, SignatureMaker
from videozoomer.video.source import VideoSource
from videozoomer.video.store import ZoomStoreWriter
from videozoomer.video.taps import CANDIDATE_SPACING_S, FrameSpool, Pictures, Tap, grid
from videozoomer.video.types import Frame, Quarantine, Shot, VideoRecord

if TYPE_CHECKING:
    import av

UNEVEN_SHARE = 0.1
"""A rate varies when the longest and the shortest spacing of frames differ by more than this share of the mean."""


def ingest_file(path: Path, uri: str, settings: IngestSettings) -> Ingested:
    """Read one local file from its first frame to its last. `uri` is what others call it.

    Raises:
        Quarantine: the file cannot be read from beginning to end.
    """
    record = VideoRecord(uri, "ok", bytes=check_file(path))
    record = replace(record, video_id=content_hash(path))
    container, stream = open_checked(path)
    with container:
        timeline = read_timeline(container, stream)
        check_timeline(timeline, container, stream)
    container, stream = open_checked(path)
    with container, ExitStack() as cleanup:
        decoded = _Pass(container, stream, timeline, settings, record, cleanup)
        decoded.run()
        check_decoded(decoded.clock, timeline, decoded.duration_s)
        return decoded.result(path)


class _Pass:
    """The decode and everything that is drawn from it. Used once."""

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.video.stream.VideoStream,
        timeline: Timeline,
        settings: IngestSettings,
        record: VideoRecord,
        cleanup: ExitStack,
    ) -> None:
        self._container, self._stream, self._timeline = container, stream, timeline
        self._settings, self._record = settings, record
        prepare_decoder(stream, settings.threads)
        self._frames = _decoded(container, stream, timeline)
        first = next(self._frames, None)
        if first is None:
            raise Quarantine("no_frames", "its video stream holds no frame that can be shown; leave it out")
        self._first = self._last = first
        self.clock = Clock(first.pts, timeline.time_base)
        self._turn = turn_of(first)
        self._aspect = float(stream.sample_aspect_ratio or 1) or 1.0
        self._pts = array("q")
        self._signature: list[int] = []
        # What the packets promise; the decode will tell whether it is so.
        last_pts = int(timeline.pts[-1])
        self._planned_end_s = self._end_s(last_pts, None)
        self._planned_s = self._overview_times(self._planned_end_s, self.clock.seconds(last_pts))
        average_fps = len(timeline.pts) / self._planned_end_s
        self._shots = ShotFinder(settings.detectors, average_fps)
        self._spool = FrameSpool(self.clock)
        cleanup.callback(self._spool.close)
        self._store: ZoomStoreWriter | None = None
        self._taps = list(self._make_taps(cleanup))

    def run(self) -> None:
        frame: av.VideoFrame | None
        while True:
            frame = next(self._frames, None)
            last = self._last
            self._pts.append(last.pts)
            self._shots.take(last, self.clock.seconds(last.pts))
            for tap in self._taps:
                tap.offer(last, None if frame is None else frame.pts)
            if frame is None:
                break
            if frame.pts <= last.pts:
                before_s, after_s = self.clock.seconds(last.pts), self.clock.seconds(frame.pts)
                detail = f"after {before_s:.3f} s comes a frame at {after_s:.3f} s; re-encode it"
                raise Quarantine("times_not_increasing", detail)
            self._last = frame
        self.last_s = self.clock.seconds(self._last.pts)
        self.duration_s = self._end_s(self._last.pts, self._last.duration)

    def result(self, path: Path) -> Ingested:
        settings = self._settings
        shots = self._shots.shots(self.duration_s)
        overview = self._overview(path, shots)
        width, height = display_size(self._first, self._aspect, self._turn)
        record = replace(
            self._record,
            container=self._container.format.name,
            codec=self._stream.codec_context.codec.canonical_name,
            width=round(width),
            height=round(height),
            duration_s=self.duration_s,
            average_fps=len(self._pts) / self.duration_s,
            variable_rate=self._varies(),
            frames=len(self._pts),
            has_audio=len(self._container.streams.audio) > 0,
            keyframes_s=tuple(
                self.clock.seconds(int(k)) for k in self._timeline.keyframes if k >= self.clock.first_pts
            ),
            signature=tuple(self._signature),
        )
        if self._store is not None:
            end_pts = self._pts[-1] + round(self.duration_s / self.clock.time_base) - (self._pts[-1] - self._pts[0])
            self._store.finish(self.clock, self._pts, end_pts, record.video_id)
        return Ingested(record, shots, self._shots.name, overview, settings.overview)

    def _make_taps(self, cleanup: ExitStack) -> Iterator[Tap]:
        settings, clock = self._settings, self.clock
        pictures = Pictures(
            PictureMaker(settings.protocol.min_pixels, settings.protocol.max_pixels), self._aspect, self._turn
        )
        signer, end_s = SignatureMaker(), self._planned_end_s
        times = self._planned_s if settings.overview == "uniform" else grid(CANDIDATE_SPACING_S, end_s)
        yield Tap(clock, times, lambda time_s, frame: self._spool.put(time_s, frame.pts, pictures.of(frame)))
        yield Tap(clock, grid(SPACING_S, end_s), lambda _, frame: self._signature.append(signer.hash(frame)))
        if settings.zoom_store_fps > 0:
            store = ZoomStoreWriter(
                settings.zoom_store_dir,
                self._record.uri,
                fps=settings.zoom_store_fps,
                min_pixels=settings.protocol.min_pixels,
                max_pixels=settings.protocol.max_pixels,
            )
            cleanup.callback(store.abandon)
            self._store = store
            spacing_s = 1 / settings.zoom_store_fps
            yield Tap(clock, grid(spacing_s, end_s), lambda _, frame: store.add(frame.pts, pictures.of(frame)))

    def _overview(self, path: Path, shots: tuple[Shot, ...]) -> tuple[Frame, ...]:
        settings = self._settings
        times_s = self._overview_times(self.duration_s, self.last_s)
        if settings.overview == "shot_aware":
            candidates = [time_s for time_s in self._spool.times_s if time_s < self.duration_s]
            times_s = shot_aware_times(
                shots, candidates, frames=len(times_s), max_frames=settings.protocol.overview_frames
            )
        elif times_s != self._planned_s:
            # The decoder kept other times than the packets promised; ask again for the right ones.
            source = VideoSource(str(path), settings.protocol.min_pixels, settings.protocol.max_pixels)
            try:
                return tuple(source.frames_at(times_s))
            finally:
                source.close()
        return self._spool.frames(times_s)

    def _overview_times(self, duration_s: float, last_frame_s: float) -> list[float]:
        fps, frames = self._settings.protocol.overview_fps, self._settings.protocol.overview_frames
        return overview_times(duration_s, fps=fps, max_frames=frames, last_frame_s=last_frame_s)

    def _end_s(self, last_pts: int, duration: int | None) -> float:
        """End of the last frame; a single frame of no duration is taken for one tick, so that it has a length."""
        return self.clock.seconds(last_pts + (duration or self._timeline.last_duration or 1))

    def _varies(self) -> bool:
        import numpy as np

        steps = np.diff(np.asarray(self._pts))
        # Two ticks are what rounding to the container's clock does to an even rate.
        return len(steps) > 0 and bool(np.ptp(steps) > max(2, UNEVEN_SHARE * steps.mean()))


def _decoded(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, timeline: Timeline
) -> Iterator[av.VideoFrame]:
    """Every frame in order.

    Raises:
        Quarantine: damaged, no_times.
    """
    import av

    seen = first = int(timeline.pts[0])

    def near() -> str:
        return f"near {float((seen - first) * timeline.time_base):.1f} s"

    try:
        for packet in itertools.chain(from_keyframe(container.demux(stream)), [None]):
            if packet is not None and packet.is_corrupt:
                raise Quarantine("damaged", f"the data breaks off {near()}; repair or re-encode it")
            for frame in stream.codec_context.decode(packet):
                if frame.pts is None:
                    raise Quarantine("no_times", "its frames have no presentation times; remux it, for example to MP4")
                seen = frame.pts
                if frame.is_corrupt:
                    raise Quarantine("damaged", f"the picture {near()} is damaged; repair or re-encode it")
                yield frame
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        raise Quarantine("damaged", f"the decoder fails {near()} ({error.strerror}); repair or re-encode it") from None
