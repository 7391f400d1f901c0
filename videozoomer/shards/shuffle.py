"""Options of multiple-choice questions in another order, on request (`shards.shuffle_options`).

Some sources put the right option at B more often than chance would, and a policy learns that. The order follows from
the question's id and a seed alone, so a question has the same order in every data set. Letters move along wherever they
are: in the options, the answer and the conversation. A row in which that is not beyond doubt keeps its order and is
counted.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from videozoomer.protocol.options import LETTERS, index_of, letter_of, lettered_lines
from videozoomer.shards.letters import Unclear, moved, moved_answer, moves_safely

ORDER_MATTERS = "question or options name options by letter or place"
NOT_FOUND = "its text does not have the options once"
UNCLEAR = "its text may name an option in a way that cannot be moved"
NO_QUESTION = "its question is no longer in the sources"


def order_of(question_id: str, options: int, seed: int) -> list[int]:
    """Old indices in their new order. It depends on nothing else, and on no platform."""
    digest = hashlib.sha256(f"{seed}:{question_id}".encode()).digest()
    order = list(range(options))
    random.Random(int.from_bytes(digest[:8], "big")).shuffle(order)
    return order


@dataclass(frozen=True, slots=True)
class Shuffled:
    rows: pl.DataFrame
    """All rows; those whose options could not be moved are as before."""
    outcomes: dict[str, int]
    """`shuffled`, or why not -> rows, of the multiple choices."""
    letters: dict[str, int]
    """Letter of the right option -> rows, afterwards."""

    @property
    def about(self) -> dict[str, Any]:
        """What the manifest and the card say."""
        return {"shuffled": dict(sorted(self.outcomes.items())), "letters": dict(sorted(self.letters.items()))}


def shuffled_questions(rows: pl.DataFrame, seed: int) -> Shuffled:
    """Rows of an RL or evaluation data set in their new order."""
    counted: Counter[str] = Counter()
    options, answers = rows["options"].to_list(), rows["answer"].to_list()
    for index, row in enumerate(rows.select("question_id", "question", "options", "answer", "answer_type").to_dicts()):
        if (right := _right(row)) is None:
            continue
        if not moves_safely(row["question"], row["options"]):
            counted[ORDER_MATTERS] += 1
            continue
        order = order_of(row["question_id"], len(row["options"]), seed)
        options[index] = [row["options"][old] for old in order]
        answers[index] = letter_of(order.index(right))
        counted["shuffled"] += 1
    changed = rows.with_columns(
        pl.Series("options", options, dtype=rows.schema["options"]), pl.Series("answer", answers, dtype=pl.String)
    )
    letters = Counter(changed.filter(answer_type="choice")["answer"])
    return Shuffled(changed, dict(counted), dict(letters))


def shuffled_conversations(rows: pl.DataFrame, questions: pl.DataFrame, seed: int) -> Shuffled:
    """Rows of an SFT data set. `questions`: rows of table `questions`."""
    known = {row["question_id"]: row for row in questions.iter_rows(named=True)}
    counted: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    messages, answers = rows["messages"].to_list(), rows["answer"].to_list()
    for index, question_id in enumerate(rows["question_id"]):
        question = known.get(question_id)
        if question is None:
            counted[NO_QUESTION] += 1
            continue
        if (right := _right(question)) is None:
            continue
        options = question["options"]
        order = order_of(question_id, len(options), seed)
        letter = letter_of(order.index(right))
        to = {letter_of(old): letter_of(new) for new, old in enumerate(order)}
        try:
            if not moves_safely(question["question"], options):
                raise Unclear(ORDER_MATTERS)
            told = _told(messages[index], options, [options[old] for old in order], to)
            answer = moved_answer(answers[index], options, to)
        except Unclear as unclear:
            why = unclear.args[0]
            counted[why if why in (ORDER_MATTERS, NOT_FOUND) else UNCLEAR] += 1
            letters[question["answer"]] += 1
            continue
        messages[index], answers[index] = told, answer
        counted["shuffled"] += 1
        letters[letter] += 1
    changed = rows.with_columns(
        pl.Series("messages", messages, dtype=rows.schema["messages"]), pl.Series("answer", answers, dtype=pl.String)
    )
    return Shuffled(changed, dict(counted), dict(letters))


def _right(question: Mapping[str, Any]) -> int | None:
    """Index of the right option of a multiple choice; None for another question."""
    options = question["options"]
    if question["answer_type"] != "choice" or not 1 < len(options) <= len(LETTERS):
        return None
    return index_of(question["answer"], len(options))


def _told(
    messages: Sequence[Mapping[str, Any]], options: Sequence[str], new: Sequence[str], to: Mapping[str, str]
) -> list[dict[str, Any]]:
    """A conversation with its options in the new order, once, and all letters that players wrote moved.

    Raises:
        Unclear: the options are not there exactly once, or a letter is not beyond doubt.
    """
    old_lines, new_lines = ("".join(f"{line}\n" for line in lettered_lines(some)) for some in (options, new))
    found = 0
    changed = []
    for message in messages:
        parts = []
        for part in message["parts"]:
            text = part["text"]
            if text is not None and message["role"] == "assistant":
                text = moved(text, options, to)
            elif text is not None:
                found += text.count(old_lines)
                text = text.replace(old_lines, new_lines)
            parts.append({**part, "text": text})
        changed.append({**message, "parts": parts})
    if found != 1:
        raise Unclear(NOT_FOUND)
    return changed
