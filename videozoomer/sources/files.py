"""What a source may offer, and ingest batches, which never change once they exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from videozoomer.lake.rows import FileRow

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .qt .mj2 .3gp .3g2 .f4v .mkv .mk3d .webm .avi .divx .ts .m2ts .m2t .mts .mpg .mpeg .mpe .m2p .ps "
    ".vob .flv .ogv .ogg .ogm .wmv .asf .mxf".split()
)
"""Endings of the containers that are read. In a folder, other files are passed over; a .txt list or a glob may name any
file."""


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
