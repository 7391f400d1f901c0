"""What a table is: a name, a meaning, a key, and typed columns with a sentence each."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


class SchemaError(ValueError):
    """Rows do not fit the table's declaration; the message names the table, the column and the remedy."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    dtype: pl.DataType | type[pl.DataType]
    meaning: str
    """One sentence, with the unit where there is one."""
    required: bool = True
    """Whether null is refused."""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    meaning: str
    """What one row is."""
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pl.Schema:
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.schema)

    def conform(self, rows: pl.DataFrame | list[dict]) -> pl.DataFrame:
        """Rows with exactly the declared columns, in order and cast to the declared types.

        Raises:
            SchemaError: a column is missing or unknown, a value does not cast, a required value is null,
                or two rows share a key.
        """
        frame = rows if isinstance(rows, pl.DataFrame) else self._from_dicts(rows)
        declared = {column.name for column in self.columns}
        if missing := [c.name for c in self.columns if c.name not in frame.columns]:
            raise SchemaError(f"table {self.name}: columns {missing} are missing; write every declared column")
        if unknown := [name for name in frame.columns if name not in declared]:
            raise SchemaError(f"table {self.name}: columns {unknown} are not declared; add them to tables/catalog.py")
        try:
            frame = frame.select([pl.col(c.name).cast(c.dtype, strict=True) for c in self.columns])
        except pl.exceptions.PolarsError as error:
            raise SchemaError(f"table {self.name}: a value does not fit its declared type: {error}") from error
        for column in self.columns:
            if column.required and (nulls := frame[column.name].null_count()):
                raise SchemaError(f"table {self.name}: {nulls} rows have no {column.name}, which is required")
        if frame.height and (repeated := frame.height - frame.select(self.key).n_unique()):
            raise SchemaError(f"table {self.name}: {repeated} rows repeat a key {self.key}")
        return frame

    def _from_dicts(self, rows: list[dict]) -> pl.DataFrame:
        declared = {column.name for column in self.columns}
        if rows and (unknown := sorted(set(rows[0]) - declared)):
            raise SchemaError(f"table {self.name}: columns {unknown} are not declared; add them to tables/catalog.py")
        try:
            return pl.DataFrame(rows, schema=self.schema) if rows else self.empty()
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise SchemaError(f"table {self.name}: a row does not fit the declaration: {error}") from error
