"""Files that no snapshot of the kept commits names: replaced long ago, or left behind by killed writers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from videozoomer.lake.catalog import CATALOG
from videozoomer.lake.lake import Lake, log_of
from videozoomer.lake.store import Listed


@dataclass(frozen=True)
class Garbage:
    files: list[Listed] = field(default_factory=list)
    first_commit: int = 1
    """The oldest commit that is kept; commits before it can go once a checkpoint has them."""

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def find_garbage(lake: Lake, *, older_than_s: float, keep: int) -> Garbage:
    """What no reader needs: files replaced, or written in vain, more than `older_than_s` ago.

    The last `keep` commits and the snapshots before each of them stay readable, however old they are.
    """
    log, limit_s = log_of(lake.root), time.time() - older_than_s
    used, first = set(log.head().names()), 1
    for index, commit in enumerate(log.commits()):
        if index >= keep and commit.at_s < limit_s:
            first = commit.number + 1
            break
        used.update(commit.changes.names(), commit.replaced)
    found = [file for table in CATALOG for file in log.store.list(table)]
    partial = log.store.unfinished()
    return Garbage([file for file in [*found, *partial] if file.name not in used and file.modified_s < limit_s], first)


def remove_garbage(lake: Lake, garbage: Garbage) -> None:
    """Call it only while no step runs: a running step may be about to name a file again that was replaced."""
    log = log_of(lake.root)
    for file in garbage.files:
        log.store.delete(file.name)
    log.trim(garbage.first_commit)
