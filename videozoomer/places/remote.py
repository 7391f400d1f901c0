"""A file behind an fsspec URL, read by ranges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from videozoomer.places.state import is_missing
from videozoomer.places.uris import PlaceError

REMOTE_BLOCK_BYTES = 1 << 20


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
            raise PlaceError("unreadable", f"{url}: its server does not serve ranges; copy the file here") from error

    def read(self, size: int = -1) -> bytes:
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
        except FileNotFoundError as error:
            if is_missing(error):
                raise
            raise OSError(str(error.__cause__)) from error
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
