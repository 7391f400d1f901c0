"""What the lake holds after so many commits: the file of every partition and the stamp of every result."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import polars as pl

ALL = "all"
"""Partition of a table that is not divided into batches."""
UNFINISHED = "unfinished-"
"""Start of the content of a stamp whose result is being replaced. What follows is unique, so nothing made meanwhile
counts as current later."""
COLUMNS = {"kind": pl.String, "name": pl.String, "partition": pl.String, "value": pl.String}
"""Of a checkpoint. `kind` is `file` or `stamp`; `name` a table or an asset; `value` the file's name or the stamp."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Stamp:
    inputs: str
    content: str
    facts: dict[str, Any] = field(default_factory=dict)
    """Counts to show without reading the result; `retryable` > 0 makes the result stale."""

    @property
    def unfinished(self) -> bool:
        """Whether the step that writes the result has not ended or was killed: it may be half old, half new."""
        return self.content.startswith(UNFINISHED)

    def to_json(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "content": self.content, "facts": self.facts}


@dataclass(frozen=True)
class Changes:
    """What one commit sets: names of files by table and partition, and stamps by asset and partition."""

    files: dict[str, dict[str, str]] = field(default_factory=dict)
    stamps: dict[str, dict[str, Stamp]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files or self.stamps)

    def set_file(self, table: str, partition: str, name: str) -> None:
        self.files.setdefault(table, {})[partition] = name

    def set_stamp(self, asset: str, partition: str, stamp: Stamp) -> None:
        self.stamps.setdefault(asset, {})[partition] = stamp

    def names(self) -> Iterator[str]:
        """Of the files."""
        return (name for found in self.files.values() for name in found.values())

    def to_json(self) -> dict[str, Any]:
        stamps = {
            asset: {partition: stamp.to_json() for partition, stamp in found.items()}
            for asset, found in self.stamps.items()
        }
        return {"files": self.files, "stamps": stamps}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Changes:
        stamps = {
            asset: {partition: Stamp(**stamp) for partition, stamp in found.items()}
            for asset, found in value["stamps"].items()
        }
        return cls(value["files"], stamps)


@dataclass(frozen=True)
class Snapshot:
    """Never changes, and its files stay readable until they are collected as garbage."""

    number: int = 0
    """Number of the last commit in it."""
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    stamps: Mapping[str, Mapping[str, Stamp]] = field(default_factory=dict)

    def after(self, changes: Changes, number: int) -> Snapshot:
        return Snapshot(number, _updated(self.files, changes.files), _updated(self.stamps, changes.stamps))

    def stamp(self, asset: str, partition: str) -> Stamp | None:
        return self.stamps.get(asset, {}).get(partition)

    def partitions(self, table: str) -> list[str]:
        return sorted(self.files.get(table, {}))

    def names(self) -> Iterator[str]:
        """Of all files."""
        return (name for found in self.files.values() for name in found.values())

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values())) + sum(map(len, self.stamps.values()))

    def to_parquet(self) -> bytes:
        rows = [("file", *row) for row in _flat(self.files)]
        rows += [("stamp", asset, part, json.dumps(stamp.to_json())) for asset, part, stamp in _flat(self.stamps)]
        out = io.BytesIO()
        pl.DataFrame(rows, schema=COLUMNS, orient="row").write_parquet(out, compression="zstd")
        return out.getvalue()

    @classmethod
    def from_parquet(cls, data: bytes, number: int) -> Snapshot:
        changes = Changes()
        for kind, name, partition, value in pl.read_parquet(io.BytesIO(data)).iter_rows():
            if kind == "file":
                changes.set_file(name, partition, value)
            else:
                changes.set_stamp(name, partition, Stamp(**json.loads(value)))
        return cls().after(changes, number)


def _updated(
    old: Mapping[str, Mapping[str, Value]], new: Mapping[str, Mapping[str, Value]]
) -> Mapping[str, Mapping[str, Value]]:
    return {**old, **{name: {**old.get(name, {}), **found} for name, found in new.items()}}


def _flat(values: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[str, str, Value]]:
    return ((name, part, value) for name, found in values.items() for part, value in found.items())
