"""The ledger of every call. A reply is on disk before its episode continues, so no reply is paid for twice.

One SQLite file a batch, and one writing process at a time. Concurrent calls share a flush: a writer thread takes every
entry that waits, commits them in one transaction, and then lets the callers continue.
"""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import IO

from distill.storage.errors import StorageError, explained, sentence
from distill.storage.threads import BadItem, Flusher
from videozoomer.sqlite import connect_read_only, connect_shared


class LedgerError(StorageError):
    """The ledger cannot be used; the message names the file and the remedy."""


def _using(path: Path) -> AbstractContextManager[None]:
    return explained(path, _remedy(path), LedgerError)


def _remedy(path: Path) -> str:
    return f"save what can be read with `videozoomer ledger salvage {path} --replace`, then run again"


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt at one call."""

    key: str
    """The call; see `distill.storage.keys`."""
    attempt: int
    """Counts from 0 over all runs; a key has at most one final attempt."""
    at: float
    """When the attempt ended, in seconds since 1970."""
    purpose: str
    """`episode` or `judge`."""
    endpoint: str
    model: str
    sample: int
    temperature: float
    request_digest: str
    """Hash of the request as it was sent; frame ids stand for image bytes."""
    outcome: str
    """`ok`, or the kind of failure."""
    final: bool
    """Whether a rerun replays it; False for a failure that may not happen again."""
    reply: str | None = None
    finish_reason: str | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    """Input tokens that the provider had cached; part of `input_tokens`."""
    output_tokens: int = 0
    cost_usd: float = 0.0
    latency_s: float = 0.0
    error: str | None = None
    """The failure in a sentence."""
    dropped: str = ""
    """Parameters left out since the server rejects them, separated by commas."""
    excerpt: str = ""
    """End of the text that was sent last, for searching."""
    raw: str | None = None
    """JSON of `content` and `reasoning` as they came, where `reply` was put together from them."""
    served_model: str | None = None
    """The model that the reply names; a gateway may have chosen another than `model`."""
    fingerprint: str | None = None
    provider: str | None = None


FINAL_OUTCOMES = frozenset({"ok", "refused", "cut_off"})
"""Outcomes that are replayed. Earlier releases kept others as final too; those calls are asked again."""

COLUMNS = tuple(field.name for field in fields(Entry))
_ADDED = ("raw", "served_model", "fingerprint", "provider")
"""Columns that files of earlier releases do not have."""
_values = attrgetter(*COLUMNS)
_MAX_ENTRIES = 500
"""Entries of one flush; SQLite takes some 32,000 values in a statement."""
_SCHEMA = """
create table if not exists calls (
    key text not null, attempt integer not null, at real not null, purpose text not null, endpoint text not null,
    model text not null, sample integer not null, temperature real not null, request_digest text not null,
    outcome text not null, final integer not null, reply text, finish_reason text, input_tokens integer not null,
    cached_tokens integer not null, output_tokens integer not null, cost_usd real not null, latency_s real not null,
    error text, dropped text not null, excerpt text not null,
    raw text, served_model text, fingerprint text, provider text,
    primary key (key, attempt)
) without rowid;
create table if not exists facts (
    endpoint text not null, name text not null, value text not null, primary key (endpoint, name)
);
"""


class Ledger:
    """Open for writing. Usable from any thread and, through `write`, from an event loop without blocking it."""

    def __init__(self, path: str | Path) -> None:
        """Raises LedgerError when another process writes to the same file, or it cannot be read or written."""
        self.path = Path(path)
        with _using(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._held = _hold(self.path)
        try:
            with _using(self.path):
                self._writer = connect_shared(self.path, synchronous="full")
                self._writer.executescript(_SCHEMA)
                for name in sorted(set(_ADDED) - _columns_of(self._writer)):
                    self._writer.execute(f"alter table calls add column {name} text")
                self._reader = connect_shared(self.path, synchronous="full")
                # Most calls of a run are new. Asking SQLite would release the GIL, and wait to get it back.
                self._keys = {key for (key,) in self._reader.execute("select distinct key from calls")}
        except LedgerError:
            self._held.close()
            raise
        self._reading = threading.Lock()
        self._flusher = Flusher(self._write, "ledger", max_items=_MAX_ENTRIES)

    def replay(self, key: str) -> Entry | None:
        """The final attempt at a call, or None if there is none yet."""
        found = self._read(f"select {', '.join(COLUMNS)} from calls where key = ? and final order by attempt", (key,))
        return next((entry for entry in map(_entry, found) if entry.outcome in FINAL_OUTCOMES), None)

    def look_up(self, key: str) -> tuple[Entry | None, int]:
        """The final attempt at a call, and the number of the next one."""
        if key not in self._keys:
            return None, 0
        found = self._read(f"select {', '.join(COLUMNS)} from calls where key = ? order by attempt", (key,))
        entries = [_entry(row) for row in found]
        known = next((entry for entry in entries if entry.final and entry.outcome in FINAL_OUTCOMES), None)
        return known, entries[-1].attempt + 1 if entries else 0

    def next_attempt(self, key: str) -> int:
        return self._read("select coalesce(max(attempt) + 1, 0) from calls where key = ?", (key,))[0][0]

    def has(self, key: str, attempt: int) -> bool:
        return bool(self._read("select 1 from calls where key = ? and attempt = ?", (key, attempt)))

    def paid_usd(self) -> float:
        """Cost of all calls in this file."""
        return self._read("select coalesce(sum(cost_usd), 0.0) from calls", ())[0][0]

    def attempts(self) -> int:
        """Number of requests sent whose outcome is in this file."""
        return self._read("select count(*) from calls", ())[0][0]

    def append(self, entry: Entry) -> None:
        """Record an attempt; returns once it is on disk."""
        self._keys.add(entry.key)
        self._put(_INSERT, _values(entry)).result()

    async def write(self, entry: Entry) -> None:
        """The same from an event loop. The entry of a cancelled caller is written nevertheless."""
        self._keys.add(entry.key)
        written = asyncio.get_running_loop().create_future()
        self._flusher.put((_INSERT, _values(entry)), written)
        await written

    def fact(self, endpoint: str, name: str) -> str | None:
        """Something known about a server from an earlier call, such as a parameter that it rejects."""
        found = self._read("select value from facts where endpoint = ? and name = ?", (endpoint, name))
        return found[0][0] if found else None

    def facts(self, endpoint: str, prefix: str) -> dict[str, str]:
        """All facts whose name has this prefix."""
        rows = self._read(
            "select name, value from facts where endpoint = ? and substr(name, 1, ?) = ?",
            (endpoint, len(prefix), prefix),
        )
        return dict(rows)

    def set_fact(self, endpoint: str, name: str, value: str) -> None:
        self._put("insert or replace into facts values (?, ?, ?)", (endpoint, name, value)).result()

    def drop_fact(self, endpoint: str, name: str) -> None:
        self._put("delete from facts where endpoint = ? and name = ?", (endpoint, name)).result()

    def adopt(self, other: Path) -> None:
        """Take over another ledger's facts about servers; this ledger's own facts stay."""
        with closing(connect_read_only(other)) as connection:
            rows = connection.execute("select endpoint, name, value from facts").fetchall()
        for row in rows:
            self._put("insert or ignore into facts values (?, ?, ?)", row).result()

    def delete(self, where: str, values: tuple) -> None:
        """Delete entries by an SQL condition, and free their space."""
        self._put(f"delete from calls where {where}", values).result()
        with self._reading:
            self._reader.execute("vacuum")

    def entries(self) -> Iterator[Entry]:
        return read_entries(self.path)

    def close(self) -> None:
        """Write what waits and close the file."""
        if self._held.closed:
            return
        self._flusher.close()
        self._reader.close()
        self._writer.close()
        self._held.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, query: str, values: tuple) -> list[tuple]:
        with self._reading, _using(self.path):
            return self._reader.execute(query, values).fetchall()

    def _put(self, statement: str, values: tuple) -> Future:
        done: Future = Future()
        done.set_running_or_notify_cancel()
        self._flusher.put((statement, values), done)
        return done

    def _write(self, items: Sequence[tuple[str, tuple]]) -> None:
        try:
            if all(statement == _INSERT for statement, _ in items):
                # One statement is a transaction by itself: the GIL is released once for all entries.
                statement = _INSERT + f", {_ROW}" * (len(items) - 1)
                self._writer.execute(statement, [value for _, values in items for value in values])
            else:
                self._writer.execute("begin")
                for statement, values in items:
                    self._writer.execute(statement, values)
                self._writer.execute("commit")
        except (OverflowError, UnicodeEncodeError, sqlite3.InterfaceError, sqlite3.ProgrammingError) as error:
            if self._writer.in_transaction:
                self._writer.execute("rollback")
            raise BadItem(f"{self.path}: a call cannot be recorded ({error})") from error
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("rollback")
            raise LedgerError(sentence(self.path, error, _remedy(self.path))) from error


_ROW = f"({', '.join('?' * len(COLUMNS))})"
_INSERT = f"insert or replace into calls ({', '.join(COLUMNS)}) values {_ROW}"


def read_entries(path: str | Path, where: str = "true", values: tuple = ()) -> Iterator[Entry]:
    """Entries of a ledger, which may be in use, in chronological order.

    Raises:
        LedgerError: there is no such file.
    """
    if not Path(path).is_file():
        raise LedgerError(f"there is no ledger {path}; a run writes one for each batch")
    with _using(Path(path)), closing(connect_read_only(Path(path))) as connection:
        there = _columns_of(connection)
        columns = [name if name in there else f"null as {name}" for name in COLUMNS]
        query = f"select {', '.join(columns)} from calls where {where} order by at, key, attempt"
        for row in connection.execute(query, values):
            yield _entry(row)


def _columns_of(connection: sqlite3.Connection) -> set[str]:
    return {row[1] for row in connection.execute("pragma table_info(calls)")}


def _entry(row: tuple) -> Entry:
    values = dict(zip(COLUMNS, row, strict=True))
    return Entry(**(values | {"final": bool(values["final"])}))


def _hold(path: Path) -> IO[bytes]:
    """A lock that the system releases when the process ends, however it ends."""
    handle = path.with_name(path.name + ".lock").open("wb")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise LedgerError(f"{path} is in use by another process; wait for it or stop it, then run again") from error
    return handle
