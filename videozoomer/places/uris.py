"""The names of films: local paths, fsspec URLs, and members of archives as fsspec chains."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*(::|://)")
ARCHIVES = {".zip": "zip", ".tar": "tar", ".parquet": "parquet"}
"""Endings of the archives whose members are films, and the scheme of such a member."""
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
"""Endings of compressed tar archives. They have no places to read from, so they are refused."""


class PlaceError(OSError):
    """A film's bytes cannot be had. `reason` is a key of `videozoomer.video.preflight.REASONS`."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason, self.sentence = reason, sentence

    def __reduce__(self) -> tuple:
        return type(self), (self.reason, self.sentence)


@dataclass(frozen=True, slots=True)
class MemberName:
    """A film within an archive: `zip://season1/a.mp4::/data/films.zip`."""

    scheme: str
    """`zip`, `tar` or `parquet`."""
    inner: str
    archive: str
    """Path or URL of the archive."""

    @property
    def uri(self) -> str:
        return f"{self.scheme}://{self.inner}::{self.archive}"


def is_url(uri: str) -> bool:
    """Whether a URI is an fsspec URL; everything else is a local path, even one with unusual characters."""
    return _URL.match(uri) is not None


def local_path(uri: str) -> Path | None:
    """The local path that a URI names; None for a URL of another machine and for a member of an archive."""
    if not is_url(uri):
        return Path(uri)
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.netloc in ("", "localhost") else None


def member_name(uri: str) -> MemberName | None:
    """The archive and member that a URI names; None if it names no member."""
    scheme, found, rest = uri.partition("://")
    inner, chained, archive = rest.partition("::")
    if not found or not chained or not archive or scheme not in ARCHIVES.values():
        return None
    return MemberName(scheme, inner, archive)


def archive_kind(place: str) -> str | None:
    """`zip`, `tar` or `parquet` by the ending of a name; None if it is no archive."""
    name = without_query(place).lower()
    return next((kind for ending, kind in ARCHIVES.items() if name.endswith(ending)), None)


def without_query(place: str) -> str:
    """A place by which to know its ending: a URL may have a query behind its path, such as a signature."""
    return place.split("?", 1)[0] if is_url(place) else place


def short_name(uri: str) -> str:
    """A film's name for a list: `film.mp4`, or `films.zip/season1/film.mp4`."""
    if member := member_name(uri):
        return f"{short_name(member.archive)}/{member.inner}"
    return unquote(Path(without_query(uri)).name) if is_url(uri) else Path(uri).name


def absolute_place(place: str, folder: Path) -> str:
    """A place with its path relative to a folder made absolute; URLs and absolute paths stay as they are."""
    if member := member_name(place):
        return MemberName(member.scheme, member.inner, absolute_place(member.archive, folder)).uri
    place = os.path.expanduser(place)
    if "://" in place or Path(place).is_absolute():
        return place
    return str(Path(os.path.normpath(folder / place)))
