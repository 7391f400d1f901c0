"""Describes a file without decoding all of it, and tests that it decodes at several times."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from videozoomer.places.finding import as_file, find_film, is_here
from videozoomer.places.uris import PlaceError
from videozoomer.video.leading import leading_of
from videozoomer.video.opening import open_container
from videozoomer.video.packets import from_keyframe
from videozoomer.video.picture import display_size, orientation_of
from videozoomer.video.preflight import (
    Timeline,
    check_boxes,
    check_film_file,
    check_timeline,
    colours_checked,
    counts_from_zero,
    has_variable_rate,
    open_checked,
    read_timeline,
)
from videozoomer.video.salvage import REASONS, certain_frames, nothing_usable, survey
from videozoomer.video.scaling import Colours
from videozoomer.video.stream_facts import declared_colours, facts_of
from videozoomer.video.streams import no_stream, video_stream
from videozoomer.video.types import BadSpan, FrameError, Quarantine
from videozoomer.video.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

TEST_FRAMES = 5
"""Frames that the decode test reads, evenly spread."""
TEST_PIXELS = (1_000, 25_000)
"""Minimum and maximum pixels of the decode test's pictures, which are discarded."""
NOT_FETCHED = (
    "A run may still use what is certain of it; a probe does not fetch a whole film to find out: copy it to this "
    "machine, and probe the copy"
)
"""What can be done about a damaged film behind a URL."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file declares about itself, and the times at which the decode test succeeded.

    A file behind a URL is not read completely, so what only all packets can show is None: frames, variable_rate,
    keyframes_s, hidden_frames.
    """

    uri: str
    status: str
    """`ok` or `quarantined`."""
    reason: str | None = None
    detail: str | None = None
    bytes: int | None = None
    container: str | None = None
    codec: str | None = None
    pixel_format: str | None = None
    bit_depth: int | None = None
    width: int | None = None
    """Displayed size: upright, square pixels."""
    height: int | None = None
    rotation_degrees: int | None = None
    """Rotation to the left that makes the picture upright: 0, 90, 180 or 270."""
    mirrored: bool | None = None
    pixel_aspect: float | None = None
    """Width of a stored pixel over its height."""
    duration_s: float | None = None
    start_offset_s: float | None = None
    """Time of the first frame on the container's own clock."""
    average_fps: float | None = None
    variable_rate: bool | None = None
    frames: int | None = None
    hidden_frames: int | None = None
    """Frames that an edit list cuts: decoded but never shown."""
    keyframes_s: tuple[float, ...] | None = None
    has_audio: bool | None = None
    transfer: str | None = None
    """Transfer function by FFmpeg's name, such as `smpte2084` (PQ); None if the file does not say."""
    primaries: str | None = None
    matrix: str | None = None
    video_streams: int | None = None
    """Number of video streams, cover pictures included."""
    streams: tuple[str, ...] = ()
    """Kind and codec of each stream, in the container's order."""
    stream_index: int | None = None
    """Which of them is read; there may be other films beside it."""
    unreadable_s: float | None = None
    """Seconds in bad spans, for a damaged file of which the rest can be used; it was decoded whole to find them."""
    bad_spans: tuple[BadSpan, ...] = ()
    decoded_at_s: tuple[float, ...] = ()
    """Times at which the decode test succeeded."""


def inspect_one(uri: str, stream_index: int | None = None) -> VideoInfo:
    """Inspect one file in this process. A file that cannot be read comes back quarantined, with its reason."""
    try:
        film = find_film(uri)
        if film is None or not film.packed:
            return _inspected_or_salvaged(uri, stream_index)
        with as_file(uri) as path:
            return replace(_inspected_or_salvaged(str(path), stream_index), uri=uri)
    except PlaceError as error:
        return VideoInfo(uri, "quarantined", error.reason, error.sentence)
    except FileNotFoundError:
        return VideoInfo(uri, "quarantined", "missing", "the file does not exist; check the path or URL")
    except OSError as error:
        return VideoInfo(uri, "quarantined", "unreadable", f"{error}; check permissions, the disk and the network")


def _inspected_or_salvaged(uri: str, stream_index: int | None) -> VideoInfo:
    try:
        return _inspected(uri, stream_index)
    except FrameError as error:
        return _salvaged(uri, stream_index, Quarantine("damaged", f"at {error.time_s:.1f} s: {error.reason}"))
    except Quarantine as error:
        return _salvaged(uri, stream_index, error)


