"""After edits, a run gives what a fresh home gives, and redoes nothing that no edit touched."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer
from edited_home import EditedHome, contents, read_films

from pipelines.run import RunFailed
from videozoomer.lake import atomic
from videozoomer.video import ingest

pytestmark = pytest.mark.slow

NO_SERVER = "http://127.0.0.1:9/v1"


class Killed(BaseException):
    """Stands for a process that ends: from now on nothing is written."""


@pytest.fixture
def server(monkeypatch) -> Iterator[ChatServer]:
    monkeypatch.setattr(ingest, "ingest_many", read_films)
    with ChatServer(zooms=0) as server:
        yield server


@pytest.fixture
def edited(tmp_path, server) -> EditedHome:
    home = EditedHome(tmp_path, server.url)
    for number, film in enumerate("abc"):
        home.film(film).write_text(f"film {film}")
        home.ask(number, film, "A")
    home.run()
    return home


def check_as_fresh(edited: EditedHome) -> None:
    fresh = Path(tempfile.mkdtemp(dir=edited.folder))
    edited.run(fresh)
    assert contents(edited.folder / "home") == contents(fresh)
    assert edited.run() == set(), "a second run makes something"
    shutil.rmtree(fresh)


def killed_run(edited: EditedHome, written: int) -> None:
    """A run whose process ends after so many files."""
    left, commit = itertools.count(written, -1), atomic.commit

    def counted(partial: Path, target: Path, **how: bool) -> None:
        if edited.folder / "home" in target.parents and "dagster" not in target.parts and next(left) <= 0:
            raise Killed
        commit(partial, target, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "commit", counted)
        with contextlib.suppress(RunFailed, Killed):
            edited.run()


def batches(made: set[tuple[str, str]]) -> set[str]:
    return {partition for _, partition in made if partition.startswith("films-")}


def test_a_corrected_answer_grades_one_batch_again_and_asks_nobody(edited, server):
    calls = server.counts["calls"]
    edited.ask(1, "b", "B")
    made = edited.run()
    assert batches(made) == {edited.batch_of("b")} and server.counts["calls"] == calls
    assert not {name for name, _ in made} & {"sources", "videos"}
    check_as_fresh(edited)


def test_films_added_renamed_replaced_and_removed(edited, server):
    edited.film("d").write_text("film d")
    edited.ask(3, "d", "B")
    assert batches(edited.run()) == {edited.batch_of("d")}
    edited.film("a").rename(edited.film("e"))
    edited.ask(0, "e", "A")
    edited.film("b").write_text("another film")
    edited.film("c").unlink()
    made = edited.run()
    assert edited.batch_of("d") not in batches(made) and edited.batch_of("b") in batches(made)
    check_as_fresh(edited)


@pytest.mark.parametrize("written", [4, 15])
def test_a_run_killed_between_two_edits(edited, written):
    edited.ask(0, "a", "B")
    edited.film("d").write_text("film d")
    killed_run(edited, written)
    edited.ask(0, "a", "A")
    edited.ask(3, "d", "A")
    edited.run()
    check_as_fresh(edited)


def test_a_server_that_fails_and_works_again(edited):
    edited.film("d").write_text("film d")
    edited.ask(3, "d", "A")
    with pytest.raises(RunFailed):
        edited.run(url=NO_SERVER)
    edited.run()
    check_as_fresh(edited)
