"""What a stage writes before it commits: visible to the stage, and to nobody else."""

from __future__ import annotations

from collections.abc import Callable

from videozoomer.lake.log import Log
from videozoomer.lake.snapshot import Changes, Snapshot, Stamp


class Transaction:
    """Reads one snapshot, collects changes, and commits them together."""

    def __init__(self, log: Log, work: str) -> None:
        self.base = log.head()
        self.view = self.base
        """What the stage sees: the snapshot that it began with, and its own changes."""
        self._log = log
        self._work = work
        self._changes = Changes()

    def set_file(self, table: str, partition: str, name: str) -> None:
        self._changes.set_file(table, partition, name)
        self.view = self.view.after(Changes(files={table: {partition: name}}), self.base.number)

    def set_stamp(self, asset: str, partition: str, stamp: Stamp) -> None:
        self._changes.set_stamp(asset, partition, stamp)
        self.view = self.view.after(Changes(stamps={asset: {partition: stamp}}), self.base.number)

    def commit(self, check: Callable[[Snapshot], None] | None = None) -> None:
        """Append what was collected to the log, unless that is nothing; see `Log.commit`."""
        if self._changes:
            self._log.commit(self._changes, self._work, base=self.base, check=check)
            self._changes = Changes()
