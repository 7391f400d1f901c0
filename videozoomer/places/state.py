"""What a file is now, without reading it."""

from __future__ import annotations

import fsspec

from videozoomer.places.uris import PlaceError, local_path

TAGS = ("ETag", "etag", "Content-MD5", "mtime", "LastModified", "Last-Modified", "last_modified", "updated", "created")
"""Names under which file systems of fsspec tell a file's version or time."""


def is_missing(error: FileNotFoundError) -> bool:
    """Whether a file does not exist; fsspec says so of every failure of a web server, one that is down included."""
    cause = error.__cause__
    return cause is None or isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) in (404, 410)


def identity(place: str) -> str:
    """Size and modification time or entity tag: changes when a file does.

    Raises:
        PlaceError: missing, unreadable.
    """
    path = local_path(place)
    try:
        if path is not None:
            status = path.stat()
            return f"{status.st_size} bytes, {status.st_mtime_ns} ns"
        system, inner = fsspec.core.url_to_fs(place)
        info = system.info(inner)
    except Exception as error:
        if isinstance(error, FileNotFoundError) and is_missing(error):
            raise PlaceError("missing", f"{place} does not exist; check the path") from None
        told = error.__cause__ or error
        raise PlaceError("unreadable", f"{place} cannot be read ({told}); check permissions and network") from error
    tags = [str(info[name]) for name in ("size", *TAGS) if info.get(name)]
    return ", ".join(tags)
