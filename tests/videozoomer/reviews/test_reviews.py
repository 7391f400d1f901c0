"""Decisions of people: appended without loss, for one content, the latest of each slot."""

import json
import threading
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from builders import row
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_fixture import write_lake
from scipy.stats import norm

from videozoomer.lake.lake import Lake
from videozoomer.reviews import Journal, ReviewError, applying, current, pair_decisions
from videozoomer.reviews.correcting import corrected
from videozoomer.reviews.counting import sentence, summary
from videozoomer.reviews.current import digest, latest, read
from videozoomer.reviews.journal import validated
from videozoomer.reviews.review import DECISIONS, answer_value


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Lake:
    return write_lake(tmp_path_factory.mktemp("world"), width=64).lake


@pytest.fixture
def lake(finished, tmp_path) -> Lake:
    """A few trajectories that a test may change."""
    small = Lake(tmp_path / "tables")
    small.write("trajectories", finished.read("trajectories").head(30))
    small.write("questions", finished.read("questions"))
    small.write("verdicts", finished.read("verdicts"))
    return small


def ids(lake: Lake, count: int = 1) -> list[str]:
    return lake.read("trajectories")["trajectory_id"].head(count).to_list()


def decide(lake: Lake, subject: str, key: str, decision: str, value: str | None = None) -> None:
    Journal(lake).decide("ann", subject, key, decision, value, None)


def applied(lake: Lake) -> set[tuple[str, str | None]]:
    return {(review.decision, review.value) for review in applying(lake)}


def test_the_last_decision_of_a_slot_holds(lake):
    (one,) = ids(lake)
    journal = Journal(lake)
    for decision, value in (
        ("keep", None), ("drop", None), ("tag", "odd"), ("tag", "nice"), ("untag", "odd"), ("note", "a"), ("note", "b"),
        ("judged", "bad"), ("judged", "good"),
    ):  # fmt: skip
        journal.decide("ann", "trajectory", one, decision, value, None)
    assert applied(lake) == {("drop", None), ("tag", "nice"), ("note", "b"), ("judged", "good")}
    journal.decide("bob", "trajectory", one, "clear", None, None)
    journal.decide("bob", "trajectory", one, "note", "", None)
    assert applied(lake) == {("tag", "nice"), ("judged", "good")}
    assert len(read(lake)) == 11, "nothing is ever taken out"


@pytest.mark.parametrize("what", ["reply", "frame", "question", "option"])
def test_a_review_of_changed_content_no_longer_applies(lake, what):
    kept = lake.read("trajectories").filter(pl.col("zooms") > 0).row(0, named=True)
    decide(lake, "trajectory", kept["trajectory_id"], "drop")
    assert [one.stale for one in current(lake)] == [False]
    rows, questions = lake.read("trajectories").to_dicts(), lake.read("questions").to_dicts()
    mine = next(one for one in rows if one["trajectory_id"] == kept["trajectory_id"])
    asked = next(one for one in questions if one["question_id"] == kept["question_id"])
    if what == "reply":
        mine["turns"][0]["reply"] += " "
    elif what == "frame":
        turn = next(turn for turn in mine["turns"] if turn["frame_ids"])
        turn["frame_ids"] = [*turn["frame_ids"][:-1], "another"]
    elif what == "question":
        asked["question"] += "?"
    else:
        asked["options"] = [*asked["options"], "another"]
    lake.write("trajectories", rows)
    lake.write("questions", questions)
    assert [one.stale for one in current(lake)] == [True] and applying(lake) == []


def test_what_does_not_concern_a_review_leaves_it(lake):
    one, other = ids(lake, 2)
    decide(lake, "trajectory", one, "keep")
    rows = lake.read("trajectories").to_dicts()
    for found in rows:
        found["cost_usd"] = 7.0
        if found["trajectory_id"] == other:
            found["turns"][0]["reply"] = "other"
    lake.write("trajectories", rows, "moved.batch")
    lake.write("trajectories", [])
    assert applied(lake) == {("keep", None)}
    lake.write("trajectories", [], "moved.batch")
    assert [found.stale for found in current(lake)] == [True], "what is gone is stale"


