"""Where tables are stored, and the only code that writes and reads them.

A partition of a table (an ingest batch, or `all`) is one Parquet file, named by its content and never changed. The log
says which files are current. DuckDB runs in memory over these files, so no process waits for another one's database
lock.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import polars as pl

from videozoomer.lake.atomic import replaced_file
from videozoomer.lake.catalog import CATALOG
from videozoomer.lake.earlier import MARK, found_without_log
from videozoomer.lake.log import Log
from videozoomer.lake.schema import Table
from videozoomer.lake.snapshot import ALL, Changes, Snapshot, Stamp
from videozoomer.lake.store import LocalStore
from videozoomer.lake.transaction import Transaction

__all__ = ["ALL", "Lake", "log_of", "view_sql"]

_logs: dict[str, Log] = {}
_guard = threading.Lock()


def log_of(root: Path) -> Log:
    """The log of a folder of tables; one object a process, which remembers what it has read."""
    path = os.path.abspath(root)
    with _guard:
        if path not in _logs:
            _logs[path] = Log(LocalStore(Path(path)), lambda: found_without_log(Path(path)))
        return _logs[path]


@dataclass(frozen=True)
class Lake:
    """By itself it reads the newest commit at every call, and commits every write at once."""

    root: Path
    """Folder with one folder for each table, and the log."""
    transaction: Transaction | None = field(default=None, compare=False, repr=False)
    """Reads what the transaction sees; writes wait for its commit."""
    pinned: Snapshot | None = field(default=None, compare=False, repr=False)
    """Reads this snapshot, whatever is committed meanwhile."""

    def snapshot(self) -> Snapshot:
        """What is read now.

        Raises:
            LogError: the log is damaged.
        """
        if self.transaction is not None:
            return self.transaction.view
        return self.pinned if self.pinned is not None else log_of(self.root).head()

    def at_once(self) -> Lake:
        """The same lake as it is now: tables read from it one after another belong together."""
        return replace(self, pinned=self.snapshot(), transaction=None)

    def begin(self, work: str) -> Lake:
        """The same lake in a transaction of `work`, as a person would name it. `commit` makes its writes one commit."""
        return replace(self, transaction=Transaction(log_of(self.root), work))

    def commit(self, check: Callable[[Snapshot], None] | None = None) -> None:
        """Commit what was written since `begin`; see `Log.commit`."""
        if self.transaction is not None:
            self.transaction.commit(check)

    @property
    def base(self) -> Snapshot:
        """The snapshot that a transaction began with."""
        return self.transaction.base if self.transaction is not None else self.snapshot()

    def file(self, table: str, partition: str = ALL) -> Path:
        """Of a partition, as it is now. Read it; only `write` makes another.

        Raises:
            FileNotFoundError: there is no such partition.
        """
        name = self.snapshot().files.get(CATALOG[table].name, {}).get(partition)
        if name is None:
            raise FileNotFoundError(f"table {table} in {self.root} has no partition {partition!r}")
        return self.root / name

    def files(self, table: str, partitions: Iterable[str] | None = None) -> list[Path]:
        """Of the named partitions that exist (default: all), in their order, from one snapshot."""
        found = self.snapshot().files.get(CATALOG[table].name, {})
        wanted = sorted(found) if partitions is None else partitions
        return [self.root / found[name] for name in wanted if name in found]

    def write(self, table: str, rows: pl.DataFrame | Sequence[Mapping[str, object]], partition: str = ALL) -> Path:
        """Check rows against the declaration, sort them by key, and make them the partition's.

        Raises:
            SchemaError: the rows do not match the declaration.
            ValueError: the partition's name cannot be part of a file's name.
        """
        declared = CATALOG[table]
        if MARK in partition or "/" in partition or partition.startswith("."):
            raise ValueError(f"partition {partition!r} of table {table} contains {MARK!r} or `/`, or begins with a dot")
        frame = declared.conform(rows).sort(declared.key)
        log = log_of(self.root)
        log.begin()
        name = log.store.put_file(
            lambda path: f"{declared.name}/{partition}{MARK}{_digest(path)}.parquet",
            lambda path: _write_parquet(frame, path),
        )
        if self.transaction is not None:
            self.transaction.set_file(declared.name, partition, name)
        else:
            changes = Changes(files={declared.name: {partition: name}})
            log.commit(changes, f"write {partition} of {declared.name}")
        return self.root / name

    def write_stamp(self, asset: str, stamp: Stamp, partition: str = ALL) -> None:
        if self.transaction is not None:
            self.transaction.set_stamp(asset, partition, stamp)
        else:
            log_of(self.root).commit(Changes(stamps={asset: {partition: stamp}}), f"stamp {partition} of {asset}")

    def exists(self, table: str, partition: str = ALL) -> bool:
        return partition in self.snapshot().files.get(CATALOG[table].name, {})

    def partitions(self, table: str) -> list[str]:
        return self.snapshot().partitions(CATALOG[table].name)

    def scan(
        self, table: str, partitions: Iterable[str] | None = None, columns: Sequence[str] | None = None
    ) -> pl.LazyFrame:
        files, declared = self.files(table, partitions), CATALOG[table]
        # A file that an older release wrote may lack columns, which read as null, and have some that are gone.
        lazy = (
            pl.scan_parquet(files, schema=declared.schema, missing_columns="insert", extra_columns="ignore")
            if files
            else declared.empty().lazy()
        )
        return lazy.select(columns) if columns else lazy

    def read(
        self, table: str, partitions: Iterable[str] | None = None, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """All rows of the named partitions (default: all); a table without files is empty, not an error."""
        return self.scan(table, partitions, columns).collect()

    def connect(self) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB database with a view over the Parquet files of every table, all of one snapshot."""
        connection, now = duckdb.connect(":memory:"), self.at_once()
        for name, declared in CATALOG.items():
            connection.execute(view_sql(now, declared, name))
        return connection

    def write_views(self, target: Path) -> Path:
        """Write a DuckDB file with the same views, for browsing; the pipeline does not read it.

        Raises:
            duckdb.IOException: another process has the file open.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        now = self.at_once()
        with duckdb.connect(str(target)) as connection:
            for name, declared in CATALOG.items():
                connection.execute(view_sql(now, declared, name))
        return target

    def content_hash(self, table: str, partition: str = ALL) -> str:
        """Hash of the rows, not of the file, whose bytes vary with the version of the Parquet writer."""
        frame = self.read(table, [partition])
        digest = hashlib.sha256(str(frame.schema).encode())
        digest.update(frame.hash_rows(seed=0).to_numpy().tobytes())
        return digest.hexdigest()[:32]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path, compression="zstd", row_group_size=4096)


def view_sql(lake: Lake, table: Table, name: str) -> str:
    """`create view` over a table's files, and an empty file with the declared columns, which older files may lack."""
    empty = lake.root / ".empty" / f"{table.name}.parquet"
    with replaced_file(empty) as partial:
        _write_parquet(table.empty(), partial)
    listed = ", ".join("'{}'".format(str(file).replace("'", "''")) for file in [empty, *lake.files(table.name)])
    return f"create or replace view {name} as select * from read_parquet([{listed}], union_by_name = true)"
