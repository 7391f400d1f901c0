"""SQLite files that threads write to while an event loop waits: ledger, frames, budget."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal


def connect(path: Path, *, synchronous: Literal["normal", "full"]) -> sqlite3.Connection:
    """A connection for any thread, one at a time, with a write-ahead log; every statement is a transaction unless one is begun.

    A killed process loses nothing. `normal`: a crash of the machine may lose the last transactions; `full`: it does not.
    """
    # Flushes are of many lengths, each a statement of its own; a hundred of the long ones, kept, would take 25 MiB.
    connection = sqlite3.connect(path, check_same_thread=False, timeout=60, isolation_level=None, cached_statements=8)
    connection.execute("pragma journal_mode=wal")
    connection.execute(f"pragma synchronous={synchronous}")
    # What is asked for was never asked for lately, neighbours neither: 512 KiB of pages instead of 2 MiB.
    connection.execute("pragma cache_size=-512")
    return connection