def _inspected(uri: str, stream_index: int | None) -> VideoInfo:
    from videozoomer.video.source import VideoSource

    here = is_here(uri)
    info = VideoInfo(uri, "ok", bytes=check_film_file(uri) if here else None)
    timeline = None
    with _opened(uri, stream_index) as (container, stream):
        leading = leading_of(container, stream)
    with _opened(uri, stream_index) as (container, stream):
        if here:
            check_boxes(uri)
            timeline = read_timeline(container, stream, leading)
            check_timeline(timeline, container, stream)
        info = _with_declarations(info, container, stream)
    with _opened(uri, stream_index) as (container, stream):
        declared = declared_colours(stream)
        packets = itertools.chain(from_keyframe(container.demux(stream), leading), [None])
        frame = next((frame for packet in packets for frame in stream.codec_context.decode(packet)), None)
        if frame is None or frame.pts is None or stream.time_base is None:
            raise Quarantine("no_frames", "its video stream has no frame that can be shown; remove it from the source")
        info = replace(
            _with_picture(info, container, stream, frame, declared), start_offset_s=float(frame.pts * stream.time_base)
        )
        if timeline is not None:
            info = _with_timeline(info, timeline, frame.pts)
    last_s = max(0.0, (info.duration_s or 0.0) - 0.001)
    times_s = tuple(dict.fromkeys(last_s * index / (TEST_FRAMES - 1) for index in range(TEST_FRAMES)))
    source = VideoSource(uri, *TEST_PIXELS, stream=stream_index)
    try:
        for time_s in times_s:
            source.frames_at([time_s])
    finally:
        source.close()
    return replace(info, decoded_at_s=times_s)


def _salvaged(uri: str, stream_index: int | None, damage: Quarantine) -> VideoInfo:
    """What can be used of a damaged file; quarantined if that is nothing, or if it is behind a URL."""
    if damage.reason not in REASONS:
        return VideoInfo(uri, "quarantined", damage.reason, damage.detail)
    if not is_here(uri):
        return VideoInfo(uri, "quarantined", damage.reason, f"{damage.detail}. {NOT_FETCHED}")
    try:
        size = check_film_file(uri)
        salvage = survey(uri, Watch(), size, stream_index)
        first = next(certain_frames(salvage))[1]
    except Quarantine as error:
        return VideoInfo(uri, "quarantined", damage.reason, nothing_usable(damage, error).detail)
    share = salvage.unreadable_s / salvage.duration_s
    info = VideoInfo(uri, "ok", detail=f"{share:.1%} of it cannot be read, because {damage.detail}", bytes=size)
    with _opened(uri, stream_index) as (container, stream):
        info = _with_declarations(info, container, stream)
        info = _with_picture(info, container, stream, first, declared_colours(stream))
    info = _with_timeline(info, salvage.timeline, salvage.clock.first_pts)
    return replace(
        info,
        duration_s=salvage.duration_s,
        start_offset_s=float(salvage.clock.first_pts * salvage.clock.time_base),
        variable_rate=not salvage.even,
        unreadable_s=salvage.unreadable_s,
        bad_spans=salvage.spans,
    )


def _with_declarations(
    info: VideoInfo, container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> VideoInfo:
    context = stream.codec_context
    return replace(
        info,
        pixel_format=context.pix_fmt,
        pixel_aspect=float(stream.sample_aspect_ratio or 1) or 1.0,
        streams=tuple(_kind_and_codec(one) for one in container.streams),
        average_fps=float(stream.average_rate) if stream.average_rate else None,
        duration_s=_declared_s(container, stream),
    )


def _with_picture(
    info: VideoInfo,
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    frame: av.VideoFrame,
    declared: Colours,
) -> VideoInfo:
    with colours_checked(frame, declared):
        orientation = orientation_of(frame)
    width, height = display_size(frame, info.pixel_aspect or 1.0, orientation)
    return replace(
        info,
        width=round(width),
        height=round(height),
        rotation_degrees=90 * orientation.quarters,
        mirrored=orientation.mirrored,
        **asdict(facts_of(container, stream, frame, declared)),
    )


def _with_timeline(info: VideoInfo, timeline: Timeline, first_pts: int) -> VideoInfo:
    shown = timeline.pts[timeline.pts >= first_pts]
    seconds = (shown - first_pts) * float(timeline.time_base)
    duration_s = float(seconds[-1]) + float((timeline.last_duration or 1) * timeline.time_base)
    keyframes = timeline.keyframes[timeline.keyframes >= first_pts] - first_pts
    return replace(
        info,
        duration_s=duration_s,
        average_fps=len(shown) / duration_s,
        variable_rate=has_variable_rate(shown),
        frames=len(shown),
        hidden_frames=timeline.hidden,
        keyframes_s=tuple(float(pts * timeline.time_base) for pts in keyframes.tolist()),
    )


@contextmanager
def _opened(
    uri: str, stream_index: int | None
) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    if is_here(uri):
        container, stream = open_checked(uri, stream_index)
    else:
        container = open_container(uri)
        found = video_stream(container, stream_index)
        if found is None or found.codec_context is None:
            detail = no_stream(container, stream_index)
            container.close()
            raise Quarantine("no_video_stream", detail)
        stream = found
    with container:
        yield container, stream


def _kind_and_codec(stream: av.stream.Stream) -> str:
    """Such as `video h264`; a stream that FFmpeg has no decoder for has only a kind."""
    context = getattr(stream, "codec_context", None)
    return f"{stream.type} {context.codec.canonical_name}" if context is not None else str(stream.type)


def _declared_s(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float | None:
    import av

    from_zero = counts_from_zero(container)
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration - (stream.start_time or 0 if from_zero else 0)) * stream.time_base)
    if container.duration is None:
        return None
    return (container.duration - (container.start_time or 0 if from_zero else 0)) / av.time_base
