"""Money is reserved before it is spent. Every process of a run shares the file, so the cap applies to all of them
together.

A call first reserves the most it can cost. Once its entry is in the ledger, the entry's cost replaces the reservation.
The ledger is the record of what was paid; this file adds running calls, and calls that a killed process or a broken
connection may have cost without our knowing: those stay reserved until `forgive`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from distill.storage.errors import explained
from distill.storage.ledger import Ledger
from videozoomer.sqlite import connect_shared

_SCHEMA = """
create table if not exists paid (ledger text primary key, usd real not null);
create table if not exists aside (
    ledger text not null, key text not null, attempt integer not null, usd real not null,
    primary key (ledger, key, attempt)
);
"""


@dataclass(frozen=True, slots=True)
class Balance:
    cap_usd: float
    paid_usd: float
    reserved_usd: float
    """Reserved for calls that are running or whose outcome is unknown."""

    @property
    def free_usd(self) -> float:
        return self.cap_usd - self.paid_usd - self.reserved_usd


class Budget:
    """One file a run. Thread-safe; every change is one transaction that other processes see.

    Every method raises StorageError where the file cannot be read or written.
    """

    def __init__(self, path: str | Path, cap_usd: float) -> None:
        self.path = Path(path)
        self.cap_usd = cap_usd
        self._lock = threading.Lock()
        with _using(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # After a crash of the machine, `join` restores what is missing from the ledger.
            self._connection = connect_shared(self.path, synchronous="normal")
            self._connection.executescript(_SCHEMA)

    def join(self, ledger: Ledger) -> None:
        """Take over what a ledger knows. Only the ledger's one writer may call this, so a reservation without an entry
        is of a call that was interrupted in flight; it stays."""
        name = str(ledger.path.resolve())
        with self._lock, _using(self.path):
            held = self._connection.execute("select key, attempt from aside where ledger = ?", (name,)).fetchall()
        recorded = [(name, key, attempt) for key, attempt in held if ledger.has(key, attempt)]
        with self._transaction() as connection:
            connection.execute("insert or replace into paid values (?, ?)", (name, ledger.paid_usd()))
            connection.executemany("delete from aside where ledger = ? and key = ? and attempt = ?", recorded)

    def reserve(self, ledger: Ledger, key: str, attempt: int, usd: float) -> bool:
        """Reserve money if the cap has room for it, and return whether it has."""
        with self._transaction() as connection:
            if self._balance(connection).free_usd < usd - 1e-12:
                return False
            connection.execute(
                "insert or replace into aside values (?, ?, ?, ?)", (str(ledger.path.resolve()), key, attempt, usd)
            )
        return True

    def settle(self, ledger: Ledger, key: str, attempt: int, usd: float) -> None:
        """Replace a reservation by what was paid."""
        name = str(ledger.path.resolve())
        with self._transaction() as connection:
            connection.execute("delete from aside where ledger = ? and key = ? and attempt = ?", (name, key, attempt))
            connection.execute(
                "insert into paid values (?, ?) on conflict (ledger) do update set usd = usd + excluded.usd",
                (name, usd),
            )

    def forgive(self) -> float:
        """Drop the reservations of calls whose outcome is unknown, and return the dollars freed. Call it when nothing
        runs and you have checked the provider's bill."""
        with self._transaction() as connection:
            freed = connection.execute("select coalesce(sum(usd), 0) from aside").fetchone()[0]
            connection.execute("delete from aside")
        return freed

    def balance(self) -> Balance:
        with self._lock, _using(self.path):
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

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Takes the write lock first, so that what is read inside is still true when it is written."""
        with self._lock, _using(self.path):
            self._connection.execute("begin immediate")
            try:
                yield self._connection
                self._connection.execute("commit")
            except BaseException:
                if self._connection.in_transaction:  # A full disk may have rolled it back already.
                    self._connection.execute("rollback")
                raise


def _using(path: Path) -> AbstractContextManager[None]:
    remedy = "move it away, then run again: the ledgers have what was paid, only calls of unknown outcome are forgotten"
    return explained(path, remedy)
