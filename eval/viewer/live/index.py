"""Finds trajectories: a small table in memory over one state of the lake, rebuilt when a run has changed the lake."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from videozoomer.lake.lake import Lake

FOLDER = Path(__file__).parent
TABLES = ("trajectories", "grades", "verdicts", "questions", "videos", "leaks")
"""Tables whose change makes the index stale."""
LOOK_S = 2.0
"""Seconds between two looks at whether the lake has changed."""
SEARCHES = 64
"""Searches whose results are kept."""
PAGE = 200
"""Maximum rows of an answer."""

FILTERS: dict[str, str] = {
    "source": "source",
    "kind": "kind",
    "player": "player",
    "outcome": "coalesce(outcome, 'no rules applied')",
    "verdict": "coalesce(verdict, 'not graded')",
    "rule": "reasons",
    "answer_type": "answer_type",
    "zooms": "zooms::varchar",
    "evidence": "case when hit then 'seen in a zoom' when hit is null then 'unknown' else 'missed' end",
    "condition": "condition",
    "split": "split",
    "topic": "topic",
    "review": "review",
    "tag": "tags",
}
"""Filter -> its value in a row of `items`. A list has several; the row passes if one of them is asked for."""
_LISTS = frozenset({"rule", "review", "tag"})
TELLING = frozenset({"outcome", "verdict", "rule", "evidence", "review", "tag"})
"""Filters that would tell a blind reviewer what others or the rules say."""


class QueryError(ValueError):
    """The browser asks for something that there is not; the message says what."""


@dataclass(frozen=True)
class Query:
    """What the address asks for."""

    text: str = ""
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Filter -> values, any of which a row may have."""

    @classmethod
    def parse(cls, pairs: Sequence[tuple[str, str]]) -> Query:
        """From the pairs of an address; those that are no filters are left out."""
        chosen: dict[str, list[str]] = {}
        for name, value in pairs:
            if name in FILTERS and value:
                chosen.setdefault(name, []).append(value)
        return cls(" ".join(value for name, value in pairs if name == "q").strip().lower(), chosen)


