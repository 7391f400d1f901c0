"""Applies corrected keys to questions as they are read: grades, data sets and evaluations all follow from the table."""

from __future__ import annotations

from collections.abc import Iterable

from videozoomer.lake.lake import Lake
from videozoomer.lake.rows import QuestionRow
from videozoomer.reviews.contents import question_content
from videozoomer.reviews.current import corrections
from videozoomer.reviews.review import answers_of


def corrected(lake: Lake, rows: Iterable[QuestionRow]) -> list[QuestionRow]:
    """The rows of the question files with the answers that people corrected; a question that changed keeps its own."""
    known = corrections(lake)
    found: list[QuestionRow] = []
    for row in rows:
        review = known.get(row["question_id"])
        if review is not None and question_content(row) == review.content:
            row = {**row, "answer": answers_of(review.value)[1]}
        found.append(row)
    return found
