"""Writes are complete or leave the old rows, and the same rows give the same hash."""

import threading

import polars as pl
import pytest

from videozoomer.lake import CATALOG, Lake, SchemaError
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.question import Question


def leak(train_id="t1", score=1.0):
    return {"kind": "video_id", "train_id": train_id, "evaluation_id": "e1", "score": score}


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "a lake's")


def test_rows_come_back_sorted_by_key(lake):
    lake.write("leaks", [leak("t2"), leak("t1")])
    assert lake.read("leaks")["train_id"].to_list() == ["t1", "t2"]


def test_partitions_are_read_together_or_by_name(lake):
    lake.write("leaks", [leak("t1")], "exemplars.b-0001")
    lake.write("leaks", [leak("t2")], "exemplars.b-0002")
    assert lake.partitions("leaks") == ["exemplars.b-0001", "exemplars.b-0002"]
    assert lake.read("leaks").height == 2
    assert lake.read("leaks", ["exemplars.b-0002", "never written"])["train_id"].to_list() == ["t2"]


def test_an_unwritten_table_is_empty_for_both_readers(lake):
    assert lake.read("trajectories").schema == CATALOG["trajectories"].schema
    assert lake.connect().execute("select count(*), count(turns) from trajectories").fetchone() == (0, 0)


def test_views_see_every_partition(lake):
    lake.write("leaks", [leak("t1", 0.5)], "one")
    lake.write("leaks", [leak("t2", 0.25)], "two")
    assert lake.connect().execute("select sum(score) from leaks").fetchone() == (0.75,)


@pytest.mark.parametrize("files", [("old",), ("old", "young"), ("young", "zold")])
def test_columns_that_an_older_file_lacks_read_as_null(lake, files):
    row = dict.fromkeys(column.name for column in CATALOG["videos"].columns)
    for name in files:
        rows = [row | {"uri": name, "source": "s", "batch": name, "status": "ok", "matrix": "bt709"}]
        path = lake.write("videos", rows, name)
        if name != "young":
            pl.read_parquet(path).drop("matrix", "stream_index").write_parquet(path)
    expected = ["bt709" if name == "young" else None for name in files]
    read = lake.read("videos")
    assert read.schema == CATALOG["videos"].schema
    assert read["matrix"].to_list() == expected
    seen = lake.connect().execute("select * from videos order by uri")
    assert [name for name, *_ in seen.description] == read.columns
    assert [row[read.columns.index("matrix")] for row in seen.fetchall()] == expected


def test_refused_rows_leave_the_old_rows(lake):
    lake.write("leaks", [leak()])
    with pytest.raises(SchemaError, match=r"leaks.*score"):
        lake.write("leaks", [leak() | {"score": "much"}])
    assert lake.read("leaks").height == 1


def test_a_failed_write_leaves_the_old_rows_and_nothing_else(lake, monkeypatch):
    lake.write("leaks", [leak()])

    def breaks(frame, path, **options):
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", breaks)
    with pytest.raises(OSError, match="disk is full"):
        lake.write("leaks", [leak("t2")])
    monkeypatch.undo()
    assert lake.read("leaks")["train_id"].to_list() == ["t1"]
    assert list(lake.file("leaks").parent.iterdir()) == [lake.file("leaks")]
    assert not list((lake.root / ".partial").iterdir())


def test_a_reader_sees_one_write_or_another_never_both(lake):
    lake.write("leaks", [leak(f"t{i}", 0.0) for i in range(2000)])
    stop, seen, errors = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            try:
                seen.add(tuple(lake.read("leaks")["score"].unique().to_list()))
                low, high, rows = (
                    lake.connect().execute("select min(score), max(score), count(*) from leaks").fetchone()
                )
                seen.add((low, high)[: 1 + (low != high)])
                assert rows == 2000
            except Exception as error:
                errors.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(1, 15):
        lake.write("leaks", [leak(f"t{i}", float(version)) for i in range(2000)])
    stop.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert seen and all(len(scores) == 1 for scores in seen)


def test_content_hash_depends_on_the_rows_alone(lake):
    rows = [leak(f"t{i}", i / 7) for i in range(50)]
    lake.write("leaks", rows)
    before = lake.content_hash("leaks")
    lake.write("leaks", list(reversed(rows)))
    assert lake.content_hash("leaks") == before
    other = Lake(lake.root.parent / "other")
    other.write("leaks", pl.DataFrame(rows).select("score", "kind", "evaluation_id", "train_id"))
    assert other.content_hash("leaks") == before
    lake.write("leaks", rows[:-1])
    assert lake.content_hash("leaks") != before
    lake.write("leaks", [rows[0] | {"score": 0.5}, *rows[1:]])
    assert lake.content_hash("leaks") != before


def test_content_hash_sees_inside_nested_columns(lake):
    windows = (Window(1.0, 2.0),)
    question = Question(
        question_id="q",
        video_uri="v",
        split="train",
        question="?",
        options=("a", "b"),
        answer="A",
        answer_type="choice",
        evidence=windows,
    ).to_row("s")
    hashes = set()
    for changes in ({}, {"options": ["b", "a"]}, {"evidence": [{"start_s": 1.0, "end_s": 2.5}]}, {"evidence": []}):
        lake.write("questions", [question | changes])
        hashes.add(lake.content_hash("questions"))
    assert len(hashes) == 4


def test_an_older_file_may_have_a_column_that_is_gone(tmp_path):
    """Table `videos` once had a column `signature`."""
    lake = Lake(tmp_path)
    path = lake.write("leaks", [leak("t1")])
    pl.read_parquet(path).with_columns(pl.lit(1).alias("gone")).write_parquet(path)
    lake.write("leaks", [leak("t2")], "newer")
    assert lake.read("leaks").columns == list(CATALOG["leaks"].schema)
    assert lake.read("leaks", columns=["train_id"])["train_id"].to_list() == ["t1", "t2"]
    assert lake.connect().execute("select count(*) from leaks").fetchone() == (2,)
