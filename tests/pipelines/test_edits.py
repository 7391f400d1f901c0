"""After any edits, a run gives what a fresh home gives, and redoes nothing that no edit touched.

`make test-edits` runs many and long sequences.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from chat_server import ChatServer
from edited_home import WANTED_AND_BEFORE, EditedHome, contents, read_films
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from killing import Killed, kill_9, killed_after
from touched import Touched

from pipelines.run import RunFailed
from videozoomer.lake import Lake
from videozoomer.video import ingest
from videozoomer.video.settings import Ingested

LONG = "VIDEOZOOMER_LONG_EDITS" in os.environ
FILMS = ("a", "b", "c", "d")

pytestmark = pytest.mark.slow
READ: list[str] = []
"""Films that were read, in order."""
NO_SERVER = "http://127.0.0.1:9/v1"


@pytest.fixture
def server(monkeypatch) -> Iterator[ChatServer]:
    def noting(uris: Sequence[str], *settings: object, **limits: object) -> Iterator[Ingested]:
        READ.extend(uris)
        return read_films(uris, *settings, **limits)

    monkeypatch.setattr(ingest, "ingest_many", noting)
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
    """A run whose process ends after so many writes: by kill -9 in long tests."""
    home = edited.folder / "home"
    if LONG:
        edited.recipe(home)
        kill_9(edited.folder / "recipe.yaml", home, WANTED_AND_BEFORE, written)
        return
    with contextlib.suppress(RunFailed, Killed), killed_after(written, home):
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


@pytest.mark.parametrize("written", [9, 10, 11])
def test_kill_9_between_a_steps_files_and_its_commit_and_after_it(edited, written):
    """The steps before it write 5 and 6 times; the third writes videos, shots, overviews, frames and commits."""
    edited.film("a").write_text("another film")
    edited.ask(1, "b", "B")
    edited.recipe(edited.folder / "home")
    assert kill_9(edited.folder / "recipe.yaml", edited.folder / "home", WANTED_AND_BEFORE, written)
    edited.ask(1, "b", "A")
    edited.run()
    check_as_fresh(edited)


def test_a_home_of_a_release_without_a_log_is_taken_over(edited, server):
    """Nothing is made again and nothing is asked; edits make again what they touch."""
    as_before_the_log(edited.folder / "home")
    calls, before = server.counts["calls"], contents(edited.folder / "home")
    assert edited.run() == set() and server.counts["calls"] == calls
    edited.ask(1, "b", "B")
    made = edited.run()
    assert batches(made) == {edited.batch_of("b")} and server.counts["calls"] == calls
    check_as_fresh(edited)
    assert contents(edited.folder / "home").keys() == before.keys()


def as_before_the_log(home: Path) -> None:
    """The home as earlier releases laid it out: a file for each partition, a JSON file for each stamp."""
    tables, stamps = home / "tables", home / "stamps"
    snapshot = Lake(tables).snapshot()
    for table, files in snapshot.files.items():
        for partition, name in files.items():
            (tables / name).rename(tables / table / f"{partition}.parquet")
        for left in (tables / table).glob("*@*"):
            left.unlink()
    for asset, found in snapshot.stamps.items():
        (stamps / asset).mkdir(parents=True)
        for partition, stamp in found.items():
            (stamps / asset / f"{partition}.json").write_text(json.dumps(stamp.to_json()))
    shutil.rmtree(tables / "log")
    shutil.rmtree(tables / "checkpoints", ignore_errors=True)


def test_a_server_that_fails_and_works_again(edited):
    edited.film("d").write_text("film d")
    edited.ask(3, "d", "A")
    with pytest.raises(RunFailed):
        edited.run(url=NO_SERVER)
    edited.run()
    check_as_fresh(edited)


class Edits(RuleBasedStateMachine):
    """Any sequence of edits; after each run the home is compared with a fresh one."""

    server: ChatServer

    def __init__(self) -> None:
        super().__init__()
        self.home = EditedHome(Path(tempfile.mkdtemp()), self.server.url)
        self.touched = Touched(self.home)

    @initialize()
    def start(self) -> None:
        for number, film in enumerate("ab"):
            self.home.film(film).write_text(f"film {film}")
            self.home.ask(number, film, "A")

    @rule(film=st.sampled_from(FILMS), text=st.sampled_from(["film a", "film b", "film x", "damaged"]))
    def add_or_replace_film(self, film: str, text: str) -> None:
        self.home.film(film).write_text(text)

    @precondition(lambda self: len(list((self.home.folder / "videos").iterdir())) > 1)
    @rule(film=st.sampled_from(FILMS))
    def remove_film(self, film: str) -> None:
        self.home.film(film).unlink(missing_ok=len(list((self.home.folder / "videos").iterdir())) > 1)

    @rule(old=st.sampled_from(FILMS), new=st.sampled_from(FILMS))
    def rename_film(self, old: str, new: str) -> None:
        if self.home.film(old).exists():
            self.home.film(old).rename(self.home.film(new))

    @rule(number=st.integers(0, 5), film=st.sampled_from(FILMS), answer=st.sampled_from("AB"))
    def add_or_change_question(self, number: int, film: str, answer: str) -> None:
        self.home.ask(number, film, answer)

    @precondition(lambda self: len(self.home.questions) > 1)
    @rule(data=st.data())
    def remove_question(self, data: st.DataObject) -> None:
        del self.home.questions[data.draw(st.sampled_from(sorted(self.home.questions)))]

    @rule(samples=st.integers(1, 2))
    def change_samples(self, samples: int) -> None:
        self.home.settings["distill"] = {"samples": samples}

    @rule(limit=st.integers(1, 3))
    def change_filter(self, limit: int) -> None:
        self.home.settings["filters"] = {"max_trajectories": limit}

    @precondition(lambda self: usable(self.home))
    @rule(written=st.integers(0, 40))
    def kill(self, written: int) -> None:
        self.touched.note()
        killed_run(self.home, written)

    @precondition(lambda self: usable(self.home))
    @rule()
    def fail(self) -> None:
        self.touched.note()
        with contextlib.suppress(RunFailed):
            self.home.run(url=NO_SERVER)

    @precondition(lambda self: usable(self.home))
    @rule()
    def run(self) -> None:
        self.touched.note()
        before = self.touched.batches()
        READ.clear()
        made = self.home.run()
        self.touched.check(made, set(READ), before)
        check_as_fresh(self.home)

    def teardown(self) -> None:
        try:
            if usable(self.home):
                self.run()
        finally:
            shutil.rmtree(self.home.folder)


def usable(home: EditedHome) -> bool:
    """Whether a question is about a film that is there; a run without one is an error."""
    return any((home.folder / "videos" / str(row["video"])).exists() for row in home.questions.values())


@pytest.mark.slow
@pytest.mark.timeout(0 if LONG else 900)
def test_any_sequence_of_edits(server):
    Edits.server = server
    how = settings(
        max_examples=100 if LONG else 1,
        stateful_step_count=30 if LONG else 6,
        deadline=None,
        derandomize=not LONG,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Edits, settings=how)
