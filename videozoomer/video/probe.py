"""All that can be told of a file without decoding it whole, and a decode test at several places."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from videozoomer.video.opening import local_path, open_container, video_stream
from videozoomer.video.picture import display_size, turn_of
from videozoomer.video.preflight import Timeline, check_file, check_timeline, open_checked, read_timeline
from videozoomer.video.types import FrameError, Quarantine

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

PLACES = 5
"""Places, evenly spread, at which frames are decoded."""
TEST_PIXELS = (1_000, 25_000)
"""Size of the decode test's pictures; they are thrown away."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file says of itself, and whether it could be decoded where it was tried.

    A file on another machine is not read whole, so what takes all packets to tell is None: frames, variable_rate,
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
    """Quarter turns that a player makes, counted to the left."""
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
    """Frames that an edit list cuts off: decoded but never shown."""
    keyframes_s: tuple[float, ...] | None = None
    has_audio: bool | None = None
    streams: tuple[str, ...] = ()
    """Kind and codec of each stream, in the container's order."""
    decoded_at_s: tuple[float, ...] = ()
    """Places of the decode test that went well."""


def probe_one(uri: str) -> Probe:
    """Probe one file in this process. What cannot be read comes back quarantined, with its reason."""
    try:
        return _probe(uri)
    except Quarantine as error:
        return Probe(uri, "quarantined", error.reason, error.detail)
    except FrameError as error:
        return Probe(uri, "quarantined", "damaged", f"at {error.time_s:.1f} s: {error.reason}; re-encode it")
    except FileNotFoundError:
        return Probe(uri, "quarantined", "missing", "there is no such file; check the address")
    except OSError as error:
        return Probe(uri, "quarantined", "unreadable", f"{error}; check permissions, the disk and the network")


def _probe(uri: str) -> Probe:
    from videozoomer.video.source import VideoSource

    path = local_path(uri)
    size = check_file(path) if path is not None else None
    timeline = None
    with _opened(uri) as (container, stream):
        if path is not None:
            timeline = read_timeline(container, stream)
            check_timeline(timeline, container, stream)
        context = stream.codec_context
        told = {
            "bytes": size,
            "container": container.format.name,
            "codec": context.codec.canonical_name,
            "pixel_format": context.pix_fmt,
            "bit_depth": max((part.bits for part in context.format.components), default=None)
            if context.format
            else None,
            "pixel_aspect": float(stream.sample_aspect_ratio or 1) or 1.0,
            "has_audio": len(container.streams.audio) > 0,
            "streams": tuple(_told(one) for one in container.streams),
            "average_fps": float(stream.average_rate) if stream.average_rate else None,
            "duration_s": _declared_s(container, stream),
        }
    with _opened(uri) as (_, stream):
        frame = next((frame for packet in stream.container.demux(stream) for frame in packet.decode()), None)
        if frame is None or frame.pts is None:
            raise Quarantine("no_frames", "its video stream holds no frame that can be shown; leave it out")
        turn = turn_of(frame)
        width, height = display_size(frame, told["pixel_aspect"], turn)
        told |= {
            "width": round(width),
            "height": round(height),
            "rotation_degrees": 90 * turn.quarters,
            "mirrored": turn.mirrored,
            "start_offset_s": float(frame.pts * stream.time_base),
        }
        if timeline is not None:
            told |= _from_timeline(timeline, frame.pts)
    last_s = max(0.0, (told["duration_s"] or 0.0) - 0.001)
    places = tuple(dict.fromkeys(last_s * place / (PLACES - 1) for place in range(PLACES)))
    source = VideoSource(uri, *TEST_PIXELS)
    try:
        for place_s in places:
            source.frames_at([place_s])
    finally:
        source.close()
    return Probe(uri, "ok", decoded_at_s=places, **told)


def _from_timeline(timeline: Timeline, first_pts: int) -> dict[str, object]:
    import numpy as np

    shown = timeline.pts[timeline.pts >= first_pts]
    seconds = (shown - first_pts) * float(timeline.time_base)
    duration_s = float(seconds[-1]) + float((timeline.last_duration or 1) * timeline.time_base)
    steps = np.diff(shown)
    keyframes = timeline.keyframes[timeline.keyframes >= first_pts] - first_pts
    return {
        "duration_s": duration_s,
        "average_fps": len(shown) / duration_s,
        "variable_rate": len(steps) > 0 and bool(np.ptp(steps) > max(2, 0.1 * steps.mean())),
        "frames": len(shown),
        "hidden_frames": timeline.hidden,
        "keyframes_s": tuple(float(pts * timeline.time_base) for pts in keyframes.tolist()),
    }


@contextmanager
def _opened(uri: str) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    path = local_path(uri)
    if path is not None:
        container, stream = open_checked(path)
    else:
        container = open_container(uri)
        stream = video_stream(container)
        if stream is None or stream.codec_context is None:
            container.close()
            raise Quarantine("no_video_stream", "it holds no moving pictures that can be decoded; leave it out")
    with container:
        yield container, stream


def _told(stream: av.stream.Stream) -> str:
    """A stream without a known decoder has no name of a codec."""
    context = getattr(stream, "codec_context", None)
    return f"{stream.type} {context.codec.canonical_name}" if context is not None else str(stream.type)


def _declared_s(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float | None:
    import av

    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base
