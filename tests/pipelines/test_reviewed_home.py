"""A review makes again what it changes, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest
from chat_server import ChatServer
from edited_home import EditedHome, read_films

from videozoomer.lake import Lake
from videozoomer.reviews import Journal
from videozoomer.reviews.review import answer_value
from videozoomer.video import ingest

pytestmark = pytest.mark.slow
JUDGED = {"verdicts", "question_stats", "funnel"}


@pytest.fixture
def server(monkeypatch) -> Iterator[ChatServer]:
    monkeypatch.setattr(ingest, "ingest_many", read_films)
    with ChatServer(zooms=0) as started:
        yield started


@pytest.fixture
def home(tmp_path, server) -> EditedHome:
    edited = EditedHome(tmp_path / "edited", server.url)
    for number, film in enumerate("abc"):
        edited.film(film).write_text(f"film {film}")
        edited.ask(number, film, "A")
    edited.run()
    return edited


def lake_of(home: EditedHome) -> Lake:
    return Lake(home.folder / "home" / "tables")


def decide(home: EditedHome, subject: str, key: str, decision: str, value: str | None = None) -> None:
    Journal(lake_of(home)).decide("ann", subject, key, decision, value, None)


def names(made: set[tuple[str, str]]) -> set[str]:
    return {name for name, _ in made}


def test_a_decision_makes_verdicts_again_and_a_note_nothing(home):
    played = lake_of(home).read("verdicts").filter(pl.col("kind") == "exemplar")
    one = played["trajectory_id"][0]
    decide(home, "trajectory", one, "note", "odd")
    decide(home, "trajectory", one, "judged", "bad")
    assert home.run() == set()
    decide(home, "trajectory", one, "drop")
    assert names(home.run()) == JUDGED and home.run() == set()
    verdict = lake_of(home).read("verdicts").filter(pl.col("trajectory_id") == one).row(0, named=True)
    assert verdict["outcome"] == "rejected" and "reviewed_drop" in verdict["reasons"]
    decide(home, "trajectory", one, "clear")
    assert names(home.run()) == JUDGED
    assert home.run() == set()


def test_a_corrected_key_grades_one_batch_again_and_asks_nobody(home, server):
    before = dict(lake_of(home).read("grades").select("trajectory_id", "verdict").iter_rows())
    calls = server.counts["calls"]
    asked = lake_of(home).read("questions").sort("video_uri").row(1, named=True)
    decide(home, "question", asked["question_id"], "answer", answer_value("A", "B"))
    made = home.run()
    assert {part for _, part in made if part.startswith("films-")} == {home.batch_of("b")}
    assert server.counts["calls"] == calls
    answers = dict(lake_of(home).read("questions").select("question_id", "answer").iter_rows())
    assert answers[asked["question_id"]] == "B" and sorted(answers.values()) == ["A", "A", "B"]
    after = dict(lake_of(home).read("grades").select("trajectory_id", "verdict").iter_rows())
    assert after != before
    assert home.run() == set(), "the review still applies to the table that it changed"
