"""What a file is now, without reading it."""

from __future__ import annotations

import fsspec

from videozoomer.places.uris import PlaceError, local_path


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
    except FileNotFoundError:
        raise PlaceError("missing", f"{place} does not exist; check the path") from None
    except Exception as error:
        raise PlaceError("unreadable", f"{place} cannot be read ({error}); check permissions and network") from error
    tags = [str(info[name]) for name in ("size", "ETag", "etag", "mtime", "LastModified") if info.get(name)]
    return ", ".join(tags)
