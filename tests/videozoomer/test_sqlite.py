"""SQLite files are opened in one module, whatever their path holds."""

import ast
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from videozoomer.sqlite import connect_disposable, connect_read_only, connect_shared

ROOT = Path(__file__).resolve().parents[2]
ROOMS = "videozoomer distill filters train eval assets pipelines examples experiments benchmarks".split()


@pytest.mark.parametrize("immutable", [False, True])
@pytest.mark.parametrize("name", ["plain.sqlite", "a?mode=rw.sqlite", "b#c.sqlite", "%41.sqlite", "ä b.sqlite"])
def test_a_read_only_connection_reads_that_very_file_and_writes_nothing(tmp_path, name, immutable):
    with closing(connect_shared(tmp_path / name, synchronous="full")) as writer:
        writer.execute("create table t (x)")
        writer.execute("insert into t values (7)")
    with closing(connect_read_only(tmp_path / name, immutable=immutable)) as reader:
        assert reader.execute("select x from t").fetchall() == [(7,)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("insert into t values (8)")


def test_a_missing_file_is_not_created_by_reading(tmp_path):
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        connect_read_only(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()


def test_a_shared_file_is_read_while_it_is_written(tmp_path):
    path = tmp_path / "shared.sqlite"
    with closing(connect_shared(path, synchronous="normal")) as writer, closing(connect_read_only(path)) as reader:
        writer.execute("create table t (x)")
        writer.execute("begin immediate")
        writer.execute("insert into t values (1)")
        assert reader.execute("select count(*) from t").fetchone() == (0,)
        writer.execute("commit")
        assert reader.execute("select count(*) from t").fetchone() == (1,)


def test_a_disposable_file_has_no_journal_beside_it(tmp_path):
    with closing(connect_disposable(tmp_path / "d.sqlite")) as connection:
        connection.executescript("create table t (x); begin; insert into t values (1);")
        assert [path.name for path in tmp_path.iterdir()] == ["d.sqlite"]


def test_nothing_else_opens_sqlite():
    def opens(path: Path) -> bool:
        return any(
            isinstance(node, ast.Call) and ast.unparse(node.func) == "sqlite3.connect"
            for node in ast.walk(ast.parse(path.read_text()))
        )

    found = {str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py") if opens(path)}
    assert found == {"videozoomer/sqlite.py"}
