"""The typed rows are those of the declarations, and no frame passes for rows of a type whose columns it lacks."""

import types
import typing
from pathlib import Path

import polars as pl
import pytest

import videozoomer.lake.rows
import videozoomer.shards.rows
from videozoomer.lake import CATALOG, Lake, SchemaError
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import LeakRow, TurnRow
from videozoomer.lake.typed_rows import lake_rows, table_row
from videozoomer.shards.schema import ROWS
from videozoomer.shards.typed_rows import shard_rows

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("file", "generated"), [("videozoomer/lake/rows.py", lake_rows), ("videozoomer/shards/rows.py", shard_rows)]
)
def test_the_generated_files_are_up_to_date(file, generated):
    assert (ROOT / file).read_text() == generated(), "run `make docs`"


@pytest.mark.parametrize(
    ("module", "table"),
    [
        *((videozoomer.lake.rows, table) for table in CATALOG.values()),
        *((videozoomer.shards.rows, table) for table in ROWS.values()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_column_that_may_be_null_is_typed_so(module: types.ModuleType, table):
    hints = typing.get_type_hints(getattr(module, table_row(table)))
    assert list(hints) == [column.name for column in table.columns]
    nullable = {name for name, hint in hints.items() if type(None) in typing.get_args(hint)}
    assert nullable == {column.name for column in table.columns if not column.required}


def test_nested_values_have_their_own_types():
    assert typing.get_type_hints(videozoomer.lake.rows.TrajectoryRow)["turns"] == list[TurnRow]


def test_rows_come_back_typed_and_missing_columns_are_named(tmp_path):
    lake = Lake(tmp_path)
    row: LeakRow = {"kind": "video_id", "train_id": "t", "evaluation_id": "e", "score": 1.0}
    lake.write("leaks", [row])
    assert rows_as(LeakRow, lake.read("leaks")) == [row]
    with pytest.raises(SchemaError, match="score"):
        rows_as(LeakRow, pl.DataFrame([row]).drop("score"))
