"""Items in order: the same items in the same places."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from filters.graders import text
from filters.graders.grade import Grade, graded, plain
from videozoomer.protocol.options import index_of
from videozoomer.protocol.question import Question

NAME = "order"
_STRONG = re.compile(r"\s*(?:->|=>|→|;|,|>|\||\bthen\b)\s*|\n+", re.I)
_AND = re.compile(r"\s*(?:;|,|\band\b)\s*(?:\band\b\s*)?", re.I)
_NUMBERED = re.compile(r"(?:^|\s)\(?\d{1,2}[.):]\s+")


def compare(question: Question, answer: str) -> Grade:
    options = list(question.options)
    expected = _items(question.answer, None, options)
    given = _items(answer, len(expected), options)
    detail = f"{given}, expected {expected}"
    if len(given) != len(expected):
        return graded("wrong", NAME, detail)
    verdicts = [text.verdict(right, item) for right, item in zip(expected, given, strict=True)]
    if all(verdict == "correct" for verdict in verdicts):
        return graded("correct", NAME, detail)
    return graded("wrong" if "wrong" in verdicts else "unknown", NAME, detail)


def _items(answer: str, wanted: int | None, options: Sequence[str]) -> list[str]:
    """The items of a list in any usual form; if there are options, letters mean options.

    'and' separates items only if the list would not have `wanted` items otherwise, because an item may contain the
    word itself ('black and white').
    """
    if (listed := _json_list(answer)) is not None:
        items = listed
    else:
        lines = "\n".join(plain(line) for line in answer.splitlines())
        body = _NUMBERED.sub(" , ", lines).strip().strip("[](){}.")
        items = _cut(_STRONG, body)
        if wanted is not None and len(items) != wanted and len(_cut(_AND, body)) == wanted:
            items = _cut(_AND, body)
    return [_by_letter(item, options) for item in items]


def _cut(separator: re.Pattern[str], body: str) -> list[str]:
    parts = [
        re.sub(r"^(?:and|then|first|finally|lastly)\s+", "", part.strip(" ,.;"), flags=re.I)
        for part in separator.split(body)
    ]
    return [part.strip() for part in parts if part.strip()]


def _json_list(answer: str) -> list[str] | None:
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return [str(item) for item in value] if isinstance(value, list) else None


def _by_letter(item: str, options: Sequence[str]) -> str:
    letter = re.fullmatch(r"\(?([A-Z])\)?\.?", item)
    index = index_of(letter[1], len(options)) if letter else None
    return item if index is None else options[index]
