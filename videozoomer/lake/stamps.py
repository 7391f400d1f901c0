"""Stamps: a small JSON file for each result records what it was made from, and so whether it is current.

A stamp has two hashes: `inputs` covers the code version, the settings and the contents of everything that the result
was made from; `content` covers the result. A result is current while its inputs have the same hash. A changed recipe,
file or upstream result makes it stale, and an upstream result that comes out the same again does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from videozoomer.lake.atomic import write_text
from videozoomer.lake.snapshot import ALL, UNFINISHED, Stamp

__all__ = ["UNFINISHED", "Stamp", "Stamps"]


@dataclass(frozen=True)
class Stamps:
    root: Path

    def file(self, asset: str, partition: str = ALL) -> Path:
        return self.root / asset / f"{partition}.json"

    def read(self, asset: str, partition: str = ALL) -> Stamp | None:
        path = self.file(asset, partition)
        return Stamp(**json.loads(path.read_text())) if path.exists() else None

    def write(self, asset: str, stamp: Stamp, partition: str = ALL) -> None:
        write_text(self.file(asset, partition), json.dumps(asdict(stamp), indent=1, sort_keys=True))

    def partitions(self, asset: str) -> list[str]:
        return sorted(path.stem for path in (self.root / asset).glob("*.json") if path.stem != ALL)

    def inputs(self, code_version: str, parents: Iterable[str], partition: str = ALL) -> str:
        """Hash of everything that a result would be made from now.

        If a parent has a stamp for the same partition, only that stamp counts; otherwise all its stamps do.
        """
        digest = hashlib.sha256(code_version.encode())
        for parent in sorted(parents):
            names = [partition] if self.file(parent, partition).exists() else [ALL, *self.partitions(parent)]
            for name in names:
                stamp = self.read(parent, name)
                digest.update(f"|{parent}/{name}={stamp.content if stamp else 'missing'}".encode())
        return digest.hexdigest()[:32]
