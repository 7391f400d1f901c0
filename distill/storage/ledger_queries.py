"""Queries on ledgers: sums, searches, exports, pruning. Reading needs no lock."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.storage.errors import sentence
from distill.storage.ledger import Entry, Ledger, LedgerError, read_entries
from videozoomer.sqlite import connect_read_only


@dataclass(frozen=True, slots=True)
class Group:
    """Calls of one model with the same outcome."""

    purpose: str
    endpoint: str
    model: str
    outcome: str
    attempts: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float
    median_latency_s: float
    slowest_s: float


def find_ledgers(path: str | Path) -> list[Path]:
    """The ledger at this path, or all below this folder, sorted by name.

    Raises:
        LedgerError: there is none, or one is damaged.
    """
    path = Path(path)
    found = [path] if path.is_file() else sorted(path.rglob("*.sqlite"))
    found = [file for file in found if _is_ledger(file, named=file == path)]
    if not found:
        raise LedgerError(f"there is no ledger at {path}; a run writes them to the folder `ledger` of its home")
    return found


def summarise(paths: Iterable[Path]) -> list[Group]:
    """Sums over all ledgers: one row for each purpose, endpoint, model and outcome."""
    sums: dict[tuple[str, str, str, str], list[Entry]] = {}
    for path in paths:
        for entry in read_entries(path):
            sums.setdefault((entry.purpose, entry.endpoint, entry.model, entry.outcome), []).append(entry)
    return [_group(entries) for _, entries in sorted(sums.items())]


def _group(entries: list[Entry]) -> Group:
    latencies_s = sorted(entry.latency_s for entry in entries)
    first = entries[0]
    return Group(
        purpose=first.purpose,
        endpoint=first.endpoint,
        model=first.model,
        outcome=first.outcome,
        attempts=len(entries),
        input_tokens=sum(entry.input_tokens for entry in entries),
        cached_tokens=sum(entry.cached_tokens for entry in entries),
        output_tokens=sum(entry.output_tokens for entry in entries),
        cost_usd=sum(entry.cost_usd for entry in entries),
        median_latency_s=latencies_s[len(entries) // 2],
        slowest_s=latencies_s[-1],
    )


def grep(paths: Iterable[Path], pattern: str, *, outcome: str | None = None) -> Iterator[tuple[Path, Entry]]:
    """Entries whose key, reply, error or last text sent matches a regular expression; case is ignored.

    Raises:
        LedgerError: the pattern is not a regular expression.
    """
    try:
        wanted = re.compile(pattern, re.I)
    except re.error as error:
        raise LedgerError(f"{pattern!r} is not a regular expression: {error}") from error
    for path in paths:
        for entry in read_entries(path, "outcome = ? or ? is null", (outcome, outcome)):
            if any(wanted.search(text) for text in (entry.key, entry.reply or "", entry.error or "", entry.excerpt)):
                yield path, entry


def export(paths: Iterable[Path], target: str | Path) -> int:
    """Write all entries to a .jsonl or .parquet file and return how many there are.

    Raises:
        LedgerError: the name has another suffix.
    """
    target = Path(target)
    rows = ({"ledger": str(path), **asdict(entry)} for path in paths for entry in read_entries(path))
    if target.suffix == ".jsonl":
        count = 0
        with target.open("w") as handle:
            for row in rows:
                count += 1
                handle.write(json.dumps(row, ensure_ascii=False) + "\n")
        return count
    if target.suffix == ".parquet":
        import polars as pl

        frame = pl.DataFrame(list(rows), infer_schema_length=None)
        frame.write_parquet(target)
        return frame.height
    raise LedgerError(f"{target} must end in .jsonl or .parquet")


def prune(
    paths: Iterable[Path], *, outcomes: Iterable[str] = (), before: float | None = None, dry_run: bool = False
) -> int:
    """Delete entries and return how many. Without `outcomes`, deletes only attempts that were or will be retried, so a
    rerun is unaffected. With `outcomes` (such as `cut_off`), deletes those too: a rerun asks and pays for them again.
    `before` (seconds since 1970) keeps younger entries.

    Raises:
        LedgerError: a ledger is in use, or `ok` is named (delete the file to drop its replies).
    """
    outcomes = tuple(outcomes)
    if "ok" in outcomes:
        raise LedgerError(
            "replies are not pruned, since they would be paid for again; to drop them, delete the ledger's file"
        )
    marks = ",".join("?" * len(outcomes))
    where = f"(not final or outcome in ({marks})) and (? is null or at < ?)"
    count = 0
    for path in paths:
        with Ledger(path) as ledger:
            count += sum(1 for _ in read_entries(path, where, (*outcomes, before, before)))
            if not dry_run:
                ledger.delete(where, (*outcomes, before, before))
    return count


def _is_ledger(path: Path, *, named: bool) -> bool:
    """A file that was not named and is no SQLite file at all may be anything."""
    try:
        with closing(connect_read_only(path)) as connection:
            return bool(connection.execute("select 1 from sqlite_master where name = 'calls'").fetchone())
    except sqlite3.DatabaseError as error:
        if not named and "not a database" in str(error):
            return False
        raise LedgerError(sentence(path, error, f"see `videozoomer ledger salvage {path}`")) from error
