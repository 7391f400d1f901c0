"""Stamps: for each result, the log records what it was made from, and so whether it is current.

A stamp has two hashes: `inputs` covers the code version, the settings and the contents of everything that the result
was made from; `content` covers the result. A result is current while its inputs have the same hash. A changed recipe,
file or upstream result makes it stale, and an upstream result that comes out the same again does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from videozoomer.lake.lake import Lake
from videozoomer.lake.snapshot import ALL, UNFINISHED, Snapshot, Stamp

__all__ = ["UNFINISHED", "Stamp", "Stamps", "inputs_hash"]


@dataclass(frozen=True)
class Stamps:
    lake: Lake

    def read(self, asset: str, partition: str = ALL) -> Stamp | None:
        return self.lake.snapshot().stamp(asset, partition)

    def write(self, asset: str, stamp: Stamp, partition: str = ALL) -> None:
        self.lake.write_stamp(asset, stamp, partition)

    def partitions(self, asset: str) -> list[str]:
        return sorted(name for name in self.lake.snapshot().stamps.get(asset, {}) if name != ALL)

    def inputs(self, code_version: str, parents: Iterable[str], partition: str = ALL) -> str:
        """Hash of everything that a result would be made from now."""
        return inputs_hash(self.lake.snapshot(), code_version, parents, partition)


def inputs_hash(snapshot: Snapshot, code_version: str, parents: Iterable[str], partition: str) -> str:
    """Hash of everything that a result would be made from, were it made from this snapshot.

    If a parent has a stamp for the same partition, only that stamp counts; otherwise all its stamps do.
    """
    digest = hashlib.sha256(code_version.encode())
    for parent in sorted(parents):
        found = snapshot.stamps.get(parent, {})
        names = [partition] if partition in found else [ALL, *sorted(found.keys() - {ALL})]
        for name in names:
            stamp = found.get(name)
            digest.update(f"|{parent}/{name}={stamp.content if stamp else 'missing'}".encode())
    return digest.hexdigest()[:32]
