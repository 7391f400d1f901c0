"""Yes or no, said first or alone; a denial in other words is left to a judge."""

from __future__ import annotations

import re
from typing import Any

from filters.graders.grade import Grade, graded, plain

NAME = "yes_no"
_SAID = {"yes": True, "yeah": True, "yep": True, "true": True, "no": False, "nope": False, "false": False}
_BOTH = re.compile(r"(yes|no)\s*(?:/|\bor\b|\band\b)\s*(yes|no)\b", re.I)


def compare(question: dict[str, Any], answer: str) -> Grade:
    expected, given = _said(question["answer"]), _said(answer)
    if expected is None:
        return graded("unknown", NAME, f"the question's own answer {question['answer']!r} is neither yes nor no")
    if _BOTH.match(plain(answer)):
        return graded("wrong", NAME, f"{answer!r} says both")
    if given is None:
        return graded("unknown", NAME, f"{answer!r} begins with neither yes nor no")
    return graded("correct" if given == expected else "wrong", NAME, f"{answer!r}, expected {question['answer']!r}")


def _said(text: str) -> bool | None:
    first = re.match(r"[a-z]+", plain(text).lower())
    return _SAID.get(first[0]) if first else None
