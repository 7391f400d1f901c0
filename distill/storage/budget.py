"""Money is set aside before it is spent. Shared by every process of a run, so the cap holds over all of them.

A call first sets aside the most that it can cost. Once its entry is in the ledger, the entry's cost takes the place of
what was set aside. The ledger is the truth of what was paid; this file adds what is under way, and what a killed process
or a broken connection may have cost without our knowing: that stays set aside until `forgive`.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from distill.storage.ledger import Ledger
from videozoomer.sqlite import connect_shared

_SCHEMA = """
create table if not exists paid (ledger text primary key, usd real not null);
create table if not exists aside (
    ledger text not null, key text not null, attempt integer not null, usd real not null, primary key (ledger, key, attempt)
);
"""


@dataclass(frozen=True, slots=True)
class Balance:
    cap_usd: float
    paid_usd: float
    aside_usd: float
    """Set aside for calls under way, and for calls whose outcome is not known."""

    @property
    def free_usd(self) -> float:
        return self.cap_usd - self.paid_usd - self.aside_usd


class Budget:
    """One file a run. Thread-safe; every change is one transaction that other processes see."""

    def __init__(self, path: str | Path, cap_usd: float) -> None:
        self.path = Path(path)
        self.cap_usd = cap_usd
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        # After a crash of the machine `join` makes good what is missing, from the ledger.
        self._connection = connect_shared(self.path, synchronous="normal")
        self._connection.executescript(_SCHEMA)

    def join(self, ledger: Ledger) -> None:
        """Take over what a ledger knows. Only its one writer may call this, so what it had set aside and did not
        journal is of calls that were cut down in flight; that stays set aside."""
        name = str(ledger.path.resolve())
        with self._lock:
            held = self._connection.execute("select key, attempt from aside where ledger = ?", (name,)).fetchall()
        journalled = [(name, key, attempt) for key, attempt in held if ledger.has(key, attempt)]
        with self._transaction() as connection:
            connection.execute("insert or replace into paid values (?, ?)", (name, ledger.paid_usd()))
            connection.executemany("delete from aside where ledger = ? and key = ? and attempt = ?", journalled)

    def set_aside(self, ledger: Ledger, key: str, attempt: int, usd: float) -> bool:
        """Whether the cap has room for this; if so it is set aside."""
        with self._transaction() as connection:
            if self._balance(connection).free_usd < usd - 1e-12:
                return False
            connection.execute(
                "insert or replace into aside values (?, ?, ?, ?)", (str(ledger.path.resolve()), key, attempt, usd)
            )
        return True

    def settle(self, ledger: Ledger, key: str, attempt: int, usd: float) -> None:
        """Put what was paid in the place of what was set aside."""
        name = str(ledger.path.resolve())
        with self._transaction() as connection:
            connection.execute("delete from aside where ledger = ? and key = ? and attempt = ?", (name, key, attempt))
            connection.execute(
                "insert into paid values (?, ?) on conflict (ledger) do update set usd = usd + excluded.usd",
                (name, usd),
            )

    def forgive(self) -> float:
        """Free what calls of unknown outcome hold; to be called when nothing runs and the provider's bill was read.
        Returns the dollars freed."""
        with self._transaction() as connection:
            freed = connection.execute("select coalesce(sum(usd), 0) from aside").fetchone()[0]
            connection.execute("delete from aside")
        return freed

    def balance(self) -> Balance:
        with self._lock:
            return self._balance(self._connection)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Budget:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _balance(self, connection: sqlite3.Connection) -> Balance:
        row = connection.execute(
            "select (select coalesce(sum(usd), 0) from paid), (select coalesce(sum(usd), 0) from aside)"
        ).fetchone()
        return Balance(self.cap_usd, *row)

    def _transaction(self) -> _Transaction:
        return _Transaction(self._lock, self._connection)


class _Transaction:
    """Takes the write lock first, so that what is read inside is still true when it is written."""

    def __init__(self, lock: threading.Lock, connection: sqlite3.Connection) -> None:
        self._lock, self._connection = lock, connection

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        try:
            self._connection.execute("begin immediate")
        except BaseException:
            self._lock.release()
            raise
        return self._connection

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._connection.execute("rollback" if kind else "commit")
        finally:
            self._lock.release()
