"""The commit log of a lake: one create-only object for each commit, which names every file that a stage wrote and *is*
the stamp of its results.

Commit n is `log/<n>.json`. A commit replaces several partitions and stamps at once: a reader that takes a `Snapshot`
sees all of them or none. Two writers cannot both create the next number; the one that comes second looks at what
the first has committed, and decides again. Checkpoints hold a whole snapshot, so that opening a lake reads few commits.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from videozoomer.lake.snapshot import Changes, Snapshot
from videozoomer.lake.store import ObjectStore, probe

FOLDER = "log"
CHECKPOINTS = "checkpoints"
CHECKPOINT_EVERY = 20
"""Commits from one checkpoint to the next while the lake is small; in a large one, a hundredth of its partitions and
stamps, since a checkpoint costs as much as the lake is large."""
KEPT_CHECKPOINTS = 2
TAKEN_OVER = "begin the log with the tables and stamps that are there"

_log = logging.getLogger(__name__)


class LogError(RuntimeError):
    """The log cannot be read; the message names the object and what to do."""


@dataclass(frozen=True, slots=True)
class Commit:
    number: int
    uuid: str
    """Tells a writer whose put timed out that the commit is its own."""
    at_s: float
    """Seconds since the epoch."""
    work: str
    """What wrote it, as a person would name it."""
    base: int
    """Number of the snapshot that the work read."""
    changes: Changes
    replaced: tuple[str, ...]
    """Names of the files that were current until this commit."""

    def to_bytes(self) -> bytes:
        value = {
            "uuid": self.uuid,
            "at_s": self.at_s,
            "work": self.work,
            "base": self.base,
            **self.changes.to_json(),
            "replaced": self.replaced,
        }
        return json.dumps(value, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, number: int, data: bytes) -> Commit:
        value: dict[str, Any] = json.loads(data)
        changes = Changes.from_json(value)
        return cls(
            number, value["uuid"], value["at_s"], value["work"], value["base"], changes, tuple(value["replaced"])
        )


def entry_name(number: int) -> str:
    return f"{FOLDER}/{number:010d}.json"


def checkpoint_name(number: int) -> str:
    return f"{CHECKPOINTS}/{number:010d}.parquet"


class Log:
    """The log in one store. Threads may share it."""

    def __init__(self, store: ObjectStore, before: Callable[[], Changes]) -> None:
        """`before` finds what an earlier release left in a store without a log; the first commit takes it over."""
        self.store = store
        self._before = before
        self._guard = threading.RLock()
        self._snapshot = Snapshot()
        self._last = b""
        """Commit `self._snapshot.number`, by which a store that was replaced by another is noticed."""
        self._checkpoint = 0
        self._probed = False

    def head(self) -> Snapshot:
        """All commits so far.

        Raises:
            LogError: an object of the log is missing or damaged.
        """
        with self._guard:
            number = self._snapshot.number
            if not number or self.store.get(entry_name(number)) != self._last:
                self._load()
            while (data := self.store.get(entry_name(self._snapshot.number + 1))) is not None:
                self._apply(self._snapshot.number + 1, data)
            return self._snapshot if self._snapshot.number else Snapshot().after(self._before(), 0)

    def begin(self) -> None:
        """Call it before the first file is put: commit 1 takes over what there is, so no file is without a log.

        Raises:
            StoreError: the store lets two writers create the same object.
        """
        with self._guard:
            if not self._probed:
                probe(self.store)
                self._probed = True
            head = self.head()
            if head.number:
                return
            changes = Changes({table: dict(found) for table, found in head.files.items()})
            changes.stamps.update({asset: dict(found) for asset, found in head.stamps.items()})
            first = Commit(1, uuid.uuid4().hex, time.time(), TAKEN_OVER, 0, changes, ())
            # Another process may be first; what it found is the same.
            self.store.put_if_absent(entry_name(1), first.to_bytes())

    def commit(
        self,
        changes: Changes,
        work: str,
        *,
        base: Snapshot | None = None,
        check: Callable[[Snapshot], None] | None = None,
    ) -> Snapshot:
        """Append the changes and return the snapshot that they make. `base` is the snapshot that the work read.

        `check` is called with what the changes would be put on top of, again if another commit comes first; an error
        that it raises ends the commit. After an error of the store the commit may have landed or not, never a part.

        Raises:
            LogError: an object of the log is missing or damaged.
            StoreError: the store lets two writers create the same object.
        """
        with self._guard:
            self.begin()
            own = uuid.uuid4().hex
            while True:
                head = self.head()
                if check is not None:
                    check(head)
                number = head.number + 1
                old = (head.files.get(table, {}).get(part) for table, new in changes.files.items() for part in new)
                replaced = tuple(sorted({name for name in old if name} - set(changes.names())))
                read = (base or head).number
                data = Commit(number, own, time.time(), work, read, changes, replaced).to_bytes()
                if self._put(number, own, data):
                    self._apply(number, data)
                    self._write_checkpoint()
                    return self._snapshot

    def commits(self) -> Iterator[Commit]:
        """From the newest back to the oldest that is kept."""
        number = self.head().number
        while number and (data := self.store.get(entry_name(number))) is not None:
            yield self._parsed(number, data)
            number -= 1

    def trim(self, before: int) -> int:
        """Remove commits below this number that no checkpoint needs; return how many. Nothing may commit meanwhile."""
        kept = self._numbers(CHECKPOINTS)
        limit = min(before, kept[0] if len(kept) == KEPT_CHECKPOINTS else 0)
        names = [entry.name for entry in self.store.list(FOLDER) if entry.name < entry_name(limit)]
        for name in names:
            self.store.delete(name)
        return len(names)

    def _put(self, number: int, own: str, data: bytes) -> bool:
        """Create a commit; False if another writer's has this number."""
        try:
            if self.store.put_if_absent(entry_name(number), data):
                return True
        except OSError:
            # A put that failed for the caller may have landed all the same.
            landed = self.store.get(entry_name(number))
            if landed is None or self._parsed(number, landed).uuid != own:
                raise
            return True
        landed = self.store.get(entry_name(number))
        return landed is not None and self._parsed(number, landed).uuid == own

    def _load(self) -> None:
        """Read the newest checkpoint and the commits after it."""
        self._snapshot, self._last, self._checkpoint = Snapshot(), b"", 0
        for number in reversed(self._numbers(CHECKPOINTS)):
            data, last = self.store.get(checkpoint_name(number)), self.store.get(entry_name(number))
            if data is None or last is None:
                continue
            try:
                self._snapshot, self._last, self._checkpoint = Snapshot.from_parquet(data, number), last, number
                break
            except (pl.exceptions.PolarsError, OSError, ValueError, TypeError) as error:
                _log.warning("checkpoint %s cannot be read: %s", self.store.location(checkpoint_name(number)), error)
        for number in (number for number in self._numbers(FOLDER) if number > self._checkpoint):
            data = self.store.get(entry_name(number))
            if number != self._snapshot.number + 1 or data is None:
                raise LogError(
                    f"{self.store.location(entry_name(self._snapshot.number + 1))} is missing, but later commits are "
                    f"there; restore {self.store.location(FOLDER)} from a backup"
                )
            self._apply(number, data)

    def _apply(self, number: int, data: bytes) -> None:
        self._snapshot = self._snapshot.after(self._parsed(number, data).changes, number)
        self._last = data

    def _parsed(self, number: int, data: bytes) -> Commit:
        try:
            return Commit.from_bytes(number, data)
        except (ValueError, KeyError, TypeError) as error:
            raise LogError(
                f"{self.store.location(entry_name(number))} is damaged ({error}); restore it from a backup"
            ) from error

    def _numbers(self, folder: str) -> list[int]:
        """Of the commits or checkpoints that are kept, in order."""
        return sorted(int(PurePosixPath(entry.name).stem) for entry in self.store.list(folder))

    def _write_checkpoint(self) -> None:
        number = self._snapshot.number
        if number - self._checkpoint < max(CHECKPOINT_EVERY, self._snapshot.size // 100):
            return
        try:
            self.store.put_if_absent(checkpoint_name(number), self._snapshot.to_parquet())
            for old in self._numbers(CHECKPOINTS)[:-KEPT_CHECKPOINTS]:
                self.store.delete(checkpoint_name(old))
        except OSError as error:
            # The commit stands without it; the next commit tries again.
            _log.warning("no checkpoint of %s could be written: %s", self.store.location(""), error)
            return
        self._checkpoint = number
