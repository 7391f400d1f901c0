"""Listing the videos of a source, and putting them into ingest batches that never change once they are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fsspec

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .ts .m2ts .mts .mpg .mpeg .flv .wmv .3gp .ogv .vob .mxf".split()
)
"""Files of a folder with other endings are passed over; a manifest or a glob takes whatever it names."""


class SourceError(ValueError):
    """A source cannot be read at all; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Offered:
    """One file as its store lists it, unopened."""

    uri: str
    bytes: int
    """Size; 0 where the store does not say."""
    modified: str
    """Time of change or entity tag as the store gives it; empty where it does not."""


def list_videos(place: str) -> list[Offered]:
    """Files of a folder (recursively), a glob, one file, or a `.txt` manifest (one path or URL a line), sorted by uri.

    Raises:
        SourceError: nothing is there, or the manifest names nothing.
    """
    system, path = fsspec.core.url_to_fs(place)
    local = "://" not in place
    if any(mark in place for mark in "*?["):
        found = [_uri(system, name, local) for name in system.glob(path) if not system.isdir(name)]
    elif system.isdir(path):
        found = [
            _uri(system, name, local)
            for name in system.find(path)
            if Path(name).suffix.lower() in VIDEO_SUFFIXES and not Path(name).name.startswith(".")
        ]
    elif path.endswith(".txt") and system.exists(path):
        base = Path(path).parent
        with system.open(path, "rt") as lines:
            named = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        found = [name if "://" in name or Path(name).is_absolute() or not local else str(base / name) for name in named]
    elif system.exists(path):
        found = [_uri(system, path, local)]
    else:
        raise SourceError(f"there is nothing at {place}; give a folder, a glob, a file or a .txt manifest")
    if not found:
        raise SourceError(
            f"{place} holds no videos (endings looked for in a folder: {' '.join(sorted(VIDEO_SUFFIXES))})"
        )
    return [_offered(uri) for uri in sorted(set(found))]


def _uri(system: fsspec.AbstractFileSystem, name: str, local: bool) -> str:
    return str(name) if local else system.unstrip_protocol(name)


def _offered(uri: str) -> Offered:
    """A file that a manifest names and that is not there is still offered, so that it is quarantined with a reason."""
    system, path = fsspec.core.url_to_fs(uri)
    try:
        info = system.info(path)
    except FileNotFoundError:
        return Offered(uri, 0, "missing")
    changed = next(
        (info[name] for name in ("ETag", "etag", "mtime", "LastModified", "last_modified") if name in info), ""
    )
    return Offered(uri, int(info.get("size") or 0), str(changed))


def assign_batches(
    source: str, offered: Sequence[Offered], known: Iterable[dict], batch_size: int, taken: Iterable[str] = ()
) -> list[dict]:
    """Rows of table `files`: known files keep their batch, new ones go to new batches of at most `batch_size`.

    `known` are rows of an earlier assignment, `taken` all batches there ever were, so that the number of one whose
    files are gone is not given again. A batch never grows, so that what is done stays done.
    """
    batch_of = {row["uri"]: row["batch"] for row in known if row["source"] == source}
    names = {*batch_of.values(), *(name for name in taken if name.rsplit("-", 1)[0] == source)}
    used = max((int(name.rsplit("-", 1)[1]) for name in names), default=0)
    fresh = [item.uri for item in offered if item.uri not in batch_of]
    for index, uri in enumerate(fresh):
        batch_of[uri] = f"{source}-{used + 1 + index // batch_size:04d}"
    return [
        {"uri": item.uri, "source": source, "batch": batch_of[item.uri], "bytes": item.bytes, "modified": item.modified}
        for item in offered
    ]
