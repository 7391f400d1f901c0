"""Answers as models give them, by hand: what must be correct, and what must never be.

`answers/<type>.txt` has a question a block: its right answer (`=`) with its options, answers that are right (`+`) and
answers that are not (`-`); ⏎ is a new line. They were written before the graders were run on them; the shares are those
that a user of the verdicts is promised.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from filters.grading import GRADERS, grade
from videozoomer.protocol.question import Question

FOLDER = Path(__file__).parent / "answers"
RIGHT_AT_LEAST = {"choice": 0.92, "time": 0.92, "number": 0.85, "yes_no": 0.85, "order": 0.85, "text": 0.65}


def cases(kind: str) -> Iterator[tuple[Question, str, bool]]:
    """(question, answer, whether it is right)"""
    truth, options = "", ()
    for line in (FOLDER / f"{kind}.txt").read_text(encoding="utf-8").splitlines():
        sign, text = line[:1], line[2:].replace("⏎", "\n")
        if sign == "=":
            found = re.fullmatch(r"(.*?)(?:  \[(.*)\])?", text, re.S)
            assert found is not None
            truth, options = found[1], tuple(found[2].split(" | ")) if found[2] else ()
        else:
            question = Question(
                question_id="q",
                video_uri="v",
                split="train",
                question="What?",
                answer=truth,
                answer_type=kind,
                options=options,
            )
            yield question, text, sign == "+"


@pytest.mark.parametrize("kind", sorted(GRADERS))
def test_no_answer_that_is_not_right_is_correct(kind):
    given = [(question, answer) for question, answer, right in cases(kind) if not right]
    assert len(given) > 25
    assert [f"{q.answer}: {a}" for q, a in given if grade(q, a).verdict == "correct"] == []


@pytest.mark.parametrize("kind", sorted(GRADERS))
def test_no_right_answer_is_wrong_and_most_are_correct(kind):
    given = [(question, answer) for question, answer, right in cases(kind) if right]
    verdicts = Counter(grade(question, answer).verdict for question, answer in given)
    assert [f"{q.answer}: {a}" for q, a in given if grade(q, a).verdict == "wrong"] == []
    assert verdicts["correct"] / len(given) >= RIGHT_AT_LEAST[kind], verdicts


@pytest.mark.parametrize("kind", sorted(GRADERS))
def test_wrong_is_said_where_another_answer_is_clear(kind):
    """A grader that never said `wrong` would reach both shares above and teach nothing."""
    given = [(question, answer) for question, answer, right in cases(kind) if not right]
    assert sum(grade(question, answer).verdict == "wrong" for question, answer in given) / len(given) >= 0.2
