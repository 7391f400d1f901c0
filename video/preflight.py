"""What can be told of a file before it is decoded, and why a file is left out.

Nothing here trusts a file: it may be a pipe, a playlist that names other files, or declare sizes and lengths that it
does not have. What is only found by decoding (damage, wrong lengths) is found by `video.onepass`.
"""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from video.clock import Clock
from video.opening import open_container, video_stream
from video.types import Quarantine

if TYPE_CHECKING:
    import av
    import numpy as np

REASONS: dict[str, str] = {
    "missing": "there is no such file",
    "unreadable": "the file is there but reading it failed (permission, disk or network)",
    "not_a_file": "a directory, named pipe, socket or device",
    "empty": "a file of no bytes",
    "playlist": "a text that names other files; nothing else is ever opened on its behalf",
    "not_a_video": "no container that is read here, whatever its name says",
    "no_video_stream": "a container without moving pictures (audio only, or a cover picture)",
    "unsupported_codec": "no decoder for the video stream",
    "too_large": "a declared picture beyond the limit",
    "no_times": "frames without presentation times, so that no time can be looked up",
    "times_not_increasing": "frames whose times run backwards or stand still",
    "truncated": "the pictures end well before the length that the file declares",
    "damaged": "the decoder met data that it could not decode",
    "no_frames": "a video stream without a frame that can be shown",
    "timeout": "reading took longer than the limit",
    "out_of_memory": "reading took more memory than the limit",
    "decoder_crashed": "the process that read the file died",
}
"""Reason -> what it means. A quarantined video has one of these."""

MAX_PICTURE_PIXELS = 8192 * 8192
"""Largest declared picture that is tried; a frame of it takes some 100 MB."""
HASH_BLOCK_BYTES = 1 << 20
LOST_S = 1.0
"""A video that ends this much (and LOST_SHARE of its length) before its declared end is truncated."""
LOST_SHARE = 0.02
PLAYLIST_MARKS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"<?xml", b"[playlist]", b"<smil", b"<asx")


@dataclass(frozen=True)
class Timeline:
    """Times of every packet, read without decoding. In units of `time_base` seconds, sorted."""

    time_base: Fraction
    pts: np.ndarray
    """Presentation times of the frames that are not hidden (by an edit list, for example)."""
    keyframes: np.ndarray
    last_duration: int
    hidden: int
    """Packets that are decoded but never shown."""
    container_end_s: float | None
    """Latest end of any packet of any stream, in seconds on the container's clock."""


def check_file(path: Path) -> int:
    """Size in bytes of a local file, without opening anything that could block.

    Raises:
        Quarantine: missing, unreadable, not_a_file, empty, playlist.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Quarantine("not_a_file", "it is not a regular file; give the path of a video file")
        if status.st_size == 0:
            raise Quarantine("empty", "the file has no bytes; copy or download it again")
        with path.open("rb") as handle:
            head = handle.read(4096)
    except FileNotFoundError:
        raise Quarantine("missing", "there is no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise Quarantine("unreadable", f"{error}; check permissions and the disk") from None
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:16].lower().startswith(tuple(mark.lower() for mark in PLAYLIST_MARKS)):
        raise Quarantine("playlist", "it lists other files; give the video files themselves")
    return status.st_size


def content_hash(path: Path) -> str:
    """Id of a video: the first half of the SHA-256 of its bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()[:32]


def open_checked(source: Path) -> tuple[av.container.InputContainer, av.video.stream.VideoStream]:
    """Open a local file and choose its video stream.

    Raises:
        Quarantine: not_a_video, no_video_stream, unsupported_codec, too_large.
    """
    import av

    try:
        container = open_container(str(source))
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise Quarantine("not_a_video", f"{_short(error)}; convert it to MP4 or Matroska, or leave it out") from None
    stream = video_stream(container)
    if stream is None:
        container.close()
        raise Quarantine("no_video_stream", "it holds no moving pictures; leave it out")
    context = stream.codec_context
    if context is None:
        container.close()
        raise Quarantine("unsupported_codec", "no decoder for its video; convert it to H.264")
    if context.width * context.height > MAX_PICTURE_PIXELS:
        size = f"{context.width} x {context.height}"
        container.close()
        raise Quarantine("too_large", f"it declares pictures of {size} pixels; scale it down")
    return container, stream


def read_timeline(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> Timeline:
    """Go through all packets once (reading, not decoding).

    Raises:
        Quarantine: no_times, no_frames, damaged.
    """
    import av
    import numpy as np

    shown: list[int] = []
    keyframes: list[int] = []
    hidden = timeless = 0
    last, last_duration, end_s = None, 0, None
    entry, entered = None, False
    try:
        for packet in container.demux():
            if packet.size == 0:
                continue
            begin = packet.pts if packet.pts is not None else packet.dts
            if begin is not None and packet.time_base is not None and not packet.is_discard:
                packet_end_s = float((begin + (packet.duration or 0)) * packet.time_base)
                end_s = packet_end_s if end_s is None else max(end_s, packet_end_s)
            if packet.stream_index != stream.index:
                continue
            if entry is None and packet.is_keyframe:
                entry = packet.pts
                entered = True
            if not entered or (entry is not None and packet.pts is not None and packet.pts < entry):
                continue  # Not decodable, see `video.packets`.
            if packet.is_discard:
                hidden += 1
            elif packet.pts is None:
                timeless += 1
            else:
                shown.append(packet.pts)
                if packet.is_keyframe:
                    keyframes.append(packet.pts)
                if last is None or packet.pts >= last:
                    last, last_duration = packet.pts, packet.duration or 0
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        raise Quarantine("damaged", f"the container breaks off: {_short(error)}; repair or re-encode it") from None
    if not shown:
        if timeless:
            raise Quarantine("no_times", "its frames have no presentation times; remux it, for example to MP4")
        raise Quarantine("no_frames", "its video stream is empty; leave it out")
    pts = np.sort(np.asarray(shown, dtype=np.int64))
    if last_duration <= 0:
        last_duration = int(np.median(np.diff(pts))) if len(pts) > 1 else 0
    return Timeline(stream.time_base, pts, np.sort(np.asarray(keyframes, dtype=np.int64)), last_duration, hidden, end_s)


def declared_end_s(container: av.container.InputContainer) -> float | None:
    """The container's own word on when it ends, in seconds on its clock."""
    import av

    return None if container.duration is None else (container.duration + (container.start_time or 0)) / av.time_base


def check_length(clock: Clock, timeline: Timeline, duration_s: float, declared_s: float | None) -> None:
    """Hold what was found against what was promised. `declared_s` is the end declared by the container.

    Raises:
        Quarantine: truncated.
    """
    promised_s = clock.seconds(int(timeline.pts[-1]))
    if promised_s - duration_s > LOST_S:
        detail = f"frames are promised to {promised_s:.1f} s but end at {duration_s:.1f} s; get the whole file"
        raise Quarantine("truncated", detail)
    if declared_s is None or timeline.container_end_s is None:
        return
    lost_s = declared_s - timeline.container_end_s
    if lost_s > max(LOST_S, LOST_SHARE * declared_s):
        detail = f"it declares an end at {declared_s:.1f} s but stops {lost_s:.1f} s before; get the whole file"
        raise Quarantine("truncated", detail)


def _short(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
