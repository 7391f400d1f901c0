"""One decode of a file gives all that ingest wants of it: shots, overview, signature, and the zoom store."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from video.clock import Clock
from video.opening import prepare_decoder
from video.overview import overview_times
from video.picture import Encoded, PictureMaker, display_size, turn_of
from video.preflight import Timeline, check_file, content_hash, open_checked, read_timeline
from video.settings import Ingested, IngestSettings
from video.shots import ShotFinder
from video.signature import SPACING_S, SignatureMaker
from video.source import VideoSource
from video.types import Frame, Quarantine, VideoRecord

if TYPE_CHECKING:
    import av

LOST_S = 1.0
"""A video that ends this much (and LOST_SHARE of its length) before its declared end is truncated."""
LOST_SHARE = 0.02
UNEVEN_SHARE = 0.1
"""A rate varies when the longest and the shortest spacing of frames differ by more than this share of the mean."""


@dataclass
class _Wanted:
    """Someone who wants the frame on the screen at certain times."""

    times_s: Iterator[float]
    take: Callable[[float, av.VideoFrame], None]
    next_s: float | None = None
    next_tick: int = 0

    def advance(self, clock: Clock) -> None:
        self.next_s = next(self.times_s, None)
        if self.next_s is not None:
            self.next_tick = clock.ticks(self.next_s)


class OnePass:
    """Reads one local file from its first frame to its last. Used once."""

    def __init__(self, path: Path, uri: str, settings: IngestSettings) -> None:
        self.path, self.uri, self.settings = path, uri, settings

    def run(self) -> Ingested:
        """
        Raises:
            Quarantine: the file cannot be read from beginning to end.
        """
        size = check_file(self.path)
        record = VideoRecord(self.uri, "ok", video_id=content_hash(self.path), bytes=size)
        container, stream = open_checked(self.path)
        try:
            timeline = read_timeline(container, stream)
            declared_end_s = _declared_end_s(container)
        finally:
            container.close()
        container, stream = open_checked(self.path)
        try:
            return self._decode(container, stream, timeline, declared_end_s, record)
        finally:
            container.close()

    def _decode(
        self,
        container: av.container.InputContainer,
        stream: av.video.stream.VideoStream,
        timeline: Timeline,
        declared_end_s: float | None,
        record: VideoRecord,
    ) -> Ingested:
        settings = self.settings
        prepare_decoder(stream, settings.threads)
        frames = _decoded(container, stream, timeline)
        first = next(frames, None)
        if first is None:
            raise Quarantine("no_frames", "its video stream holds no frame that can be shown; leave it out")
        clock = Clock(first.pts, timeline.time_base)
        planned_last_s = clock.seconds(int(timeline.pts[-1]))
        planned_end_s = planned_last_s + float(timeline.last_duration * timeline.time_base)
        # One frame without a duration is taken for one tick, so that it has a length at all.
        planned_end_s = planned_end_s or float(timeline.time_base)
        average_fps = len(timeline.pts) / planned_end_s if planned_end_s > 0 else 1.0
        aspect = float(stream.sample_aspect_ratio or 1) or 1.0

        shots = ShotFinder(settings.detectors, average_fps)
        maker, signer = PictureMaker(settings.min_pixels, settings.max_pixels), SignatureMaker()
        signature: list[int] = []
        overview: list[Frame] = []
        encoded: tuple[int, Encoded] | None = None

        def picture(frame: av.VideoFrame) -> Encoded:
            nonlocal encoded
            if encoded is None or encoded[0] != frame.pts:
                encoded = frame.pts, maker.encode(frame, aspect)
            return encoded[1]

        def into_overview(time_s: float, frame: av.VideoFrame) -> None:
            shown = picture(frame)
            overview.append(
                Frame(shown.frame_id, clock.seconds(frame.pts), time_s, shown.width, shown.height, shown.jpeg)
            )

        def into_signature(_: float, frame: av.VideoFrame) -> None:
            signature.append(signer.hash(frame))

        asked_s = self._overview_times(planned_end_s, planned_last_s)
        wanted = [
            _Wanted(iter(asked_s), into_overview),
            _Wanted(_grid(SPACING_S, planned_end_s), into_signature),
        ]
        for one in wanted:
            one.advance(clock)
        last, count = first, 0
        shortest = longest = None
        for frame in itertools.chain(frames, [None]):
            shots.take(last, clock.seconds(last.pts))
            count += 1
            for one in wanted:
                while one.next_s is not None and (frame is None or one.next_tick < frame.pts):
                    one.take(one.next_s, last)
                    one.advance(clock)
            if frame is None:
                break
            step = frame.pts - last.pts
            if step <= 0:
                raise Quarantine(
                    "times_not_increasing",
                    f"after {clock.seconds(last.pts):.3f} s comes a frame at {clock.seconds(frame.pts):.3f} s; re-encode it",
                )
            shortest = step if shortest is None else min(shortest, step)
            longest = step if longest is None else max(longest, step)
            last = frame

        last_s = clock.seconds(last.pts)
        duration_s = last_s + float((last.duration or timeline.last_duration) * timeline.time_base)
        duration_s = duration_s or planned_end_s
        _check_length(clock, timeline, duration_s, declared_end_s)
        again_s = self._overview_times(duration_s, last_s)
        if again_s != asked_s:
            # The packets promised other times than the decoder kept; ask for the right ones.
            overview = self._read_again(again_s)
        width, height = display_size(first, aspect, turn_of(first))
        mean = (last.pts - first.pts) / max(1, count - 1)
        record = replace(
            record,
            container=container.format.name,
            codec=stream.codec_context.codec.canonical_name,
            width=round(width),
            height=round(height),
            duration_s=duration_s,
            average_fps=count / duration_s,
            variable_rate=shortest is not None and longest - shortest > max(2, UNEVEN_SHARE * mean),
            frames=count,
            has_audio=len(container.streams.audio) > 0,
            keyframes_s=tuple(clock.seconds(int(pts)) for pts in timeline.keyframes if pts >= first.pts),
            signature=tuple(signature),
        )
        return Ingested(record, shots.shots(duration_s), shots.name, tuple(overview), settings.overview)

    def _overview_times(self, duration_s: float, last_frame_s: float) -> list[float]:
        settings = self.settings
        return overview_times(
            duration_s, fps=settings.overview_fps, max_frames=settings.overview_frames, last_frame_s=last_frame_s
        )

    def _read_again(self, times_s: list[float]) -> list[Frame]:
        source = VideoSource(str(self.path), self.settings.min_pixels, self.settings.max_pixels)
        try:
            return source.frames_at(times_s)
        finally:
            source.close()


def _grid(spacing_s: float, end_s: float) -> Iterator[float]:
    return itertools.takewhile(lambda time_s: time_s < end_s, (index * spacing_s for index in itertools.count()))


def _declared_end_s(container: av.container.InputContainer) -> float | None:
    """The container's own word on when it ends, in seconds on its clock."""
    import av

    return None if container.duration is None else (container.duration + (container.start_time or 0)) / av.time_base


