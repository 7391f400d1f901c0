"""What columns mean that only the rows of a whole file can tell."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from videozoomer.settings.sources import Role
from videozoomer.sources.layouts import KEY, SUBKEY, SYNONYMS, Columns
from videozoomer.sources.reading import Entry
from videozoomer.sources.texts import checked_text

ANSWER_TYPES = ("choice", "number", "time", "yes_no", "order", "text")


def told_apart(parts: Sequence[Entry]) -> list[Entry]:
    """Under keys, ids that only number the questions of one key get the key before them."""
    for name in SYNONYMS["id"]:
        ids = [
            (str(part.row[KEY]), part.row[name]) for part in parts if KEY in part.row and part.row.get(name) is not None
        ]
        if len(ids) == len(parts) > len({str(own) for _, own in ids}) and len({(k, str(own)) for k, own in ids}) == len(
            ids
        ):
            return [
                replace(part, row={**part.row, name: f"{key}/{own}"})
                for part, (key, own) in zip(parts, ids, strict=True)
            ]
    return list(parts)


def by_keys(columns: Columns, parts: Sequence[Entry], given: Mapping[Role, str | None]) -> Columns:
    """The keys under which entries are found: an id where each is found once, a topic where they are the inner ones."""
    keys = [str(part.row[KEY]) for part in parts if KEY in part.row]
    unnamed = "id" not in {*columns.column_of, *given} and KEY not in columns.column_of.values()
    if unnamed and keys and len(set(keys)) == len(parts):
        columns = _named(columns, "id", KEY)
    if "topic" not in {*columns.column_of, *given} and any(SUBKEY in part.row for part in parts):
        columns = _named(columns, "topic", SUBKEY)
    return columns


def as_topic(columns: Columns, parts: Sequence[Entry], given: Mapping[Role, str | None]) -> Columns:
    """Column `type` is the kind of question, not of answer, where no row has a type of answer or something like one."""
    column = columns.column_of.get("type")
    if column is None or "type" in given:
        return columns
    values = {checked_text(part.row.get(column))[0] for part in parts} - {""}
    if not values or any(difflib.get_close_matches(value, ANSWER_TYPES, 1, 0.7) for value in values):
        return columns
    column_of = {role: name for role, name in columns.column_of.items() if role != "type"}
    columns = replace(columns, column_of=column_of)
    if "topic" in {*column_of, *given}:
        return replace(columns, ignored=tuple(sorted({*columns.ignored, column})))
    return _named(columns, "topic", column)


def _named(columns: Columns, role: Role, column: str) -> Columns:
    ignored = tuple(name for name in columns.ignored if name != column)
    return replace(columns, column_of={**columns.column_of, role: column}, ignored=ignored)
