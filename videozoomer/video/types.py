"""What reading a video returns: frames, shots and the record of a file, and the errors for what cannot be read.

Time zero is the first frame that the video stream presents. Every time is in seconds from there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture as players see it and training uses it: upright, square pixels, 8 bits, at the protocol's size."""

    frame_id: str
    """From `videozoomer.protocol.frame_id`: equal ids mean equal pictures."""
    time_s: float
    """Presentation time of the frame itself."""
    requested_s: float
    """The requested time; the frame is the one on the screen then."""
    width: int
    height: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Shot:
    index: int
    start_s: float
    """Time of the shot's first frame."""
    end_s: float
    """Time of the next shot's first frame, or the end of the video."""
    score: float | None = None
    """The detector's measure at the cut that begins the shot; None where it has none."""


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """A row of table `videos` (without source and batch), for a file that could be read or not."""

    uri: str
    status: str
    """`ok` or `quarantined`."""
    video_id: str | None = None
    reason: str | None = None
    detail: str | None = None
    container: str | None = None
    codec: str | None = None
    width: int | None = None
    """Displayed size: upright, square pixels."""
    height: int | None = None
    duration_s: float | None = None
    unreadable_s: float | None = None
    """Seconds of it inside bad spans; None if the whole film can be read."""
    average_fps: float | None = None
    variable_rate: bool | None = None
    frames: int | None = None
    bytes: int | None = None
    has_audio: bool | None = None
    bit_depth: int | None = None
    transfer: str | None = None
    primaries: str | None = None
    matrix: str | None = None
    start_offset_s: float | None = None
    video_streams: int | None = None
    stream_index: int | None = None
    keyframes_s: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class SignatureTrack:
    """One track of a film's signature; see `videozoomer.video.hashing`."""

    track: str
    """One of `videozoomer.video.hashing.TRACKS`."""
    pictures: bytes
    """64-bit hashes of the pictures, as little-endian integers."""
    motions: bytes
    """Motion hashes of the same pictures."""


class FrameError(Exception):
    """A frame that cannot be shown. Nothing is ever put in its place."""

    def __init__(self, uri: str, time_s: float, reason: str) -> None:
        super().__init__(f"no frame at {time_s:g} s of {uri}: {reason}")
        self.uri, self.time_s, self.reason = uri, time_s, reason

    def __reduce__(self) -> tuple:
        return type(self), (self.uri, self.time_s, self.reason)


class Quarantine(Exception):
    """A file that is left out. `reason` is a key of `videozoomer.video.preflight.REASONS`, `detail` says what to do."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail

    def __reduce__(self) -> tuple:
        return type(self), (self.reason, self.detail)


@dataclass(frozen=True, slots=True)
class BadSpan:
    """A span of a film that cannot be read: no frame is shown in it."""

    start_s: float
    """Where the last certain frame before it ends."""
    end_s: float
    """Time of the first certain frame after it, or the end of the film."""
    reason: str
    """A key of `videozoomer.video.salvage.SPANS`."""
    packets: int
    """Video packets in it that were found and cannot be used; missing ones are not counted."""