class Index:
    """One state of the lake. It never changes, apart from what is computed when it is first needed."""

    def __init__(self, lake: Lake, sample: Sequence[str] | None = None) -> None:
        """`sample` are the trajectories to show, in this order; None shows all."""
        self.lake = lake
        self.connection = lake.connect()
        stored = [(str(lake.file("trajectories", name)), name) for name in lake.partitions("trajectories")]
        if not stored:
            stored = [(str(lake.root / ".empty" / "trajectories.parquet"), "")]
        self.connection.execute("create table stored (file varchar, partition varchar)")
        self.connection.executemany("insert into stored values (?, ?)", stored)
        self.connection.execute("create table sample (trajectory_id varchar, rank integer)")
        if sample:
            ranked = [(name, rank) for rank, name in enumerate(sample)]
            self.connection.executemany("insert into sample values (?, ?)", ranked)
        files = [file for file, _ in stored]
        for statement in (FOLDER / "index.sql").read_text().split(";\n"):
            values = {"files": files, "whole": sample is None} if "$files" in statement else None
            self.connection.execute(statement, values)
        self._guard = threading.Lock()
        self._found: dict[str, str] = {}
        self._searches = 0

    def mark(self, marks: Mapping[str, tuple[list[str], list[str]]]) -> None:
        """Replace what people decided: trajectory -> states of review, tags."""
        rows = pl.DataFrame(
            [(name, states, tags) for name, (states, tags) in marks.items()],
            schema={"trajectory_id": pl.String, "review": pl.List(pl.String), "tags": pl.List(pl.String)},
            orient="row",
        )
        cursor = self.connection.cursor()
        cursor.register("new_marks", rows)
        cursor.execute("begin; delete from marks; insert into marks select * from new_marks; commit")

    @cached_property
    def total(self) -> int:
        return int(self._one("select count(*) from items", [])[0])

    def rows(self, query: Query, after: str | None, skip: int, limit: int) -> dict[str, Any]:
        """Rows after the trajectory `after` (None: from the first), of which `skip` are left out, and how many match.

        Raises:
            QueryError: there is no such trajectory.
        """
        where, values = self._where(query)
        place = self.place(after) if after else 0
        found = self._all(
            "select trajectory_id as id, question_id, question, kind, player, sample, condition, zooms, status, "
            "review, verdict, outcome, reasons "
            f"from listed where place > ? and {where} order by place limit ? offset ?",
            [place, *values, min(limit, PAGE), skip],
        )
        matching = (
            self.total if where == "true" else int(self._one(f"select count(*) from listed where {where}", values)[0])
        )
        return {"rows": found, "matching": matching, "total": self.total}

    def facets(self, query: Query, hidden: Collection[str] = ()) -> dict[str, list[tuple[str, int]]]:
        """Filter -> its values with the rows that each would leave, all other filters applied."""
        counted = {}
        for name, value in FILTERS.items():
            if name in hidden:
                continue
            where, values = self._where(query, without=name)
            listed = f"unnest({value})" if name in _LISTS else value
            order = "try_cast(value as integer), value"
            counted[name] = [
                (str(row["value"]), int(row["rows"]))
                for row in self._all(
                    f"select value, count(*) as rows from (select {listed} as value from listed where {where}) "
                    f"group by value order by {order} limit 500",
                    values,
                )
            ]
        return counted

    def position(self, query: Query, trajectory_id: str) -> int | None:
        """How many matching rows come before a trajectory; None if it does not match."""
        where, values = self._where(query)
        place = self.place(trajectory_id)
        if not self._all(f"select 1 from listed where place = ? and {where}", [place, *values]):
            return None
        return int(self._one(f"select count(*) from listed where place < ? and {where}", [place, *values])[0])

    def neighbour(self, query: Query, trajectory_id: str, step: int) -> str | None:
        """The next (step > 0) or the previous matching trajectory; None at the end."""
        where, values = self._where(query)
        side, order = (">", "asc") if step > 0 else ("<", "desc")
        found = self._all(
            f"select trajectory_id from listed where place {side} ? and {where} order by place {order} limit 1",
            [self.place(trajectory_id), *values],
        )
        return found[0]["trajectory_id"] if found else None

    def place(self, trajectory_id: str) -> int:
        return int(self.item(trajectory_id)["place"])

    def item(self, trajectory_id: str) -> dict[str, Any]:
        """The row of `items`.

        Raises:
            QueryError: there is no such trajectory.
        """
        found = self._all("select * from items where trajectory_id = ?", [trajectory_id])
        if not found:
            raise QueryError(f"there is no trajectory {trajectory_id}")
        return found[0]

    def of_question(self, question_id: str) -> list[dict[str, Any]]:
        """Rows of `items`, in the order of the list."""
        return self._all("select * from items where question_id = ? order by place", [question_id])

    def _where(self, query: Query, without: str | None = None) -> tuple[str, list[Any]]:
        """The condition of a query and its values."""
        parts, values = [], []
        for name, chosen in query.chosen.items():
            if name == without:
                continue
            value = FILTERS[name]
            parts.append(f"list_has_any({value}, ?)" if name in _LISTS else f"list_contains(?, {value})")
            values.append(list(chosen))
        if query.text:
            parts.append(f"place in (select place from {self._search(query.text)})")
        return " and ".join(parts) or "true", values

    def _search(self, text: str) -> str:
        """Name of a table of the places of rows that contain every word of the text; `"two words"` stay together."""
        with self._guard:
            if "" not in self._found:
                self.connection.cursor().execute((FOLDER / "texts.sql").read_text())
                self._found[""] = "texts"
            if text not in self._found:
                self._searches += 1
                name = f"found_{self._searches}"
                wanted = words_of(text)
                where = " and ".join(["contains(text, ?)"] * len(wanted)) or "true"
                self.connection.cursor().execute(
                    f"create table {name} as select place from texts where {where}", wanted
                )
                self._found[text] = name
                if len(self._found) > SEARCHES:
                    oldest = next(key for key in self._found if key)
                    self.connection.cursor().execute(f"drop table {self._found.pop(oldest)}")
            return self._found[text]

    def _all(self, sql: str, values: list[Any]) -> list[dict[str, Any]]:
        # Each thread needs a cursor of its own.
        cursor = self.connection.cursor().execute(sql, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _one(self, sql: str, values: list[Any]) -> tuple[Any, ...]:
        row = self.connection.cursor().execute(sql, values).fetchone()
        assert row is not None
        return row


def words_of(text: str) -> list[str]:
    """The words to find; what stands in double quotes is one."""
    pieces = text.lower().split('"')
    quoted = [piece.strip() for piece in pieces[1::2]]
    return [word for word in [*" ".join(pieces[::2]).split(), *quoted] if word]


class Live:
    """The newest index. Requests that began with an older one keep it."""

    def __init__(
        self,
        lake: Lake,
        opened: Callable[[Lake], Index] = Index,
        look_s: float = LOOK_S,
        changed: Callable[[Index], None] = lambda index: None,
    ) -> None:
        """`changed` is called with each new index before it is used."""
        self._lake, self._opened, self._look_s, self._changed = lake, opened, look_s, changed
        self._guard = threading.Lock()
        self._seen: tuple[Any, ...] = ()
        self._looked_s = -look_s
        self._index: Index | None = None
        self.version = 0
        """Grows with each index."""

    def index(self) -> tuple[Index, int]:
        """The index of the lake as it is now, or was a moment ago, and its version."""
        with self._guard:
            now = time.monotonic()
            if self._index is None or now - self._looked_s >= self._look_s:
                self._looked_s = now
                self._refresh()
            assert self._index is not None
            return self._index, self.version

    def _refresh(self) -> None:
        now = self._lake.at_once()
        seen = files_of(now)
        if self._index is not None and seen == self._seen:
            return
        try:
            index = self._opened(now)
        except (duckdb.Error, OSError):
            # `videozoomer gc` may remove files of a snapshot while they are read. The last index serves until the next
            # look.
            if self._index is None:
                raise
            return
        self._changed(index)
        self._index, self._seen, self.version = index, seen, self.version + 1


def files_of(lake: Lake, tables: Sequence[str] = TABLES) -> tuple[Any, ...]:
    """What changes when one of the tables changes."""
    files = lake.snapshot().files
    return tuple(
        (table, partition, name) for table in tables for partition, name in sorted(files.get(table, {}).items())
    )
