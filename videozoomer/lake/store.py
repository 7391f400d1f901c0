"""Where the lake's objects are: Parquet files, log entries and checkpoints. One door, so that another store can follow.

An object is whole or absent, never changes, and is on disk once a put has returned. Objects are created, never
replaced: that two writers cannot both create a name is what the log is built on, so `probe` tries it.
"""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Protocol

from videozoomer.lake import atomic

PROBES = ".probe"
PARTIAL = ".partial"
"""Folder of a local store for files that have no name yet; a killed process leaves its own there."""


class StoreError(RuntimeError):
    """The store cannot keep a lake; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Listed:
    name: str
    bytes: int
    modified_s: float
    """Seconds since the epoch."""


class ObjectStore(Protocol):
    """Names are relative, with `/` between folders."""

    def get(self, name: str) -> bytes | None:
        """The object, None if there is none."""

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Create the object; False if there is one of that name, which then stays as it is."""

    def put_file(self, name_of: Callable[[Path], str], write: Callable[[Path], None]) -> str:
        """Create an object from what `write` writes to a path, under a name that follows from its content.

        An object of that name has the same content; its time is renewed. Returns the name.
        """

    def unfinished(self) -> list[Listed]:
        """What writers of now, or killed ones, have begun to put."""

    def delete(self, name: str) -> None:
        """Remove the object, if there is one."""

    def location(self, name: str) -> str:
        """Where Polars and DuckDB read the object."""

    def list(self, folder: str) -> list[Listed]:
        """The objects below a folder, sorted by name."""


@dataclass(frozen=True)
class LocalStore:
    """A folder. Every put syncs the file and its folder."""

    root: Path

    def get(self, name: str) -> bytes | None:
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def put_if_absent(self, name: str, data: bytes) -> bool:
        partial, target = self._partial(), self._target(name)
        try:
            partial.write_bytes(data)
            return atomic.create(partial, target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def put_file(self, name_of: Callable[[Path], str], write: Callable[[Path], None]) -> str:
        partial = self._partial()
        try:
            write(partial)
            name = name_of(partial)
            # A rename over an object of the same content, so that nobody takes it for an old one that can go.
            atomic.commit(partial, self._target(name))
            return name
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def delete(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    def location(self, name: str) -> str:
        return str(self.root / name)

    def _partial(self) -> Path:
        folder = self.root / PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        return folder / uuid.uuid4().hex

    def _target(self, name: str) -> Path:
        target = self.root / name
        if not target.parent.is_dir():
            atomic.make_folder(target.parent)
        return target

    def unfinished(self) -> list[Listed]:
        return self._listed((self.root / PARTIAL).glob("*"))

    def list(self, folder: str) -> list[Listed]:
        return self._listed(path for path in (self.root / folder).rglob("*") if not path.name.startswith("."))

    def _listed(self, paths: Iterable[Path]) -> builtins.list[Listed]:
        found = []
        for path in sorted(paths):
            try:
                status = path.stat()
            except FileNotFoundError:
                # Removed since the folder was listed.
                continue
            if S_ISREG(status.st_mode):
                found.append(Listed(path.relative_to(self.root).as_posix(), status.st_size, status.st_mtime))
        return found


def probe(store: ObjectStore) -> None:
    """Try whether the store refuses to create a name twice.

    Raises:
        StoreError: it does not, so two runs could overwrite each other's results.
    """
    name = f"{PROBES}/{uuid.uuid4().hex}"
    try:
        created = [store.put_if_absent(name, data) for data in (b"first", b"second")]
        kept = store.get(name)
    finally:
        store.delete(name)
    if created != [True, False] or kept != b"first":
        raise StoreError(
            f"{store.location('')} cannot keep a lake: it lets a second writer create a file that exists. Set `home` "
            "to a folder on a local disk"
        )