def test_a_corrected_key_holds_before_and_after_it_is_applied(lake):
    asked = lake.read("questions").filter(pl.col("answer_type") == "choice").row(0, named=True)
    decide(lake, "question", asked["question_id"], "tag", "hard")
    decide(lake, "question", asked["question_id"], "answer", answer_value(asked["answer"], "C"))
    raw = lake.read("questions").to_dicts()
    fixed = corrected(lake, raw)
    assert [(a["question_id"], b["answer"]) for a, b in zip(raw, fixed, strict=True) if a != b] == [
        (asked["question_id"], "C")
    ]
    lake.write("questions", fixed)
    assert not any(one.stale for one in current(lake)), "the table now has what the review says"
    assert corrected(lake, raw) == fixed, "and the question file is read again with it"
    changed = [found | {"answer": "D"} if found["question_id"] == asked["question_id"] else found for found in raw]
    assert corrected(lake, changed) == changed, "a file that has a third answer has changed"
    lake.write("questions", changed)
    assert all(one.stale for one in current(lake))


def test_a_decision_about_what_changed_meanwhile_is_refused(lake):
    (one,) = ids(lake)
    seen = Journal(lake).decide("ann", "trajectory", one, "note", "x", None).content
    assert Journal(lake).decide("ann", "trajectory", one, "keep", None, seen).content == seen
    with pytest.raises(ReviewError, match="has changed since"):
        Journal(lake).decide("ann", "trajectory", one, "keep", None, "0" * 24)
    with pytest.raises(ReviewError, match="there is no trajectory nothing"):
        Journal(lake).decide("ann", "trajectory", "nothing", "keep", None, None)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"subject": "film"}, "subject"),
        ({"decision": "leak"}, "no decision 'leak' about a trajectory"),
        ({"decision": "judged", "value": "fine"}, "a judgement is one of"),
        ({"decision": "tag", "value": " "}, "a tag needs a name"),
        ({"subject": "question", "decision": "answer", "value": "B"}, "corrected key is written as"),
        ({"subject": "question", "decision": "answer", "value": '{"from": "A", "to": ""}'}, "corrected key"),
        ({"subject": "question", "decision": "answer", "value": "[1]"}, "corrected key"),
        ({"at": "2026-01-31T12:00:00"}, "no zone"),
        ({"at": "yesterday"}, "at: "),
        ({"who": ""}, "who: "),
        ({"key": ""}, "key: "),
        ({"value": "x" * 5000}, "value: "),
        ({"mood": "good"}, "mood: "),
    ],
)
def test_what_is_no_review_is_refused_with_its_field(changed, message):
    good = {
        "subject": "trajectory", "key": "k", "decision": "keep", "value": None, "who": "ann",
        "at": "2026-01-31T13:00:00+01:00", "content": "c",
    }  # fmt: skip
    assert validated(good).at == "2026-01-31T12:00:00.000000+00:00"
    with pytest.raises(ReviewError, match=message):
        validated(good | changed)


