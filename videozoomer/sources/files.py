"""Lists the videos of a source and assigns them to ingest batches, which never change once they exist."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fsspec

from videozoomer.lake.rows import FileRow

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .qt .mj2 .3gp .3g2 .f4v .mkv .mk3d .webm .avi .divx .ts .m2ts .m2t .mts .mpg .mpeg .mpe .m2p .ps "
    ".vob .flv .ogv .ogg .ogm .wmv .asf .mxf".split()
)
"""Endings of the containers that are read. In a folder, other files are passed over; a .txt list or a glob may name any
file."""
_GLOB_MARKS = "*?["
_YOUTUBE = re.compile(
    r"^(https?://)?(www\.|m\.|music\.)?(youtube\.com/|youtube-nocookie\.com/|youtu\.be/)", re.IGNORECASE
)
_PASSED_OVER_SHOWN = 8
"""Endings of files passed over that a message names, the most frequent first."""


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

    A path that exists is that file or folder, even if its name contains `[`, `?` or `*`.

    Raises:
        SourceError: the place does not exist or has no videos.
    """
    _refuse_pages(place, [place])
    system, path = fsspec.core.url_to_fs(place)
    local = "://" not in place
    if _is_glob(system, path, place):
        found = [_uri(system, name, local) for name in system.glob(path) if not system.isdir(name)]
    elif system.isdir(path):
        found = [_uri(system, name, local) for name in system.find(path) if _is_video(name)]
    elif path.endswith(".txt") and system.exists(path):
        base = Path(path).parent
        with system.open(path, "rt") as lines:
            named = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        _refuse_pages(place, named)
        found = [name if "://" in name or Path(name).is_absolute() or not local else str(base / name) for name in named]
    elif system.exists(path):
        found = [_uri(system, path, local)]
    else:
        raise SourceError(f"{place} does not exist; give a folder, a glob, a file or a .txt list of paths")
    if not found:
        passed_over = describe_passed_over(place)
        raise SourceError(
            f"{place} has no videos; a folder is searched for files that end in {' '.join(sorted(VIDEO_SUFFIXES))}"
            + (f". {passed_over}" if passed_over else "")
        )
    return [_offered(uri) for uri in sorted(set(found))]


def files_passed_over(place: str) -> Counter[str]:
    """How many files of a folder are not taken for videos, by ending; empty if the place is not a folder.

    Hidden files do not count.
    """
    system, path = fsspec.core.url_to_fs(place)
    if _is_glob(system, path, place) or not system.isdir(path):
        return Counter()
    names = [Path(name) for name in system.find(path) if not _is_video(name)]
    return Counter(name.suffix.lower() or "without an ending" for name in names if not name.name.startswith("."))


def describe_passed_over(place: str) -> str:
    """A sentence about the files that `list_videos` passes over; empty if there are none."""
    counts = files_passed_over(place)
    if not counts:
        return ""
    ordered = sorted(counts, key=lambda ending: (-counts[ending], ending))
    named = [f"{counts[ending]} {ending}" for ending in ordered[:_PASSED_OVER_SHOWN]]
    rest = len(counts) - len(named)
    return f"Passed over: {', '.join(named)}" + (f" and {rest} other endings" if rest else "")


def _is_glob(system: fsspec.AbstractFileSystem, path: str, place: str) -> bool:
    return any(mark in place for mark in _GLOB_MARKS) and not system.exists(path)


def _is_video(name: str) -> bool:
    path = Path(name)
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def _refuse_pages(place: str, names: Sequence[str]) -> None:
    """Refuse links to pages that play a video: they are no files.

    Raises:
        SourceError: a name is a link to YouTube.
    """
    pages = [name for name in names if _YOUTUBE.match(name)]
    if not pages:
        return
    what = "it is a link to a YouTube page"
    if pages != [place]:
        what = f"{len(pages)} of {len(names)} lines link to YouTube pages, the first to {pages[0]}"
    raise SourceError(
        f"{place}: {what}, which is no video file. Download the videos first, "
        "for example with yt-dlp, if their owners allow it; then give the folder of the files"
    )


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
