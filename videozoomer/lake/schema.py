"""What declares a table: a name, a meaning, a key, and typed columns with one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl


class SchemaError(ValueError):
    """Rows do not match the table's declaration; the message names the table, the column and what to do."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    dtype: pl.DataType | type[pl.DataType]
    meaning: str
    """One sentence, with the unit if there is one."""
    required: bool = True
    """Whether the column must not be null."""
    values: tuple[str, ...] = ()
    """All values that a text may have, for the typed rows; empty if any text is allowed."""


@dataclass(frozen=True, slots=True)
class Struct:
    """A nested value: the contents of columns, alone or in lists."""

    name: str
    """Singular: `window`."""
    meaning: str
    columns: tuple[Column, ...]

    @property
    def dtype(self) -> pl.Struct:
        return pl.Struct({column.name: column.dtype for column in self.columns})


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    meaning: str
    """What one row is, as in 'a row is ...'."""
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    row: str = ""
    """Singular of the name, if it is not the name without its last `s`."""

    @property
    def schema(self) -> pl.Schema:
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.schema)

    def conform(self, rows: pl.DataFrame | Sequence[Mapping[str, object]]) -> pl.DataFrame:
        """Rows with exactly the declared columns, in order, cast to the declared types.

        Raises:
            SchemaError: a column is missing or unknown, a value has another type, a required value is null,
                or two rows share a key.
        """
        frame = rows if isinstance(rows, pl.DataFrame) else self._from_dicts(rows)
        declared = {column.name for column in self.columns}
        if missing := [c.name for c in self.columns if c.name not in frame.columns]:
            raise SchemaError(f"table {self.name}: columns {missing} are missing; write every declared column")
        if unknown := [name for name in frame.columns if name not in declared]:
            raise SchemaError(
                f"table {self.name}: columns {unknown} are not declared; add them to videozoomer/lake/catalog.py"
            )
        frame = pl.DataFrame([self._cast(frame[column.name], column) for column in self.columns])
        for column in self.columns:
            if column.required and (nulls := frame[column.name].null_count()):
                raise SchemaError(f"table {self.name}: {nulls} rows have no value of {column.name}, which is required")
        if frame.height and (repeated := frame.height - frame.select(self.key).n_unique()):
            keys = frame.select(self.key).filter(frame.select(pl.struct(self.key).is_duplicated()).to_series())
            some = "; ".join(
                ", ".join(f"{name} {value!r}" for name, value in key.items())
                for key in keys.unique(maintain_order=True).head(3).to_dicts()
            )
            raise SchemaError(
                f"table {self.name}: {repeated} rows repeat the key {self.key} of another row ({some}); "
                "give each its own"
            )
        return frame

    def _cast(self, values: pl.Series, column: Column) -> pl.Series:
        try:
            return values.cast(column.dtype, strict=True)
        except pl.exceptions.PolarsError as error:
            raise SchemaError(f"table {self.name}: a value of {column.name} is not {column.dtype}: {error}") from error

    def _from_dicts(self, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
        declared = {column.name for column in self.columns}
        for index, row in enumerate(rows):
            if row.keys() == declared:
                continue
            if missing := sorted(declared - row.keys()):
                raise SchemaError(
                    f"table {self.name}: row {index} lacks the columns {missing}; write every declared column, null if "
                    "unknown"
                )
            raise SchemaError(
                f"table {self.name}: columns {sorted(row.keys() - declared)} of row {index} are not declared; "
                "add them to videozoomer/lake/catalog.py"
            )
        return pl.DataFrame([self._series(rows, column) for column in self.columns])

    def _series(self, rows: Sequence[Mapping[str, object]], column: Column) -> pl.Series:
        """Arrow builds nested values, because Polars rejects nested lists that mix 1 and 1.5."""
        import pyarrow as pa

        values = [row[column.name] for row in rows]
        empty = pl.Series(column.name, [], dtype=column.dtype)
        try:
            if not empty.dtype.is_nested():
                return pl.Series(column.name, values, dtype=column.dtype, strict=True)
            built = pa.array(values, type=empty.to_arrow(compat_level=pl.CompatLevel.oldest()).type)
            return pl.Series(column.name, built).cast(column.dtype, strict=True)
        except (pl.exceptions.PolarsError, pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise SchemaError(f"table {self.name}: a value of {column.name} is not {column.dtype}: {error}") from error