def _decoded(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, timeline: Timeline
) -> Iterator[av.VideoFrame]:
    """Every frame in order.

    Raises:
        Quarantine: damaged, no_times, or a frame whose time runs backwards.
    """
    import av

    seen_s = 0.0
    first = int(timeline.pts[0])
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise Quarantine("damaged", f"the data breaks off near {seen_s:.1f} s; repair or re-encode it")
            for frame in stream.codec_context.decode(packet if packet.size else None):
                if frame.pts is None:
                    raise Quarantine("no_times", "its frames have no presentation times; remux it, for example to MP4")
                seen_s = float((frame.pts - first) * timeline.time_base)
                if frame.is_corrupt:
                    raise Quarantine("damaged", f"the picture at {seen_s:.1f} s is damaged; repair or re-encode it")
                yield frame
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        detail = f"the decoder fails near {seen_s:.1f} s ({error.strerror}); repair or re-encode it"
        raise Quarantine("damaged", detail) from None


def _check_length(clock: Clock, timeline: Timeline, duration_s: float, declared_end_s: float | None) -> None:
    promised_s = clock.seconds(int(timeline.pts[-1]))
    if promised_s - duration_s > LOST_S:
        detail = f"frames are promised to {promised_s:.1f} s but end at {duration_s:.1f} s; get the whole file"
        raise Quarantine("truncated", detail)
    if declared_end_s is None or timeline.container_end_s is None:
        return
    lost_s = declared_end_s - timeline.container_end_s
    if lost_s > max(LOST_S, LOST_SHARE * declared_end_s):
        detail = f"it declares an end at {declared_end_s:.1f} s but stops {lost_s:.1f} s before; get the whole file"
        raise Quarantine("truncated", detail)
