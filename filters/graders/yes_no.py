"""Yes or no as the first or only word; a judge decides about answers in other words."""

from __future__ import annotations

import re

from filters.graders.grade import Grade, graded, plain
from videozoomer.protocol.question import Question

NAME = "yes_no"
_VALUES = {"yes": True, "yeah": True, "yep": True, "true": True, "no": False, "nope": False, "false": False}
_BOTH = re.compile(r"(yes|no)\s*(?:/|\bor\b|\band\b)\s*(yes|no)\b", re.I)


def compare(question: Question, answer: str) -> Grade:
    expected, given = _first_word(question.answer), _first_word(answer)
    if expected is None:
        return graded("unknown", NAME, f"the question's own answer {question.answer!r} is neither yes nor no")
    if _BOTH.match(plain(answer)):
        return graded("wrong", NAME, f"{answer!r} says both")
    if given is None:
        return graded("unknown", NAME, f"{answer!r} begins with neither yes nor no")
    return graded("correct" if given == expected else "wrong", NAME, f"{answer!r}, expected {question.answer!r}")


def _first_word(text: str) -> bool | None:
    """What the first word means: True for yes, False for no, None for anything else."""
    first = re.match(r"[a-z]+", plain(text).lower())
    return _VALUES.get(first[0]) if first else None
