"""Reviews from the page of `videozoomer view`, over HTTP."""

import json
import threading

import polars as pl
import pytest
from lake_fixture import write_lake
from live_server import serving

from eval.viewer.live.index import Index, Live, QueryError
from eval.viewer.live.pictures import Pictures
from eval.viewer.live.reviewing import Book, draw
from eval.viewer.live.server import Shown
from videozoomer.lake.lake import Lake
from videozoomer.reviews.current import applying, read


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Lake:
    return write_lake(tmp_path_factory.mktemp("world"), width=64).lake


@pytest.fixture
def lake(finished, tmp_path) -> Lake:
    copied = Lake(tmp_path / "tables")
    for table in ("trajectories", "grades", "verdicts", "questions"):
        copied.write(table, finished.read(table))
    return copied


def shown(lake: Lake, who: str = "ann", sample: list[str] | None = None, blind: bool = False) -> Shown:
    book = Book(lake, who, blind)
    live = Live(lake, opened=lambda one: Index(one, sample), look_s=0, changed=book.changed)
    return Shown(live, Pictures(), "run", book=book)


def decide(browser, key: str, decision: str, value: str | None = None, subject: str = "trajectory"):
    status, body = browser.post("/api/review", {"subject": subject, "key": key, "decision": decision, "value": value})
    assert status == 200, body


def test_a_decision_shows_at_once_in_item_list_filters_and_tables(lake):
    with serving(shown(lake)) as browser:
        one = browser.get("/api/rows", kind="exemplar")["rows"][0]
        decide(browser, one["id"], "drop")
        decide(browser, one["id"], "tag", "blurred")
        decide(browser, one["question_id"], "keep", subject="question")
        found = browser.get("/api/item", id=one["id"])["reviews"]
        assert {(review["subject"], review["decision"], review["value"], review["who"]) for review in found} == {
            ("trajectory", "drop", None, "ann"),
            ("trajectory", "tag", "blurred", "ann"),
            ("question", "keep", None, "ann"),
        }
        assert [row["id"] for row in browser.get("/api/rows", review="drop")["rows"]] == [one["id"]]
        assert [row["id"] for row in browser.get("/api/rows", tag="blurred")["rows"]] == [one["id"]]
        of_question = lake.read("trajectories").filter(pl.col("question_id") == one["question_id"]).height
        counted = dict(map(tuple, browser.get("/api/facets")["review"]))
        assert counted["drop"] == 1 and counted["question: keep"] == of_question
        assert counted["not reviewed"] == lake.read("trajectories").height - of_question
        decide(browser, one["id"], "untag", "blurred")
        assert browser.get("/api/rows", tag="blurred")["matching"] == 0
    assert {review.decision for review in applying(lake)} == {"drop", "keep"}


def test_a_changed_trajectory_shows_its_review_as_stale(lake):
    with serving(shown(lake)) as browser:
        one = browser.get("/api/rows")["rows"][0]["id"]
        decide(browser, one, "keep")
        rows = lake.read("trajectories").to_dicts()
        for row in rows:
            if row["trajectory_id"] == one:
                row["turns"][0]["reply"] = "another"
        lake.write("trajectories", rows)
        assert [review["stale"] for review in browser.get("/api/item", id=one)["reviews"]] == [True]
        assert [row["id"] for row in browser.get("/api/rows", review="stale")["rows"]] == [one]


