"""Opens one video and nothing else: no playlist, no device, no network address that a file contains."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import av

DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,mxf"
"""Containers that are read. Each has its own data and times, unlike playlists and raw streams."""
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*(::|://)")
REMOTE_BLOCK_BYTES = 1 << 20
REMOTE_READ_BYTES = 1 << 18


def is_url(uri: str) -> bool:
    """Whether a URI is an fsspec URL; everything else is a local path, even one with unusual characters."""
    return _URL.match(uri) is not None


def local_path(uri: str) -> Path | None:
    """The local path that a URI names; None for a URL of another machine."""
    if not is_url(uri):
        return Path(uri)
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.netloc in ("", "localhost") else None


def open_container(uri: str) -> av.container.InputContainer:
    """Open a path or fsspec URL for reading; a URL is read by ranges.

    Raises:
        av.error.FFmpegError: it is none of the containers in DEMUXERS, or is damaged.
        OSError: it cannot be reached, or is not a regular file (reading a pipe would block).
    """
    import av

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    path = local_path(uri)
    if path is None:
        return av.open(RemoteFile(uri), "r", container_options=options, buffer_size=REMOTE_READ_BYTES)
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a regular file; give the path of a video file")
    # The prefix stops FFmpeg from reading a name such as `concat:a` or `-i` as anything but a file name.
    return av.open(f"file:{path}", "r", container_options=options)


class RemoteFile:
    """A file behind an fsspec URL for FFmpeg to read: fetches blocks by range and caches the last few."""

    def __init__(self, url: str) -> None:
        """Open the URL.

        Raises:
            OSError: it cannot be reached, or its server does not serve ranges.
        """
        import fsspec

        with self._as_os_error():
            system, path = fsspec.core.url_to_fs(url)
            self._file = system.open(path, "rb", block_size=REMOTE_BLOCK_BYTES, cache_type="blockcache")
        try:
            self._file.seek(1)
            self._file.seek(0)
        except (ValueError, OSError) as error:
            self._file.close()
            raise OSError("its server does not serve ranges; copy the file to this machine") from error

    def read(self, size: int) -> bytes:
        with self._as_os_error():
            return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        with self._as_os_error():
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()

    @staticmethod
    @contextmanager
    def _as_os_error() -> Iterator[None]:
        """Turns the errors of any file system into OSError."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{type(error).__name__}: {error}") from error


def prepare_decoder(stream: av.video.stream.VideoStream, threads: int = 1) -> None:
    """Make a decoder report damage instead of concealing it. Call this before the first packet.

    With more than one thread several frames are decoded at once: the same CPU time, less waiting.
    """
    context = stream.codec_context
    stream.thread_type = "FRAME" if threads > 1 else "SLICE"
    context.thread_count = threads
    context.options = {"err_detect": "explode"}
