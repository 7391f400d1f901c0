"""What can still be read of a damaged ledger, written to a new one, so that its replies are not paid for again."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from pathlib import Path

from distill.storage.ledger import COLUMNS, Entry, Ledger, LedgerError
from distill.storage.pages import Record, records
from videozoomer.sqlite import connect_alone

_REQUIRED = COLUMNS.index("raw")
"""Columns that every release wrote."""
_KINDS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (int,), "float": (int, float)}
_TYPES = tuple(_KINDS.get(str(field.type), (str, type(None))) for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class Salvaged:
    calls: int
    replies: int
    """Calls with a reply that is replayed."""
    facts: int
    lost: int
    """Parts (pages, or single calls) that could not be read; their calls will be made and paid for again."""


def salvage(damaged: Path, target: Path) -> Salvaged:
    """Write the calls and facts that can be read to a new ledger. The damaged file and its log stay as they are.

    Raises:
        LedgerError: there is no such file, or `target` exists.
    """
    if not damaged.is_file():
        raise LedgerError(f"there is no ledger {damaged}")
    if target.exists():
        raise LedgerError(f"{target} exists already; move it away, or name another file")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".salvage-") as folder:
        copy, fresh = Path(folder) / "copy.sqlite", Path(folder) / "fresh.sqlite"
        for ending in ("", "-wal"):
            if (part := damaged.with_name(damaged.name + ending)).is_file():
                shutil.copyfile(part, copy.with_name(copy.name + ending))
        Ledger(fresh).close()
        with closing(connect_alone(fresh)) as writing:
            if (found := _by_sqlite(copy)) is None:
                rows, lost = records(copy)
                lost += _keep(writing, rows)
            else:
                lost = _keep(writing, found)
            writing.commit()
            calls, replies, facts = writing.execute(
                "select (select count(*) from calls), (select count(distinct key) from calls where final), "
                "(select count(*) from facts)"
            ).fetchone()
        fresh.rename(target)
    return Salvaged(calls, replies, facts, lost)


def replace(damaged: Path, salvaged: Path) -> Path:
    """Put the salvaged ledger in the place of the damaged one, which is kept under the name that is returned.

    Raises:
        LedgerError: a damaged file was put aside before.
    """
    aside = damaged.with_name(damaged.name + ".damaged")
    if aside.exists():
        raise LedgerError(f"{aside} exists already; move it away first")
    for ending in ("-wal", "-shm"):
        if (part := damaged.with_name(damaged.name + ending)).exists():
            part.rename(aside.with_name(aside.name + ending))
    damaged.rename(aside)
    salvaged.rename(damaged)
    return aside


def _by_sqlite(path: Path) -> list[Record] | None:
    """All rows, if SQLite finds nothing wrong. Also brings what is in the write-ahead log into the file."""
    try:
        with closing(connect_alone(path)) as connection:
            with suppress(sqlite3.DatabaseError):
                connection.execute("pragma wal_checkpoint(truncate)")
            if connection.execute("pragma integrity_check").fetchall() != [("ok",)]:
                return None
            there = {row[1] for row in connection.execute("pragma table_info(calls)")}
            columns = ", ".join(name if name in there else f"null as {name}" for name in COLUMNS)
            calls = connection.execute(f"select {columns} from calls").fetchall()
            return calls + connection.execute("select endpoint, name, value from facts").fetchall()
    except sqlite3.DatabaseError:
        return None


def _keep(connection: sqlite3.Connection, rows: Iterable[Record]) -> int:
    """Insert rows of both tables, and return how many are damaged."""
    damaged = 0
    for row in rows:
        if len(row) == 3 and all(isinstance(value, str) for value in row):
            connection.execute("insert or ignore into facts values (?, ?, ?)", row)
        elif _REQUIRED <= len(row) <= len(COLUMNS):
            call = row + (None,) * (len(COLUMNS) - len(row))
            if all(isinstance(value, kind) for value, kind in zip(call, _TYPES, strict=True)):
                connection.execute(f"insert or ignore into calls values ({','.join('?' * len(call))})", call)
            else:
                damaged += 1
    return damaged