def test_a_corrected_key_starts_from_the_answer_of_the_file(lake):
    asked = lake.read("questions").filter(pl.col("answer_type") == "choice").row(0, named=True)
    with serving(shown(lake)) as browser:
        for wrong in ("", "Z", "red"):
            status, body = browser.post(
                "/api/review",
                {"subject": "question", "key": asked["question_id"], "decision": "answer", "value": wrong},
            )
            assert status == 422 and "the correct answer is one of A, B, C, D" in body["error"]
        decide(browser, asked["question_id"], "answer", "B", "question")
        rows = lake.read("questions").with_columns(
            answer=pl.when(pl.col("question_id") == asked["question_id"]).then(pl.lit("B")).otherwise(pl.col("answer"))
        )
        lake.write("questions", rows)
        decide(browser, asked["question_id"], "answer", "C", "question")
    found = [json.loads(review.value) for review in applying(lake)]
    assert found == [{"from": asked["answer"], "to": "C"}], "not from the first correction"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"subject": "trajectory", "key": "none", "decision": "keep"}, "there is no trajectory none"),
        ({"subject": "trajectory", "key": "none"}, "needs subject, key and decision"),
        ({"subject": "trajectory", "key": "k", "decision": "leak"}, "no decision"),
        ({"subject": "trajectory", "key": "k", "decision": "tag", "value": 7}, "is a text"),
        ([1], "no review"),
    ],
)
def test_what_is_no_decision_is_refused(lake, body, message):
    with serving(shown(lake)) as browser:
        status, answer = browser.post("/api/review", body)
        assert status == 422 and message in answer["error"]
        assert read(lake) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": "http://evil.example"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Cookie": None},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_another_page_cannot_decide(lake, headers):
    with serving(shown(lake)) as browser:
        one = browser.get("/api/rows")["rows"][0]["id"]
        body = {"subject": "trajectory", "key": one, "decision": "drop", "value": None}
        assert browser.send("POST", "/api/review", body, headers).status == 403
        assert browser.send("GET", "/api/review").status in (404, 405)
    assert read(lake) == []


def test_two_servers_and_four_browsers_lose_nothing(lake):
    names = lake.read("trajectories")["trajectory_id"].head(4).to_list()
    with serving(shown(lake, "ann")) as first, serving(shown(lake, "bob")) as second:
        errors = []

        def work(browser, label: str) -> None:
            try:
                for n in range(4):
                    decide(browser, names[n], "tag", f"{label} {n}")
            except BaseException as error:
                errors.append(error)

        threads = [
            threading.Thread(target=work, args=(browser, label))
            for label, browser in (("a", first), ("b", first), ("c", second), ("d", second))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert {review.value for review in read(lake)} == {f"{label} {n}" for label in "abcd" for n in range(4)}
        tags = {review["value"] for review in first.get("/api/item", id=names[0])["reviews"]}
        assert tags == {"a 0", "b 0", "c 0", "d 0"}, "each server shows what the other recorded"


def test_a_blind_sample_shows_no_verdict_anywhere(lake):
    kept = set(lake.read("verdicts").filter(pl.col("outcome") == "kept")["trajectory_id"])
    sample = draw(lake, 8, "1")
    assert len(sample) == 8 and set(sample) <= kept
    assert sample == draw(lake, 8, "1") != draw(lake, 8, "2")
    assert draw(lake, 4, "1") != sorted(draw(lake, 4, "1")) or draw(lake, 10**6, "1") != sorted(kept)
    with serving(shown(lake)) as seeing:
        decide(seeing, sample[0], "note", "by another, who saw")
    with serving(shown(lake, "bob", sample, blind=True)) as browser:
        assert browser.get("/api/state")["blind"] is True
        listed = browser.get("/api/rows", verdict="wrong", outcome="rejected", review="note")
        assert [row["id"] for row in listed["rows"]] == sample, "no filter that tells works"
        assert {(row["verdict"], row["outcome"], *row["reasons"]) for row in listed["rows"]} == {(None, None)}
        assert not {"verdict", "outcome", "rule", "evidence", "review", "tag"} & set(browser.get("/api/facets"))
        for name in sample:
            item = browser.get("/api/item", id=name)
            hidden = ("verdict", "grader", "detail", "hit", "best_iou", "outcome")
            assert not any(item["trajectory"][field] for field in hidden)
            assert item["rules"] == [] and item["trajectory"]["reasons"] == [] and item["reviews"] == []
            assert item["question"]["answer"], "the key is shown: it may be wrong"
            others = browser.get("/api/samples", question=item["trajectory"]["question_id"])["samples"]
            assert not any(other["verdict"] or other["outcome"] or other["reasons"] for other in others)
        decide(browser, sample[0], "judged", "good")
        assert [one["value"] for one in browser.get("/api/item", id=sample[0])["reviews"]] == ["good"]


def test_a_sample_of_nothing_is_said(tmp_path):
    with pytest.raises(QueryError, match="no trajectory is kept"):
        draw(Lake(tmp_path), 5, "1")
