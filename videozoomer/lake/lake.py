"""Where tables are stored, and the only code that writes and reads them.

A table is a folder of Parquet files, one for each partition (an ingest batch, or `all`). DuckDB
runs in memory over these files, so no process waits for another one's database lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from videozoomer.lake.atomic import replaced_file
from videozoomer.lake.catalog import CATALOG
from videozoomer.lake.schema import Table
from videozoomer.lake.snapshot import ALL

__all__ = ["ALL", "Lake", "view_sql"]


@dataclass(frozen=True)
class Lake:
    root: Path
    """Folder with one folder for each table."""
    before_write: Callable[[], None] | None = field(default=None, compare=False, repr=False)
    """Called before a partition is replaced."""

    def file(self, table: str, partition: str = ALL) -> Path:
        return self.root / CATALOG[table].name / f"{partition}.parquet"

    def write(self, table: str, rows: pl.DataFrame | Sequence[Mapping[str, object]], partition: str = ALL) -> Path:
        """Check rows against the declaration, sort them by key, and replace the partition in one rename.

        Raises:
            SchemaError: the rows do not match the declaration.
        """
        declared = CATALOG[table]
        frame = declared.conform(rows).sort(declared.key)
        if self.before_write is not None:
            self.before_write()
        return _replace(self.file(table, partition), frame)

    def exists(self, table: str, partition: str = ALL) -> bool:
        return self.file(table, partition).exists()

    def partitions(self, table: str) -> list[str]:
        folder = self.root / CATALOG[table].name
        return sorted(path.stem for path in folder.glob("*.parquet") if not path.name.startswith("."))

    def scan(
        self, table: str, partitions: Iterable[str] | None = None, columns: Sequence[str] | None = None
    ) -> pl.LazyFrame:
        names = self.partitions(table) if partitions is None else [p for p in partitions if self.exists(table, p)]
        if not names:
            lazy = CATALOG[table].empty().lazy()
        else:
            # A file that an older release wrote may lack columns; they read as null.
            files = [self.file(table, name) for name in names]
            lazy = pl.scan_parquet(files, schema=CATALOG[table].schema, missing_columns="insert")
        return lazy.select(columns) if columns else lazy

    def read(
        self, table: str, partitions: Iterable[str] | None = None, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """All rows of the named partitions (default: all); a table without files is empty, not an error."""
        return self.scan(table, partitions, columns).collect()

    def connect(self) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB database with a view over the Parquet files of every table."""
        connection = duckdb.connect(":memory:")
        for name, declared in CATALOG.items():
            connection.execute(view_sql(self, declared, name))
        return connection

    def write_views(self, target: Path) -> Path:
        """Write a DuckDB file with the same views, for browsing; the pipeline does not read it.

        Raises:
            duckdb.IOException: another process has the file open.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(target)) as connection:
            for name, declared in CATALOG.items():
                connection.execute(view_sql(self, declared, name))
        return target

    def content_hash(self, table: str, partition: str = ALL) -> str:
        """Hash of the rows, not of the file, whose bytes vary with the version of the Parquet writer."""
        frame = self.read(table, [partition])
        digest = hashlib.sha256(str(frame.schema).encode())
        digest.update(frame.hash_rows(seed=0).to_numpy().tobytes())
        return digest.hexdigest()[:32]


def _replace(target: Path, frame: pl.DataFrame) -> Path:
    with replaced_file(target) as partial:
        frame.write_parquet(partial, compression="zstd", row_group_size=4096)
    return target


def view_sql(lake: Lake, table: Table, name: str) -> str:
    """`create view` over a table's files, and an empty file with the declared columns, which older files may lack."""
    empty = _replace(lake.root / ".empty" / f"{table.name}.parquet", table.empty())
    files = [empty, *(lake.file(table.name, partition) for partition in lake.partitions(table.name))]
    listed = ", ".join("'{}'".format(str(file).replace("'", "''")) for file in files)
    return f"create or replace view {name} as select * from read_parquet([{listed}], union_by_name = true)"
