"""Opening SQLite files. Everything that keeps data in SQLite (ledger, frames, budget, zoom store) opens it here."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal


def connect_shared(path: Path, *, synchronous: Literal["normal", "full"]) -> sqlite3.Connection:
    """A file that threads write to while others read: a connection for any thread, one at a time, with a write-ahead
    log. Every statement is a transaction unless one is begun.

    A killed process loses nothing. After a crash of the machine, `normal` may lose the last transactions; `full` does
    not.
    """
    # Flushes have many lengths, each a statement of its own; a hundred of the long ones, cached, would take 25 MiB.
    connection = sqlite3.connect(path, check_same_thread=False, timeout=60, isolation_level=None, cached_statements=8)
    connection.execute("pragma journal_mode=wal")
    connection.execute(f"pragma synchronous={synchronous}")
    # Rows are rarely read twice, nor are their neighbours: 512 KiB of pages instead of 2 MiB.
    connection.execute("pragma cache_size=-512")
    return connection


def connect_read_only(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """A file that others may be writing to. `immutable`: nobody writes to it any more, so reads need no locks.

    Raises:
        sqlite3.OperationalError: there is no such file; it is never created.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
    return sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=60)


def connect_disposable(path: Path) -> sqlite3.Connection:
    """A file that is thrown away unless it is finished: no journal and no sync. Transactions are begun by hand."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=off")
    connection.execute("pragma synchronous=off")
    return connection


def connect_alone(path: Path) -> sqlite3.Connection:
    """A file that nobody else works on, such as a copy to be salvaged, with SQLite's own defaults."""
    return sqlite3.connect(path)
