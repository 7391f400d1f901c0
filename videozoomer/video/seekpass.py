"""Ingest without shots: reads every packet's times, and decodes only the groups of pictures that the overview shows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict

from videozoomer.video.overview import overview_times
from videozoomer.video.preflight import Timeline, check_decoded, has_variable_rate
from videozoomer.video.scaling import UnsupportedColours
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.source import VideoSource
from videozoomer.video.types import FrameError, Quarantine, VideoRecord


def overview_only(path: str, uri: str, timeline: Timeline, settings: IngestSettings) -> Ingested:
    """The overview is byte for byte that of `videozoomer.video.onepass`; there are no shots and no signature.

    Raises:
        Quarantine: a frame of the overview, or the last frame, cannot be decoded.
    """
    protocol = settings.protocol
    try:
        threads = max(1, settings.threads)
        source = VideoSource(path, protocol.min_pixels, protocol.max_pixels, threads=threads, stream=settings.stream)
        with closing(source):
            clock = source.clock
            shown = timeline.pts[timeline.pts >= clock.first_pts]
            # The decoder may show fewer frames than there are packets, so the last one is looked at.
            (last,) = source.frames_at([clock.seconds(int(shown[-1]))])
            duration_s = last.time_s + float((timeline.last_duration or 1) * timeline.time_base)
            check_decoded(clock, timeline, duration_s)
            times_s = overview_times(
                duration_s, fps=protocol.overview_fps, max_frames=protocol.overview_frames, last_frame_s=last.time_s
            )
            overview = tuple(source.frames_at(times_s))
            width, height = source.display_size
            facts = source.facts
    except FrameError as error:
        if isinstance(error.__cause__, UnsupportedColours):
            raise Quarantine("unsupported_colours", error.reason) from None
        raise Quarantine("damaged", f"at {error.time_s:.1f} s: {error.reason}") from None
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
