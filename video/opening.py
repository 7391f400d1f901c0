"""Opening a video, and nothing but that video: no playlist, no device, no network address inside a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import av

DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,mxf"
"""Containers that are read. Each holds its own data and times; playlists and raw streams are not among them."""
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*(::|://)")
_ATTACHED_PICTURE = 0x0400
"""FFmpeg's AV_DISPOSITION_ATTACHED_PIC: a cover picture that poses as a video stream."""
REMOTE_BLOCK_BYTES = 1 << 20


def is_url(uri: str) -> bool:
    """Whether a URI is an fsspec URL; everything else is a local path, whatever signs are in it."""
    return _URL.match(uri) is not None


def local_path(uri: str) -> Path | None:
    """The local path that a URI names; None for a URL of another place."""
    if not is_url(uri):
        return Path(uri)
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.netloc in ("", "localhost") else None


def open_container(uri: str) -> av.container.InputContainer:
    """Open a path or fsspec URL for reading; a URL is read by ranges.

    Raises:
        av.error.FFmpegError: no container that is read here.
        OSError: it cannot be reached.
    """
    import av

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    path = local_path(uri)
    if path is not None:
        # The prefix keeps FFmpeg from taking a name such as `concat:a` or `-i` for anything but a name.
        return av.open(f"file:{path}", container_options=options)
    return av.open(_remote(uri), container_options=options)


def _remote(url: str) -> Any:
    import fsspec

    return fsspec.open(url, "rb", block_size=REMOTE_BLOCK_BYTES).open()


def video_stream(container: av.container.InputContainer) -> av.video.stream.VideoStream | None:
    """The first stream of moving pictures (a cover picture is none)."""
    for stream in container.streams.video:
        if not int(stream.disposition) & _ATTACHED_PICTURE:
            return stream
    return None


def prepare_decoder(stream: av.video.stream.VideoStream, threads: int = 1) -> None:
    """Set a decoder to report damage instead of painting over it. Before the first packet only.

    More than one thread decodes several frames at once, which needs no more CPU time and less patience.
    """
    context = stream.codec_context
    stream.thread_type = "FRAME" if threads > 1 else "SLICE"
    context.thread_count = threads
    context.options = {"err_detect": "explode"}
