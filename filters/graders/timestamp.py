"""A time in the video: seconds, mm:ss or hh:mm:ss, or with units."""

from __future__ import annotations

import re
from collections.abc import Sequence

from filters.graders.grade import Grade, graded, plain
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.question import Question

NAME = "time"
TOLERANCE_S = 1.0
"""Maximum error of a correct answer in seconds; a viewer who reads whole seconds can do no better."""

_FIGURE = r"\d+(?:\.\d+)?"
_TIME = re.compile(
    rf"(?P<clock>(?:\d+:)?\d+:\d{{1,2}}(?:\.\d+)?)"
    rf"|(?P<united>(?:{_FIGURE}\s*(?:hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])[\s,]*(?:and\s+)?)+)"
    rf"|(?P<bare>{_FIGURE})",
    re.I,
)
_UNIT = re.compile(rf"({_FIGURE})\s*(hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])", re.I)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def compare(question: Question, answer: str) -> Grade:
    """`correct` within `TOLERANCE_S` of the true time, or inside an evidence window that contains the true time.

    Windows that do not contain the true time do not count: they may show something the question only compares with.
    """
    expected, given = seconds(question.answer), seconds(answer)
    if len(expected) != 1:
        return graded("unknown", NAME, f"the question's own answer {question.answer!r} is not one time")
    right = expected[0]
    if not given:
        return graded(
            "unknown" if _words_only(answer) else "wrong", NAME, f"{answer!r} states no time; expected {right:g} s"
        )
    fits = [_near(time_s, right, question.evidence) for time_s in given]
    detail = f"{', '.join(f'{time_s:g}' for time_s in given)} s, expected {right:g} s"
    if all(fits):
        return graded("correct", NAME, detail)
    spans = len(given) > 1 and min(given) - TOLERANCE_S <= right <= max(given) + TOLERANCE_S
    return graded("unknown" if spans else "wrong", NAME, detail)


def seconds(text: str) -> list[float]:
    """Every time in a text, in seconds; a bare number counts as seconds."""
    return [_value(found) for found in _TIME.finditer(re.sub(r"(?<=\d),(?=\d{3}\b)", "", plain(text)))]


def _value(found: re.Match[str]) -> float:
    if found["clock"]:
        value = 0.0
        for part in found["clock"].split(":"):
            value = value * 60 + float(part)
        return value
    if found["united"]:
        return sum(float(figure) * _SECONDS[unit[0].lower()] for figure, unit in _UNIT.findall(found["united"]))
    return float(found["bare"])


def _near(time_s: float, right_s: float, evidence: Sequence[Window]) -> bool:
    if abs(time_s - right_s) <= TOLERANCE_S + 1e-9:
        return True
    windows = [w for w in evidence if w.start_s - TOLERANCE_S <= right_s <= w.end_s + TOLERANCE_S]
    return any(window.covers(time_s) for window in windows)


def _words_only(answer: str) -> bool:
    """Whether the answer may spell its time in words, which this grader does not read."""
    return re.search(r"second|minute|hour", answer, re.I) is not None
