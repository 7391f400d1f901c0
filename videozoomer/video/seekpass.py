"""Ingest without shots: reads every packet's times, and decodes only the groups of pictures that the overview shows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict

from videozoomer.video.overview import overview_times
from videozoomer.video.preflight import Timeline, has_variable_rate
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.source import VideoSource
from videozoomer.video.types import FrameError, VideoRecord


def overview_only(path: str, uri: str, timeline: Timeline, settings: IngestSettings, threads: int) -> Ingested | None:
    """The overview is byte for byte that of `videozoomer.video.onepass`; there are no shots and no signature.

    None if a frame of the overview cannot be read, or the last packet shows none: then only a decode of the whole film
    can tell where it ends, or what is wrong with it.
    """
    protocol = settings.protocol
    try:
        source = VideoSource(path, protocol.min_pixels, protocol.max_pixels, threads=threads, stream=settings.stream)
        with closing(source):
            clock = source.clock
            # The first packets may show nothing, as those of a recording that begins between two complete pictures.
            shown = timeline.pts[timeline.pts >= clock.first_pts]
            last_s = clock.seconds(int(shown[-1]))
            (last,) = source.frames_at([last_s])
            if last.time_s != last_s:
                return None
            duration_s = clock.seconds(int(shown[-1]) + (timeline.last_duration or 1))
            times_s = overview_times(
                duration_s, fps=protocol.overview_fps, max_frames=protocol.overview_frames, last_frame_s=last_s
            )
            overview = tuple(source.frames_at(times_s))
            width, height = source.display_size
            facts = source.facts
    except FrameError:
        return None
    record = VideoRecord(
        uri,
        "ok",
        **asdict(facts),
        width=round(width),
        height=round(height),
        duration_s=duration_s,
        average_fps=len(shown) / duration_s,
        variable_rate=has_variable_rate(shown),
        frames=len(shown),
        start_offset_s=float(clock.first_pts * clock.time_base),
        keyframes_s=tuple(clock.seconds(int(pts)) for pts in timeline.keyframes if pts >= clock.first_pts),
    )
    return Ingested(record, (), "none", overview, settings.overview)
