"""manifest.json: what a data set holds, where it comes from, and the checksum of every file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

FILE = "manifest.json"
FORMAT_VERSION = 1
"""Raised when a reader of the old form could not read the new."""


class ShardError(ValueError):
    """A data set cannot be written or read as it stands; the message names the item and the remedy."""


class ShardFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: Literal["rows", "frames"]
    split: str | None
    """Split of its rows; null for frames, which all splits share."""
    rows: int
    bytes: int
    sha256: str


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    kind: Literal["sft", "rl", "evaluation"]
    about: dict
    """Recipe and its digest, protocol and prompt versions, what was left out, the funnel."""
    counts: dict[str, int]
    """Rows, rows by split and by kind, videos, frames."""
    columns: dict[str, str]
    """Column -> type, in order."""
    files: tuple[ShardFile, ...]

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
    def content_hash(self) -> str:
        """Hash of the columns and of every file's checksum: the same for the same rows and frames."""
        content = [self.kind, self.columns, [(file.name, file.sha256) for file in self.files]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def of_role(self, role: str, split: str | None = None) -> list[ShardFile]:
        return [file for file in self.files if file.role == role and split in (None, file.split)]


def sha256_of(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Raises:
    ShardError: the folder holds no manifest, or one that this version cannot read.
    """
    path = folder / FILE
    if not path.is_file():
        raise ShardError(f"{folder} holds no {FILE}; it is no data set, or writing it never ended: build it again")
    try:
        manifest = Manifest.model_validate_json(path.read_text())
    except ValidationError as error:
        raise ShardError(f"{path} does not read as a manifest: {error}; build the data set again") from error
    if manifest.format_version != FORMAT_VERSION:
        raise ShardError(
            f"{path} has format {manifest.format_version}, this version reads {FORMAT_VERSION}; build it again"
        )
    return manifest
