"""A frame's rows as typed dictionaries: `rows_as(QuestionRow, lake.read("questions"))`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar, cast

import polars as pl

from videozoomer.lake.schema import SchemaError

Row = TypeVar("Row")
"""One of the TypedDicts in videozoomer/lake/rows.py or videozoomer/shards/rows.py."""


def rows_as(row: type[Row], frame: pl.DataFrame) -> list[Row]:
    """All rows at once; further columns, such as those of a join, stay in the dictionaries.

    Raises:
        SchemaError: the frame lacks a column of the type.
    """
    return list(iterate_as(row, frame))


def iterate_as(row: type[Row], frame: pl.DataFrame) -> Iterator[Row]:
    """One row after another, for frames whose rows are large.

    Raises:
        SchemaError: the frame lacks a column of the type.
    """
    if missing := [name for name in row.__annotations__ if name not in frame.columns]:
        raise SchemaError(f"a frame without {missing} has no rows of type {row.__name__}; read those columns too")
    return (cast(Row, values) for values in frame.iter_rows(named=True))
