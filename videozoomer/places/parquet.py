"""Films in the rows of Parquet files: the layout of `datasets.Video` (bytes and path), or a column of bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from videozoomer.places.state import identity
from videozoomer.places.uris import MemberName, PlaceError, is_url, local_path

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

FILM_COLUMNS = frozenset("video videos mp4 webm clip clips film movie video_bytes video_data".split())
"""Names of columns of bytes that hold films where the file's own description (`datasets`) does not say so."""
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FilmRows:
    """The films of one Parquet file."""

    column: str
    names: tuple[str, ...]
    """Member of each row: column, row and the path that the row gives, such as `video/17/clip.mp4`."""
    has_paths: bool
    bytes: int
    """Bytes of all films together, as the file's index says."""


def film_rows(place: str) -> FilmRows | None:
    """The films of a Parquet file; None if no column holds any. Reads no film.

    Raises:
        PlaceError: missing, unreadable, damaged.
    """
    return _film_rows(place, identity(place))


def other_columns(place: str, column: str) -> list[dict[str, Any]]:
    """All rows without the column of films.

    Raises:
        PlaceError: missing, damaged.
    """
    import pyarrow as pa

    try:
        with _opened(place) as file:
            names = [name for name in file.schema_arrow.names if name != column]
            rows: list[dict[str, Any]] = file.read(columns=names).to_pylist()
            return rows if names else [{} for _ in range(file.metadata.num_rows)]
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, PlaceError):
            raise
        raise PlaceError("damaged", f"{place} cannot be read ({error}); copy or download it again") from error


def row_of(name: MemberName) -> tuple[str, int]:
    """Column and row that a member names.

    Raises:
        PlaceError: it names none.
    """
    column, _, rest = name.inner.partition("/")
    row = rest.partition("/")[0]
    if not column or not row.isdigit():
        raise PlaceError("missing", f"{name.inner} names no row of {name.archive}; write column and row: video/17")
    return column, int(row)


def row_group_of(name: MemberName) -> list[tuple[int, str]]:
    """Rows of the group that holds a member's row, with their members: they are compressed together.

    Raises:
        PlaceError: there is no such row.
    """
    _, row = row_of(name)
    found = film_rows(name.archive)
    with _opened(name.archive) as file:
        start = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if row < start + rows and found is not None:
                return [(index, found.names[index]) for index in range(start, start + rows)]
            start += rows
    raise PlaceError("missing", f"{name.archive} has no row {row} with a film")


def films_of(name: MemberName) -> Iterator[tuple[int, bytes | None]]:
    """Row number and bytes of each film in the row group of a member, one film in memory at a time.

    Raises:
        PlaceError: damaged, missing.
    """
    import pyarrow as pa

    column, row = row_of(name)
    try:
        with _opened(name.archive) as file:
            start = 0
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if row < start + rows:
                    leaf = _bytes_leaf(file.schema_arrow, column)
                    batches = file.iter_batches(batch_size=1, row_groups=[group], columns=[leaf])
                    for index, batch in enumerate(batches, start):
                        value: Any = batch.column(0)[0].as_py()
                        yield index, value["bytes"] if isinstance(value, dict) else value
                    return
                start += rows
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, PlaceError):
            raise
        raise PlaceError(
            "damaged", f"row {row} of {name.archive} cannot be read ({error}); copy or download it again"
        ) from error
    raise PlaceError("missing", f"{name.archive} has no row {row}")


@lru_cache(maxsize=64)
def _film_rows(place: str, state: str) -> FilmRows | None:
    import pyarrow as pa

    try:
        with _opened(place) as file:
            schema = file.schema_arrow
            column = _film_column(schema)
            if column is None:
                return None
            leaf = _bytes_leaf(schema, column)
            has_paths = leaf != column and schema.field(column).type.get_field_index("path") >= 0
            if has_paths:
                table = file.read(columns=[f"{column}.path"])
                paths = [value["path"] if value else None for value in table.column(0).to_pylist()]
            else:
                paths = [None] * file.metadata.num_rows
            names = tuple(_member(column, row, path) for row, path in enumerate(paths))
            return FilmRows(column, names, has_paths, _leaf_bytes(file.metadata, leaf))
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, PlaceError):
            raise
        raise PlaceError("damaged", f"{place} cannot be read ({error}); copy or download it again") from error


@contextmanager
def _opened(place: str) -> Iterator[pq.ParquetFile]:
    import fsspec
    import pyarrow.parquet as pq

    path = local_path(place)
    if path is not None:
        if not path.exists():
            raise PlaceError("missing", f"{place} does not exist; check the path")
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES) as file:
            yield file
        return
    with fsspec.open(place, "rb") as handle, pq.ParquetFile(handle, pre_buffer=False) as file:
        yield file


def _film_column(schema: pa.Schema) -> str | None:
    """The first column of films: by the description that `datasets` writes, else by name and type."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        features = {}
    kinds = {name: kind.get("_type") for name, kind in features.items() if isinstance(kind, dict)}
    with_bytes = [field.name for field in schema if _holds_bytes(field.type)]
    said = [name for name in with_bytes if kinds.get(name) == "Video"]
    other = [name for name in with_bytes if name.lower() in FILM_COLUMNS and kinds.get(name) not in ("Image", "Audio")]
    return next(iter([*said, *other]), None)


def _holds_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_bytes(kind.field(index).type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _bytes_leaf(schema: pa.Schema, column: str) -> str:
    """The column to read for the bytes alone.

    Raises:
        PlaceError: there is no such column of bytes.
    """
    import pyarrow as pa

    index = schema.get_field_index(column)
    if index < 0 or not _holds_bytes(schema.field(index).type):
        raise PlaceError("missing", f"there is no column {column!r} of films")
    return f"{column}.bytes" if pa.types.is_struct(schema.field(index).type) else column


def _leaf_bytes(metadata: pq.FileMetaData, leaf: str) -> int:
    """Bytes of a column before compression."""
    total = 0
    for group in range(metadata.num_row_groups):
        columns = metadata.row_group(group)
        for index in range(columns.num_columns):
            if columns.column(index).path_in_schema == leaf:
                total += columns.column(index).total_uncompressed_size
    return total


def _member(column: str, row: int, path: str | None) -> str:
    path = (path or "").replace("\\", "/").replace("::", "__")
    if is_url(path):
        path = re.sub(r"^[^:]*://", "", path).split("?", 1)[0]
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    return "/".join([column, str(row), *parts])


def write_row(name: MemberName, out: IO[bytes]) -> None:
    """Write the film of one row.

    Raises:
        PlaceError: damaged, missing.
    """
    _, row = row_of(name)
    for index, film in films_of(name):
        if index == row:
            if film is None:
                raise PlaceError("missing", f"row {row} of {name.archive} has no bytes of a film")
            out.write(film)
            return