def test_writers_at_once_lose_nothing(lake):
    """Three journals, as three processes have them, one of them shared by two threads."""
    names = ids(lake, 4)
    shared = Journal(lake)
    errors = []

    def work(journal: Journal, who: str) -> None:
        try:
            for n in range(6):
                journal.decide(who, "trajectory", names[n % 4], "note", f"{who} {n}", None)
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=work, args=(journal, who))
        for who, journal in (("a", shared), ("b", shared), ("c", Journal(lake)), ("d", Journal(lake)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert {review.value for review in read(lake)} == {f"{who} {n}" for who in "abcd" for n in range(6)}


def test_a_journal_begins_a_new_partition_before_one_is_large(lake, monkeypatch):
    monkeypatch.setattr("videozoomer.reviews.journal.ROWS", 3)
    (one,), journal = ids(lake), Journal(lake)
    for n in range(8):
        journal.decide("ann", "trajectory", one, "tag", f"t{n}", None)
    assert sorted(lake.read("reviews", [name]).height for name in lake.partitions("reviews")) == [2, 3, 3]
    assert len(applied(lake)) == 8


def test_imported_reviews_are_added_once(lake, finished, tmp_path):
    (one,) = ids(lake)
    decide(lake, "trajectory", one, "drop")
    decide(lake, "pair", "0123456789abcdef", "no_leak")
    rebuilt = Lake(tmp_path / "rebuilt")
    rebuilt.write("trajectories", finished.read("trajectories"))
    rebuilt.write("questions", finished.read("questions"))
    journal = Journal(rebuilt)
    assert journal.add(read(lake)) == 2
    assert journal.add(read(lake)) == 0 and Journal(rebuilt).add(read(lake)) == 0
    assert applied(rebuilt) == {("drop", None), ("no_leak", None)}, "the same content in a rebuilt home"
    assert pair_decisions(rebuilt) == {"0123456789abcdef": "refuse"}
    decide(rebuilt, "pair", "0123456789abcdef", "leak")
    assert pair_decisions(rebuilt) == {"0123456789abcdef": "confirm"}


def test_the_digest_changes_with_decisions_that_are_obeyed(lake):
    decided = {"trajectory": ("keep", "drop")}
    (one,) = ids(lake)
    assert digest(lake, decided) is None
    decide(lake, "trajectory", one, "note", "x")
    assert digest(lake, decided) is None, "a note changes no result"
    decide(lake, "trajectory", one, "drop")
    first = digest(lake, decided)
    decide(lake, "trajectory", one, "drop")
    assert digest(lake, decided) == first, "neither does the same decision again"
    decide(lake, "trajectory", one, "keep")
    assert digest(lake, decided) not in (None, first)
    decide(lake, "trajectory", one, "clear")
    assert digest(lake, decided) is None


reviews = st.builds(
    lambda subject, decision, key, value, who, at: validated(
        {
            "subject": subject,
            "key": key,
            "decision": decision,
            "value": answer_value("A", value) if decision == "answer" else "good" if decision == "judged" else value,
            "who": who,
            "at": (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=at)).isoformat(),
            "content": "c",
        }
    ),
    *(st.just("trajectory"), st.sampled_from(sorted(DECISIONS["trajectory"]))),
    key=st.sampled_from("xy"),
    value=st.sampled_from(["one", "two"]),
    who=st.sampled_from(["ann", "bob"]),
    at=st.integers(0, 5),
)


@given(st.lists(reviews, max_size=12))
@settings(max_examples=60, deadline=None)
def test_what_holds_does_not_depend_on_the_partitions_or_the_order_of_writing(found):
    """Differential against a plain loop over the decisions in the order of time."""
    ordered = sorted(dict.fromkeys(found), key=lambda one: (one.at, one.who, one.subject, one.key, one.decision))
    state: dict[tuple[str, str], tuple[str, str | None] | None] = {}
    for one in ordered:
        if one.decision in ("keep", "drop", "clear"):
            state[one.key, "verdict"] = None if one.decision == "clear" else (one.decision, one.value)
        elif one.decision in ("tag", "untag"):
            state[one.key, f"tag {one.value}"] = ("tag", one.value) if one.decision == "tag" else None
        else:
            state[one.key, one.decision] = (one.decision, one.value)
    expected = {(key, *value) for (key, _), value in state.items() if value}
    assert {(one.key, one.decision, one.value) for one in latest(ordered)} == expected


def test_precision_counts_blind_judgements_of_the_kept_set_alone(lake):
    kept = lake.read("verdicts").filter(pl.col("outcome") == "kept")["trajectory_id"].to_list()
    rejected = lake.read("verdicts").filter(pl.col("outcome") == "rejected")["trajectory_id"].to_list()
    held = set(lake.read("trajectories")["trajectory_id"])
    kept, rejected = ([name for name in names if name in held] for names in (kept, rejected))
    assert summary(lake) == {}
    for name in kept[:4]:
        decide(lake, "trajectory", name, "judged", "good")
    decide(lake, "trajectory", kept[3], "judged", "bad")
    decide(lake, "trajectory", kept[4], "judged", "unsure")
    decide(lake, "trajectory", rejected[0], "judged", "bad")
    found = summary(lake)["precision"]
    assert (found["good"], found["bad"], found["unsure"]) == (3, 1, 1)
    z, n, p = norm.ppf(0.975), 4, 3 / 4
    centre, spread = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    assert found["low"] == pytest.approx((centre - spread) / (1 + z * z / n), abs=1e-4)
    assert found["high"] == pytest.approx((centre + spread) / (1 + z * z / n), abs=1e-4)
    assert "3 of 4 kept" in sentence(found) and "1 more could not be decided" in sentence(found)


def test_old_homes_have_no_reviews(tmp_path):
    empty = Lake(tmp_path)
    assert read(empty) == [] and applying(empty) == [] and summary(empty) == {}
    assert corrected(empty, [row("questions", question_id="q")]) == [row("questions", question_id="q")]
    assert json.dumps(summary(empty)) == "{}"
