"""One decode of a file gives everything that ingest needs: shots, overview, signature and the zoom store.

Without shots, `videozoomer.video.seekpass` reads the overview alone.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from videozoomer.protocol.unreadable import unreadable_at
from videozoomer.video.leading import Leading, leading_of
from videozoomer.video.opening import prepare_decoder
from videozoomer.video.overview import overview_times, shot_aware_times
from videozoomer.video.packets import from_keyframe
from videozoomer.video.picture import FrameEncoder, display_size, orientation_of
from videozoomer.video.preflight import (
    Timeline,
    check_boxes,
    check_decoded,
    check_film_file,
    check_timeline,
    colours_checked,
    content_hash,
    has_variable_rate,
    open_checked,
    read_timeline,
)
from videozoomer.video.salvage import REASONS, Salvage, certain_frames, nothing_usable, survey
from videozoomer.video.sampling import (
    CANDIDATE_SPACING_S,
    CachingEncoder,
    FrameSampler,
    FrameSpool,
    TimedFrame,
    grid_times,
)
from videozoomer.video.seekpass import overview_only
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.shots import ShotFinder
from videozoomer.video.signature import SPACING_S, SignatureMaker
from videozoomer.video.source import VideoSource
from videozoomer.video.store import ZoomStoreWriter
from videozoomer.video.stream_clock import StreamClock
from videozoomer.video.stream_facts import declared_colours, facts_of
from videozoomer.video.types import Frame, Quarantine, Shot, VideoRecord
from videozoomer.video.watch import Watch, cpu_limit_s

if TYPE_CHECKING:
    import av

LARGE_PICTURE_PIXELS = 4096 * 2304
"""Above this size each decoder thread would need too much memory, so one decodes."""


def ingest_file(path: str, uri: str, settings: IngestSettings, watch: Watch | None = None) -> Ingested:
    """Read one film from its first frame to its last: `path` is what to open, `uri` its name in the record.

    Raises:
        Quarantine: the file cannot be read from beginning to end.
    """
    watch = watch or Watch()
    size = check_film_file(path)
    watch.allow(cpu_limit_s(size))
    video_id = content_hash(path)
    try:
        found = _ingest_whole(path, uri, video_id, size, settings, watch)
    except Quarantine as error:
        if not settings.salvage or error.reason not in REASONS:
            raise
        found = _ingest_salvaged(path, uri, video_id, size, settings, watch, error)
    return replace(found, record=replace(found.record, bytes=size, video_id=video_id))


def _ingest_whole(path: str, uri: str, video_id: str, size: int, settings: IngestSettings, watch: Watch) -> Ingested:
    """Ingest a file of which every picture can be read.

    Raises:
        Quarantine: one cannot.
    """
    container, stream = open_checked(path, settings.stream)
    with container:
        leading = leading_of(container, stream)
    container, stream = open_checked(path, settings.stream)
    with container:
        check_boxes(path)
        timeline = read_timeline(container, stream, leading)
        check_timeline(timeline, container, stream)
        pixels = stream.codec_context.width * stream.codec_context.height
        threads = _decoder_threads(stream, settings)
    watch.allow(cpu_limit_s(size, len(timeline.pts), pixels, transnet="transnet" in settings.detectors))
    if not settings.shots and (found := overview_only(path, uri, timeline, settings, threads)):
        return found
    container, stream = open_checked(path, settings.stream)
    with container, ExitStack() as cleanup:
        decoded = _Pass(container, stream, timeline, leading, settings, uri, cleanup)
        with colours_checked(decoded.first, decoded.declared):
            decoded.run(watch)
        check_decoded(decoded.clock, timeline, decoded.duration_s)
        return decoded.result(path, video_id)


def _ingest_salvaged(
    path: str, uri: str, video_id: str, size: int, settings: IngestSettings, watch: Watch, damage: Quarantine
) -> Ingested:
    """Ingest what is certain of a damaged file; without shots too, every picture is decoded.

    Raises:
        Quarantine: too little of it is certain.
    """
    try:
        salvage = survey(path, watch, size, settings.stream)
    except Quarantine as error:
        raise nothing_usable(damage, error) from None
    lost, length = salvage.unreadable_s, salvage.duration_s
    cannot = f"{lost / length:.1%} of it ({lost:.1f} of {length:.1f} s) cannot be read"
    if lost > settings.unreadable_share * length:
        limit = f"video.unreadable_share allows {settings.unreadable_share:.0%}"
        raise Quarantine(damage.reason, f"{damage.detail}. {cannot}, and {limit}")
    container, stream = open_checked(path, settings.stream)
    with container, ExitStack() as cleanup:
        decoded = _Pass(container, stream, salvage.timeline, salvage.leading, settings, uri, cleanup, salvage)
        with colours_checked(decoded.first, decoded.declared):
            decoded.run(watch)
        found = decoded.result(path, video_id)
    detail = f"salvaged: {cannot}, because {damage.detail}"
    record = replace(found.record, detail=detail, unreadable_s=lost)
    return replace(found, record=record, bad_spans=salvage.spans)


class _Pass:
    """One decode and everything sampled from it. Use it once."""

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.video.stream.VideoStream,
        timeline: Timeline,
        leading: Leading,
        settings: IngestSettings,
        uri: str,
        cleanup: ExitStack,
        salvage: Salvage | None = None,
    ) -> None:
        self._salvage = salvage
        self._container, self._stream, self._timeline = container, stream, timeline
        self._settings, self._uri = settings, uri
        self._limits = settings.protocol.min_pixels, settings.protocol.max_pixels
        self.declared = declared_colours(stream)
        if salvage is None:
            prepare_decoder(stream, _decoder_threads(stream, settings))
            self._frames = _decoded(container, stream, timeline, leading)
        else:
            self._frames = certain_frames(salvage)
        first = next(self._frames, None)
        if first is None:
            raise Quarantine("no_frames", "its video stream has no frame that can be shown; remove it from the source")
        first_pts, self.first = self._last = first
        self.clock = StreamClock(first_pts, timeline.time_base) if salvage is None else salvage.clock
        self._orientation = orientation_of(self.first)
        self._aspect = float(stream.sample_aspect_ratio or 1) or 1.0
        self._pts = array("q")
        self._signer = SignatureMaker(self.declared, self._orientation)
        cleanup.callback(self._signer.close)
        # Planned from the packets; the decode may show other times.
        last_pts = int(timeline.pts[-1])
        self._planned_end_s = self._end_s(last_pts, None)
        self._planned_s = self._overview_times(self._planned_end_s, self.clock.seconds(last_pts))
        average_fps = len(timeline.pts) / self._planned_end_s
        self._shots = ShotFinder(settings.detectors if settings.shots else (), average_fps, self.declared)
        self._spool = FrameSpool(self.clock)
        cleanup.callback(self._spool.close)
        self._store: ZoomStoreWriter | None = None
        self._samplers = list(self._make_samplers(cleanup))

    def run(self, watch: Watch) -> None:
        following: TimedFrame | None
        pictures = len(self._timeline.pts)
        while True:
            following = next(self._frames, None)
            pts, frame = self._last
            self._pts.append(pts)
            watch.reached(min(1.0, len(self._pts) / pictures))
            self._shots.take(frame, self.clock.seconds(pts))
            until = None if following is None else following[0]
            certain_until = None if self._salvage is None else self._salvage.until[len(self._pts) - 1]
            for sampler in self._samplers:
                sampler.offer(pts, frame, until, certain_until)
            if following is None:
                break
            if certain_until is not None and certain_until < following[0]:
                self._shots.interrupt()
            if following[0] <= pts:
                before_s, after_s = self.clock.seconds(pts), self.clock.seconds(following[0])
                detail = f"after {before_s:.3f} s comes a frame at {after_s:.3f} s; re-encode it"
                raise Quarantine("times_not_increasing", detail)
            self._last = following
        self.last_s = self.clock.seconds(pts)
        self.duration_s = self._end_s(pts, frame.duration) if self._salvage is None else self._salvage.duration_s

    def result(self, path: str, video_id: str) -> Ingested:
        import numpy as np

        settings = self._settings
        shots = self._shots.shots(self.duration_s) if settings.shots else ()
        overview = self._overview(path, shots)
        width, height = display_size(self.first, self._aspect, self._orientation)
        record = VideoRecord(
            self._uri,
            "ok",
            video_id=video_id,
            **asdict(facts_of(self._container, self._stream, self.first, self.declared)),
            width=round(width),
            height=round(height),
            duration_s=self.duration_s,
            average_fps=len(self._pts) / (self.duration_s - (self._salvage.unreadable_s if self._salvage else 0.0)),
            variable_rate=not self._salvage.even if self._salvage else has_variable_rate(np.asarray(self._pts)),
            frames=len(self._pts),
            start_offset_s=float(self.clock.first_pts * self.clock.time_base),
            keyframes_s=tuple(
                self.clock.seconds(int(k)) for k in self._timeline.keyframes if k >= self.clock.first_pts
            ),
        )
        if self._store is not None:
            end_pts = self._pts[-1] + round(self.duration_s / self.clock.time_base) - (self._pts[-1] - self._pts[0])
            self._store.finish(self.clock, self._pts, end_pts, video_id, self._salvage.gaps if self._salvage else ())
        signature = self._signer.finish(width / height) if settings.shots else ()
        return Ingested(record, shots, self._shots.name, overview, settings.overview, signature=signature)

    def _make_samplers(self, cleanup: ExitStack) -> Iterator[FrameSampler]:
        settings, clock = self._settings, self.clock
        limits = self._limits
        encoder = CachingEncoder(FrameEncoder(*limits, self.declared), self._aspect, self._orientation)
        end_s = self._planned_end_s
        times = self._planned_s if settings.overview == "uniform" else grid_times(CANDIDATE_SPACING_S, end_s)
        yield FrameSampler(
            clock, times, lambda time_s, pts, frame: self._spool.put(time_s, pts, encoder.encode(pts, frame))
        )
        if settings.shots:
            yield FrameSampler(
                clock, grid_times(SPACING_S, end_s), lambda time_s, pts, frame: self._signer.add(pts, frame)
            )
        if settings.zoom_store_fps > 0 and settings.zoom_store_dir is not None:
            store = ZoomStoreWriter(
                settings.zoom_store_dir,
                self._uri,
                fps=settings.zoom_store_fps,
                min_pixels=limits[0],
                max_pixels=limits[1],
                stream=settings.stream,
            )
            cleanup.callback(store.abandon)
            self._store = store
            grid_s = grid_times(1 / settings.zoom_store_fps, end_s)
            yield FrameSampler(
                clock, grid_s, lambda time_s, pts, frame: store.add(pts, encoder.encode(pts, frame)), exact=True
            )

    def _overview(self, path: str, shots: tuple[Shot, ...]) -> tuple[Frame, ...]:
        settings = self._settings
        times_s = self._overview_times(self.duration_s, self.last_s)
        if settings.overview == "shot_aware":
            spans = self._salvage.spans if self._salvage else ()
            candidates = [
                time_s
                for time_s in self._spool.times_s
                if time_s < self.duration_s and unreadable_at(spans, time_s) is None
            ]
            times_s = shot_aware_times(
                shots, candidates, frames=len(times_s), max_frames=settings.protocol.overview_frames
            )
        elif times_s != self._planned_s:
            # The decoder shows other times than the packets announced: read the right ones directly.
            source = VideoSource(path, *self._limits, stream=settings.stream)
            try:
                return tuple(source.frames_at(times_s))
            finally:
                source.close()
        frames = self._spool.frames(times_s)
        if self._salvage is None:
            return frames
        # Several times in a bad span have the same nearest frame; it is shown once.
        return (*frames[:1], *(frame for before, frame in pairwise(frames) if frame.time_s != before.time_s))

    def _overview_times(self, duration_s: float, last_frame_s: float) -> list[float]:
        fps, frames = self._settings.protocol.overview_fps, self._settings.protocol.overview_frames
        return overview_times(duration_s, fps=fps, max_frames=frames, last_frame_s=last_frame_s)

    def _end_s(self, last_pts: int, duration: int | None) -> float:
        """End of the last frame. A single frame without a duration counts as one tick, not as zero."""
        return self.clock.seconds(last_pts + (duration or self._timeline.last_duration or 1))


def _decoder_threads(stream: av.video.stream.VideoStream, settings: IngestSettings) -> int:
    large = stream.codec_context.width * stream.codec_context.height > LARGE_PICTURE_PIXELS
    return 1 if large else max(1, settings.threads)


def _decoded(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    timeline: Timeline,
    leading: Leading,
) -> Iterator[TimedFrame]:
    """Every frame in order, with its presentation time in ticks.

    Raises:
        Quarantine: damaged, no_times.
    """
    import av

    seen = first = int(timeline.pts[0])

    def near() -> str:
        return f"near {float((seen - first) * timeline.time_base):.1f} s"

    try:
        for packet in itertools.chain(from_keyframe(container.demux(stream), leading), [None]):
            if packet is not None and packet.is_corrupt:
                raise Quarantine("damaged", f"its data is corrupt {near()}; repair or re-encode it")
            for frame in stream.codec_context.decode(packet):
                if frame.pts is None:
                    raise Quarantine("no_times", "its frames have no presentation times; remux it, for example to MP4")
                seen = frame.pts
                if frame.is_corrupt:
                    raise Quarantine("damaged", f"the picture {near()} is damaged; repair or re-encode it")
                yield frame.pts, frame
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        raise Quarantine("damaged", f"the decoder fails {near()} ({error.strerror}); repair or re-encode it") from None
