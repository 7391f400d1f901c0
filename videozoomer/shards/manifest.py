"""manifest.json: the contents of a data set, its origin, and the checksum of every file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from videozoomer.protocol.protocol import Protocol

FILE = "manifest.json"
FORMAT_VERSION = 1
"""Raised when a reader of the old format could not read the new one."""


class ShardError(ValueError):
    """A data set cannot be written or read; the message names the item and what to do."""


class ShardFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: Literal["rows", "frames"]
    split: str | None
    """Split of its rows; None for frames, which all splits share."""
    rows: int
    bytes: int
    sha256: str


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


def sha256_of(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a data set.

    Raises:
        ShardError: the folder has no manifest, or one that this version cannot read.
    """
    path = folder / FILE
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
