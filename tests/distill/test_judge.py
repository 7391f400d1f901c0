"""The judge: one word is a verdict, anything else is unknown, and no answer is wrong because the judge is down."""

import json

import pytest
from chat_server import ChatServer

from distill.client.chat import ChatPlayer
from distill.client.errors import EndpointDown
from distill.judge import Case, Judge, agreement, agreement_rate, read_verdict
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from videozoomer.protocol import load_prompts
from videozoomer.settings.model import Endpoint

PROMPTS = load_prompts("v1")


def says(word):
    return (
        200,
        {},
        json.dumps(
            {
                "choices": [{"finish_reason": "stop", "message": {"content": word}}],
                "usage": {"prompt_tokens": 5, "completion_tokens": 1},
            }
        ).encode(),
    )


@pytest.fixture
def made(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as store, Ledger(tmp_path / "ledger.sqlite") as ledger:
        yield lambda server, **fields: ChatPlayer(
            Endpoint(base_url=server.url, identity="judge", model="m", retries=0, **fields),
            ledger,
            store,
            purpose="judge",
        )


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("YES", "correct"),
        ("No.", "wrong"),
        ("<think>no, or yes?</think> yes", "correct"),
        ("", "unknown"),
        ("yes and no", "unknown"),
        ("nothing", "unknown"),
        ("<think>yes", "unknown"),
        ("**Yes**", "correct"),
    ],
)
def test_a_word_is_a_verdict(text, verdict):
    assert read_verdict(text) == verdict


def test_cases_are_judged_and_recorded_as_the_judges(made, tmp_path):
    cases = [Case(f"c{index}", f"q{index}", "a red disc", f"answer {index} {{x}}") for index in range(6)]
    words = {b"answer 0": "YES", b"answer 1": "NO", b"answer 2": "perhaps", b"answer 3": "YES", b"answer 4": "NO"}
    with ChatServer(
        behave=lambda number, body: next((says(word) for part, word in words.items() if part in body), "cut")
    ) as server:
        judged = Judge(made(server), PROMPTS).decide(cases)
        again = Judge(made(server), PROMPTS).decide(cases)
        assert server.counts["calls"] == 6
    assert [one.verdict for one in judged] == [
        "correct",
        "wrong",
        "unknown",
        "correct",
        "wrong",
        "unknown",
    ] and judged == again
    assert "cut_off" in judged[5].detail and {one.grader for one in judged} == {"judge:m:v1"}
    assert {entry.purpose for entry in read_entries(tmp_path / "ledger.sqlite")} == {"judge"}


def test_no_answer_becomes_wrong_when_the_judge_is_down(made):
    with ChatServer(behave=lambda number, body: "401") as server, pytest.raises(EndpointDown):
        Judge(made(server), PROMPTS).decide([Case("c", "q", "a", "b")])


def test_only_answers_that_the_rules_left_unknown_are_judged(made):
    def grade(name, verdict):
        return {
            "trajectory_id": name,
            "question_id": "q",
            "batch": "b",
            "verdict": verdict,
            "grader": "rule",
            "detail": None,
            "hit": None,
            "best_iou": None,
        }

    grades = [grade("t0", "correct"), grade("t1", "unknown"), grade("t2", "unknown")]
    trajectories = [
        {"trajectory_id": f"t{index}", "answer": answer} for index, answer in enumerate(("x", "a disc", None))
    ]
    questions = [{"question_id": "q", "question": "what?", "options": [], "answer": "a red disc"}]
    with ChatServer(behave=lambda number, body: says("NO")) as server:
        rows = Judge(made(server), PROMPTS).decide_unknown(grades, trajectories, questions)
        assert server.counts["calls"] == 1
    assert [row["verdict"] for row in rows] == ["correct", "wrong", "unknown"] and rows[1]["grader"] == "judge:m:v1"


def test_agreement_counts_answers_that_both_decided():
    pairs = [("correct", "correct")] * 3 + [("wrong", "correct"), ("unknown", "wrong"), ("correct", "unknown")]
    assert agreement_rate(pairs) == 0.75 and agreement_rate([("unknown", "wrong")]) is None
    assert {"rule": "correct", "judge": "correct", "answers": 3} in agreement(pairs)


def test_rules_and_judge_are_compared_on_answers_that_rules_decided(made):
    def grade(name, verdict, grader="rule"):
        return {"trajectory_id": name, "question_id": "q", "verdict": verdict, "grader": grader}

    grades = [
        grade("t2", "wrong"),
        grade("t0", "correct"),
        grade("t1", "correct"),
        grade("t3", "correct", "judge:m:v1"),
        grade("t4", "wrong"),
    ]
    trajectories = [{"trajectory_id": f"t{index}", "answer": f"answer {index}"} for index in range(5)]
    questions = [{"question_id": "q", "question": "what?", "options": [], "answer": "a disc"}]
    with ChatServer(
        behave=lambda number, body: says("YES" if b"answer 0" in body or b"answer 2" in body else "NO")
    ) as server:
        pairs = Judge(made(server), PROMPTS).compare_with_rules(grades, trajectories, questions, limit=3)
        assert server.counts["calls"] == 3
    assert pairs == [("correct", "correct"), ("correct", "wrong"), ("wrong", "correct")]
