"""manifest.json: the contents of a data set, its origin, and the checksum of every file."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from videozoomer.protocol.protocol import Protocol

FILE = "manifest.json"
FORMAT_VERSION = 1
"""Raised when a reader of the old format could not read the new one."""


class ShardError(ValueError):
    """A data set cannot be written or read; the message names the item and what to do."""


class ShardFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """A plain file name; data sets have no sub-folders."""
    role: Literal["rows", "frames"]
    split: str | None
    """Split of its rows; None for frames, which all splits share."""
    rows: int
    bytes: int
    sha256: str

    @field_validator("name")
    @classmethod
    def _stays_in_the_folder(cls, name: str) -> str:
        """A manifest comes from others: a name such as `../../x` would read a file that is not part of the data set."""
        if not re.fullmatch(r"[\w-][\w.-]*\.parquet", name, re.ASCII):
            raise ValueError(
                f"{name!r} is not the plain name of a Parquet file, so it may lead out of the data set's folder"
            )
        return name


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    kind: Literal["sft", "rl", "evaluation"]
    about: dict
    """Recipe and its digest, the protocol's numbers, protocol and prompt versions, what was left out, the funnel."""
    counts: dict[str, int]
    """Rows, rows by split and by kind, videos, frames."""
    columns: dict[str, str]
    """Column -> type, in order."""
    files: tuple[ShardFile, ...]

    @field_validator("files")
    @classmethod
    def _listed_once(cls, files: tuple[ShardFile, ...]) -> tuple[ShardFile, ...]:
        names = [file.name for file in files]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(repeated)} is listed twice, so its rows would be read twice")
        return files

    @property
    def rows(self) -> int:
        return self.counts["rows"]

    @property
    def frames(self) -> int:
        return self.counts["frames"]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def protocol(self) -> Protocol | None:
        """The numbers that its episodes were played by, or are to be; None for a data set that does not record them.

        Raises:
            ShardError: the numbers are not those of a protocol that this version knows.
        """
        if "protocol" not in self.about:
            return None
        try:
            return Protocol.from_dict(self.about["protocol"])
        except ValueError as error:
            raise ShardError(f"the manifest's protocol cannot be read: {error}") from error

    @property
    def content_hash(self) -> str:
        """Hash of the columns and of every file's checksum; the same rows and frames give the same hash."""
        content = [self.kind, self.columns, [(file.name, file.sha256) for file in self.files]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def of_role(self, role: str, split: str | None = None) -> list[ShardFile]:
        return [file for file in self.files if file.role == role and split in (None, file.split)]


def counts_of(table: pl.DataFrame, frames: int) -> dict[str, int]:
    """The counts of a data set with these rows and this number of frames."""
    counts = {"rows": table.height, "videos": table["video_id"].n_unique(), "frames": frames}
    for name in ("split", "kind"):
        if name in table.columns:
            counts |= {f"{name}:{value}": rows for value, rows in sorted(Counter(table[name]).items())}
    return counts


def sha256_of(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def inside(folder: Path, name: str) -> Path:
    """Path of a file of the data set.

    Raises:
        ShardError: it is a link that leads out of the folder, so that another file would be read.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ShardError(f"{path} is a link that leads out of its data set; copy the files themselves (cp -rL)")
    return path


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a data set.

    Raises:
        ShardError: the folder has no manifest, or one that this version cannot read.
    """
    path = inside(folder, FILE)
    if not path.is_file():
        raise ShardError(f"{folder} has no {FILE}: it is not a data set, or was never finished; build it again")
    try:
        manifest = Manifest.model_validate_json(path.read_text())
    except ValidationError as error:
        raise ShardError(f"{path} is not a valid manifest: {error}; build the data set again") from error
    if manifest.format_version != FORMAT_VERSION:
        raise ShardError(
            f"{path} has format {manifest.format_version}, but this version reads {FORMAT_VERSION}; build it again"
        )
    return manifest
