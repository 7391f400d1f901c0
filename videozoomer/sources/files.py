"""Lists the videos of a source and assigns them to ingest batches, which never change once they exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fsspec

from videozoomer.lake.rows import FileRow

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .ts .m2ts .mts .mpg .mpeg .flv .wmv .3gp .ogv .vob .mxf".split()
)
"""In a folder, files with other suffixes are ignored; a .txt list or a glob may name any file."""


class SourceError(ValueError):
    """A source cannot be read; the message names it and what to do."""


@dataclass(frozen=True, slots=True)
class Offered:
    """One file as its store lists it; the file has not been opened."""

    uri: str
    bytes: int
    """Size; 0 if the store does not report it."""
    modified: str
    """Modification time or entity tag as the store reports it; empty if it reports neither."""


def list_videos(place: str) -> list[Offered]:
    """Videos of a folder (recursively), a glob, one file, or a `.txt` list (one path or URL a line), sorted by URI.

    Raises:
        SourceError: the place does not exist or has no videos.
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
        raise SourceError(f"{place} does not exist; give a folder, a glob, a file or a .txt list of paths")
    if not found:
        raise SourceError(
            f"{place} has no videos; a folder is searched for files that end in {' '.join(sorted(VIDEO_SUFFIXES))}"
        )
    return [_offered(uri) for uri in sorted(set(found))]


def _uri(system: fsspec.AbstractFileSystem, name: str, local: bool) -> str:
    return str(name) if local else system.unstrip_protocol(name)


def _offered(uri: str) -> Offered:
    """A file that a list names but that does not exist is kept, so that it gets quarantined with a reason."""
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
    source: str, offered: Sequence[Offered], known: Iterable[FileRow], batch_size: int, taken: Iterable[str] = ()
) -> list[FileRow]:
    """Rows of table `files`: known files keep their batch, new files form new batches of at most `batch_size`.

    `known` are rows of earlier assignments. `taken` names every batch that ever existed, of any source, so that the
    number of a batch whose files are gone is not used again. A batch never grows, so finished batches stay finished.
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
