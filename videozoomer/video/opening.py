"""Opens one video and nothing else: no playlist, no device, no network address that a file contains."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from videozoomer.places.finding import find_film, open_bytes
from videozoomer.places.uris import local_path

if TYPE_CHECKING:
    import av

DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,mxf"
"""Containers that are read. Each has its own data and times, unlike playlists and raw streams."""
READ_BYTES = 1 << 18
"""What FFmpeg asks for at once where Python reads for it."""


def open_container(uri: str) -> av.container.InputContainer:
    """Open a path, a URL or a member of an archive for reading; all but a path are read by ranges.

    Raises:
        av.error.FFmpegError: it is none of the containers in DEMUXERS, or is damaged.
        OSError: it cannot be reached, or is not a regular file (reading a pipe would block).
    """
    import av

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    path = local_path(uri)
    if path is None or find_film(uri) is not None:
        return av.open(open_bytes(uri), "r", container_options=options, buffer_size=READ_BYTES)
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a regular file; give the path of a video file")
    # The prefix stops FFmpeg from reading a name such as `concat:a` or `-i` as anything but a file name.
    return av.open(f"file:{path}", "r", container_options=options)


def prepare_decoder(stream: av.video.stream.VideoStream, threads: int = 1) -> None:
    """Make a decoder report damage instead of concealing it. Call this before the first packet.

    With more than one thread several frames are decoded at once: the same CPU time, less waiting.
    """
    context = stream.codec_context
    stream.thread_type = "FRAME" if threads > 1 else "SLICE"
    context.thread_count = threads
    context.options = {"err_detect": "explode"}
