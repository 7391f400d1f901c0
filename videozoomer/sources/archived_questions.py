"""Questions that lie in the same archive as their films: in a row of Parquet, or in the JSON beside a film in a tar.

The film is named as `archive/member`, whatever the row says, because the row is beside it.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from videozoomer.places.archives import read_archive
from videozoomer.places.parquet import film_rows, other_columns
from videozoomer.places.pieces import open_file
from videozoomer.places.uris import PlaceError, archive_kind
from videozoomer.sources.files import VIDEO_SUFFIXES, SourceError
from videozoomer.sources.layouts import LAYOUTS, SYNONYMS, plain_name

Found = list[tuple[str, Any]]
"""Where each entry is, and the entry: an object with columns, or what stands in its place."""


def has_films(place: str) -> bool:
    """Whether a question file is an archive that also has the films.

    Raises:
        PlaceError: it cannot be read.
    """
    kind = archive_kind(place)
    return kind == "tar" or (kind == "parquet" and film_rows(place) is not None)


def of_parquet(place: str) -> Found | None:
    """The rows of a Parquet file with films, without the films' bytes; None if it has none.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        films = film_rows(place)
        if films is None:
            return None
        rows = other_columns(place, films.column)
    except PlaceError as error:
        raise SourceError(f"{place} cannot be read: {error}") from error
    name = PurePosixPath(place).name
    return [
        (f"entry {number}", _with_film(row, f"{name}/{member}"))
        for number, (row, member) in enumerate(zip(rows, films.names, strict=True), 1)
    ]


def of_tar(place: str) -> Found:
    """The JSON beside each film in a tar, as webdataset writes it: `key.json` beside `key.mp4`.

    Raises:
        SourceError: the archive cannot be read, or has no JSON beside a film.
    """
    try:
        archive = read_archive("tar", place)
    except PlaceError as error:
        raise SourceError(str(error)) from error
    if archive.problem and not archive.members:
        raise SourceError(archive.problem[1])
    films = {_key(name): name for name in archive.members if PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES}
    found: Found = []
    file = open_file(place)
    try:
        for name, member in archive.members.items():
            film = films.get(_key(name))
            if film is None or member.problem or not name.lower().endswith(".json"):
                continue
            file.seek(member.start)
            try:
                loaded = json.loads(file.read(member.bytes))
            except ValueError as error:
                found.append((name, f"is not JSON ({error})"))
                continue
            listed = loaded.get("questions", [loaded]) if isinstance(loaded, dict) else loaded
            rows = listed if isinstance(listed, list) else [listed]
            label = f"{PurePosixPath(place).name}/{film}"
            found += [(name, _with_film(row, label) if isinstance(row, dict) else row) for row in rows]
    finally:
        file.close()
    if not found:
        raise SourceError(f"{place} has no JSON beside its films (key.json beside key.mp4); give a question file")
    return found


def _key(name: str) -> str:
    """What files of one sample have in common: the path up to the first dot of its last part."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(".")[0]


def _with_film(row: dict[str, Any], film: str) -> dict[str, Any]:
    """The row with its film in every column that could name one."""
    plain = {plain_name(name) for name in row}
    layout = next((layout for layout in LAYOUTS if layout.needs <= plain), None)
    naming = {*SYNONYMS["video"], layout.columns.get("video") if layout else None}
    return {**row, **{name: film for name in row if plain_name(name) in naming}, "video": film}
