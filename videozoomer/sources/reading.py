"""Entries of a question file with their line numbers, from any encoding, separator and spelling of the header."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import polars as pl

from videozoomer.sources.archived_questions import of_parquet, of_tar
from videozoomer.sources.files import SourceError
from videozoomer.sources.shapes import NotQuestions, entries_in

LARGEST_CELL = 1 << 24
"""Characters of a CSV cell; Python's own limit of 131,072 is too small for printed lists."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a question file."""

    where: str
    """`line 12` of a text file; `entry 12` of a JSON list or a Parquet file."""
    row: Mapping[str, Any]
    """Columns as the file spells them; empty if the entry cannot be read."""
    problem: str | None = None
    """Why the entry cannot be read."""


def question_files(place: str) -> list[str]:
    """The files that `questions` of a source names: one, or those that a glob such as `data/train-*.parquet` finds.

    Raises:
        SourceError: a glob finds none.
    """
    if not any(mark in place for mark in "*?["):
        return [place]
    system, path = fsspec.core.url_to_fs(place)
    if system.exists(path):
        return [place]
    found = sorted(name if "://" not in place else system.unstrip_protocol(name) for name in system.glob(path))
    if not found:
        raise SourceError(f"{place} finds no question file; check the path")
    return found


def read_entries(place: str) -> list[Entry]:
    """Every entry of the question files; one that cannot be read keeps its place and its problem.

    Raises:
        SourceError: a file is missing, has another format, or has no entry that can be read.
    """
    files = question_files(place)
    if len(files) == 1:
        return _entries_of(files[0])
    return [
        Entry(f"{Path(file).name}: {entry.where}", entry.row, entry.problem)
        for file in files
        for entry in _entries_of(file)
    ]


def _entries_of(place: str) -> list[Entry]:
    suffix = Path(place).suffix.lower()
    beside_films = of_tar(place) if suffix == ".tar" else of_parquet(place) if suffix == ".parquet" else None
    if beside_films is not None:
        return [
            Entry(where, {}, item) if isinstance(item, str) else _object(item, where) for where, item in beside_films
        ]
    try:
        with fsspec.open(place, "rb") as handle:
            raw = handle.read()
    except FileNotFoundError as error:
        raise SourceError(f"question file {place} does not exist; check the path under questions") from error
    except IsADirectoryError as error:
        raise SourceError(f"questions must be a file, but {place} is a folder; name the file in it") from error
    except OSError as error:
        raise SourceError(f"question file {place} cannot be read ({error}); check its permissions") from error
    try:
        if suffix == ".parquet":
            return [Entry(f"entry {n}", row) for n, row in enumerate(pl.read_parquet(raw).to_dicts(), 1)]
        if suffix in (".jsonl", ".json", ".csv", ".tsv"):
            text = _text(raw, place)
            entries = {".jsonl": _json_lines, ".json": _json, ".csv": _csv, ".tsv": _csv}[suffix](text, place)
            problem = next((entry for entry in entries if entry.problem), None)
            if problem and all(entry.problem for entry in entries):
                raise SourceError(f"{place} cannot be read: {problem.where} {problem.problem}")
            return entries
    except (ValueError, csv.Error, pl.exceptions.PolarsError) as error:
        raise error if isinstance(error, SourceError) else SourceError(f"{place} cannot be read: {error}") from error
    raise SourceError(f"{place}: a question file must end in .jsonl, .json, .csv, .tsv, .parquet or .tar")


def _text(raw: bytes, place: str) -> str:
    """UTF-8, or UTF-16 with its byte order mark."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{place}: line {line} is not {encoding.removesuffix('-sig')}; save the file as UTF-8"
        ) from error


def _json_lines(text: str, place: str) -> list[Entry]:
    if text.lstrip().startswith("["):
        return _json(text, place)
    # Only a line feed ends a line: JSON may contain U+2028 and its like unescaped.
    entries = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                entries.append(_object(json.loads(line), f"line {number}"))
            except (ValueError, RecursionError) as error:
                entries.append(Entry(f"line {number}", {}, f"is not JSON ({error})"))
    return entries


def _json(text: str, place: str) -> list[Entry]:
    try:
        loaded = json.loads(text)
    except ValueError as error:
        # Lines of JSON are often named .json.
        if "Extra data" in str(error) and text.lstrip().startswith("{"):
            return _json_lines(text, place)
        raise
    try:
        return [_object(item, where) for where, item in entries_in(loaded)]
    except NotQuestions as error:
        raise SourceError(f"{place} {error}") from error


def _object(item: Any, where: str) -> Entry:
    return Entry(where, item) if isinstance(item, dict) else Entry(where, {}, "is not an object with columns")


def _csv(text: str, place: str) -> list[Entry]:
    csv.field_size_limit(LARGEST_CELL)
    head = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] = []
    entries: list[Entry] = []
    start = 1
    for cells in lines:
        where, start = f"line {start}", lines.line_num + 1
        if not cells:
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            if repeated := {name for name in header if name and header.count(name) > 1}:
                raise SourceError(f"{place}: the header names {', '.join(sorted(repeated))} twice; rename one of them")
        elif len(cells) != len(header):
            problem = f"has {len(cells)} cells, the header {len(header)}; put texts with {separator!r} in quotes"
            entries.append(Entry(where, {}, problem))
        else:
            entries.append(Entry(where, {name: cell or None for name, cell in zip(header, cells, strict=True)}))
    return entries
