"""Rows that do not match are refused, and the message names the table and the column."""

import polars as pl
import pytest

from videozoomer.lake import CATALOG, Column, SchemaError, Table
from videozoomer.lake.catalog import WINDOW

SAMPLE = Table(
    "sample",
    "one thing",
    ("name",),
    (
        Column("name", pl.String, "its name"),
        Column("count", pl.Int64, "how many"),
        Column("note", pl.String, "a note", required=False),
        Column("windows", pl.List(WINDOW), "windows in seconds", required=False),
    ),
)


def row(**changes):
    return {"name": "a", "count": 1, "note": None, "windows": None} | changes


def without(name):
    return {key: value for key, value in row().items() if key != name}


MISMATCHES = [
    ([without("note")], ["sample", "note"]),
    ([row(colour="red")], ["sample", "colour", "videozoomer/lake/catalog.py"]),
    ([row(count="many")], ["sample", "count"]),
    ([row(name=None)], ["sample", "name", "required"]),
    ([row(count=1), row(count=2)], ["sample", "repeat", "name 'a'"]),
    ([row(), row(name="b"), row(name="c"), row(name="b")], ["sample", "1 rows repeat", "(name 'b')"]),
]
MISMATCHES_LATER = [
    ([row(), without("count")], ["sample", "row 1", "count"]),
    ([row(), row(name="b", colour="red")], ["sample", "row 1", "colour", "videozoomer/lake/catalog.py"]),
]


@pytest.mark.parametrize(
    ("rows", "says"), [*MISMATCHES, *MISMATCHES_LATER, *((pl.DataFrame(rows), says) for rows, says in MISMATCHES)]
)
def test_a_mismatch_is_named(rows, says):
    with pytest.raises(SchemaError) as error:
        SAMPLE.conform(rows)
    assert all(word in str(error.value) for word in says), str(error.value)


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"count": 1.5}, "count"),
        ({"note": 3}, "note"),
        ({"note": "\ud800"}, "note"),
        ({"windows": [{"start_s": "early", "end_s": 2}]}, "windows"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_column(changes, column):
    with pytest.raises(SchemaError, match=f"table sample: a value of {column} is not "):
        SAMPLE.conform([row(**changes)])


def test_whole_numbers_are_floats_at_any_depth():
    frame = SAMPLE.conform([row(windows=[{"start_s": 1, "end_s": 2.5}, {"start_s": 1.5, "end_s": 2}])])
    assert frame["windows"].to_list() == [[{"start_s": 1.0, "end_s": 2.5}, {"start_s": 1.5, "end_s": 2.0}]]


def test_columns_come_out_in_declared_order_and_type():
    frame = SAMPLE.conform(pl.DataFrame([row(count=2)]).select("windows", "note", "count", "name"))
    assert frame.schema == SAMPLE.schema


def test_no_rows_have_the_declared_types():
    assert SAMPLE.conform([]).schema == SAMPLE.schema


@pytest.mark.parametrize("table", CATALOG.values(), ids=CATALOG.keys())
def test_declarations_are_consistent(table):
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert set(table.key) <= set(names)
    assert all(column.required for column in table.columns if column.name in table.key)
    assert all(column.meaning for column in table.columns)
    assert table.conform(table.empty()).height == 0
