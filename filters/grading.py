"""Grades trajectories: is the answer correct, and did a zoom show the evidence?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from filters.graders import choice, number, order, text, timestamp, yes_no
from filters.graders.grade import Grade, graded
from filters.graders.other_rules import Disagreement, Rule, compare_by
from videozoomer.lake.rows import GradeRow, QuestionRow
from videozoomer.protocol.evidence import best_iou, looks_hit, looks_of
from videozoomer.protocol.options import index_of, letter_of
from videozoomer.protocol.question import Question, QuestionColumns

GRADERS: dict[str, Callable[[Question, str], Grade]] = {
    "choice": choice.compare,
    "number": number.compare,
    "time": timestamp.compare,
    "yes_no": yes_no.compare,
    "order": order.compare,
    "text": text.compare,
}
"""Answer type -> its grader."""


LONGEST = 4000
"""Characters of the longest answer that is read; it also bounds the time that a grade can take."""


class GradingError(ValueError):
    """A trajectory cannot be graded; the message names it and what to do."""


def grade(question: Question, answer: str | None, rule: Rule = "ours") -> Grade:
    """Grade an answer; another `rule` than ours grades multiple choices as others do.

    A missing answer (None) is wrong, because the player used up its rounds.

    Raises:
        GradingError: the answer type has no grader.
    """
    if answer is None:
        return graded("wrong", "no_answer", "the rounds ran out without an answer")
    if len(answer) > LONGEST:
        return graded("unknown", "too_long", f"{len(answer)} characters are no answer but a text")
    compare = GRADERS.get(question.answer_type)
    if compare is None:
        raise GradingError(
            f"question {question.question_id}: answer type {question.answer_type!r} has no grader; "
            f"use one of {sorted(GRADERS)}"
        )
    if rule != "ours" and question.answer_type == "choice":
        return compare_by(rule, question, answer)
    return compare(question, answer)


def grade_rows(
    trajectory_rows: Iterable[Mapping[str, Any]], question_rows: Iterable[QuestionColumns], rule: Rule = "ours"
) -> list[GradeRow]:
    """Rows of table `grades`, one per trajectory; failed trajectories get none.

    Raises:
        GradingError: a trajectory's question is missing or has an answer type without a grader.
    """
    questions = {row["question_id"]: Question.from_row(row) for row in question_rows}
    rows: list[GradeRow] = []
    for trajectory in trajectory_rows:
        if trajectory["status"] == "failed":
            continue
        question = questions.get(trajectory["question_id"])
        if question is None:
            raise GradingError(
                f"trajectory {trajectory['trajectory_id']}: its question {trajectory['question_id']} is not among the "
                f"{len(questions)} given questions; read the questions again or remove the trajectory"
            )
        result = grade(question, trajectory["answer"], rule)
        evidence, looks = question.evidence, looks_of(trajectory["turns"])
        rows.append(
            {
                "trajectory_id": trajectory["trajectory_id"],
                "question_id": trajectory["question_id"],
                "batch": trajectory["batch"],
                "verdict": result.verdict,
                "grader": result.grader,
                "detail": result.detail,
                "hit": looks_hit(looks, evidence),
                "best_iou": best_iou(looks, evidence),
            }
        )
    return rows


def with_moved_options(question: QuestionRow, places: int) -> QuestionRow:
    """The row of a choice question whose options moved to the left by so many places, the right letter with them."""
    options = question["options"]
    if not places or (right := index_of(question["answer"], len(options))) is None:
        return question
    moved = letter_of((right - places) % len(options))
    return {**question, "options": [*options[places:], *options[:places]], "answer": moved}


def disagreements(
    trajectory_rows: Iterable[Mapping[str, Any]], question_rows: Iterable[QuestionColumns], rule: Rule
) -> list[Disagreement]:
    """Answers that another rule grades otherwise than ours, in the order of the trajectories."""
    questions = {row["question_id"]: Question.from_row(row) for row in question_rows}
    found: list[Disagreement] = []
    for row in trajectory_rows:
        question = questions.get(row["question_id"])
        if question is None or row["status"] == "failed" or row["answer"] is None:
            continue
        ours, theirs = grade(question, row["answer"]).verdict, grade(question, row["answer"], rule).verdict
        if ours != theirs:
            found.append(
                Disagreement(row["trajectory_id"], row["question_id"], question.answer, row["answer"], ours, theirs)
            )
    return found
