"""A time in the video: seconds, mm:ss or hh:mm:ss, or with units, in figures or words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from filters.graders.dress import undress
from filters.graders.grade import Grade, graded
from filters.graders.number import MOST_FIGURES
from filters.graders.number_words import as_digits
from filters.graders.phrases import ABSTAINS, CORRECTED, NEGATED, pattern
from filters.graders.statement import conclude, gives_none
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.question import Question

NAME = "time"
TOLERANCE_S = 1.0
"""Maximum error of a correct answer in seconds; a viewer who reads whole seconds can do no better."""

_FIGURE = r"\d+(?:\.\d+)?"
_HOUR = r"(?:hours?|hrs?|h|stunden?|heures?|horas?|or[ae]|uur|час(?:а|ов)?|timm(?:e|ar)|小时|小時|時間|시간)"
_MINUTE = r"(?:minut(?:es?|en?|os?|as?|i|er|y|uten)?|minuut|mins?|m|минут[аы]?|dakika|phút|分钟|分鐘|分間|分|분|')"
_SECOND = (
    r"(?:seconds?|secs?|sekund(?:en?|er|as?|y|e)?|secondes?|segundos?|second[oi]|seconden|s|секунд[аы]?|saniye|giây|detik"
    r"|秒钟|秒鐘|秒間|秒|초|\"|''|′′)"
)
_MILLI = r"(?:milliseconds?|msecs?|ms|毫秒)"
_END = r"(?![^\W\d_]|/)"
# CJK units may be followed by a letter of the language, and units in letters by a figure ('1h2m').
_UNITED_ANY = rf"{_FIGURE}\s*-?(?:(?:{_MILLI}|{_HOUR}|{_MINUTE}|{_SECOND})(?:{_END}|(?=[^\x00-\x7f])))"
_TIME = re.compile(
    r"(?P<clock>(?<![\d:.])\d+:\d{2}(?::\d{2})?(?:[.,]\d+)?(?![\d:]))"
    rf"|(?P<united>{_UNITED_ANY}(?:[\s,]*(?:and\s+|und\s+|et\s+|y\s+|e\s+|en\s+|и\s+)?{_UNITED_ANY})*)"
    rf"|(?P<bare>(?<![\w.:])-?{_FIGURE}(?![\w:]|\.\d))",
    re.I,
)
_UNIT = re.compile(rf"({_FIGURE})\s*-?(?:(?P<ms>{_MILLI})|(?P<h>{_HOUR})|(?P<s>{_SECOND})|(?P<m>{_MINUTE}))", re.I)
_ANY_FIGURE = re.compile(r"\d+(?:[.:]\d+)*")
_NOT_A_TIME_AFTER = pattern("not_a_time_after", r"\s*{}")
_NOT_A_TIME_BEFORE = pattern("not_a_time_before", r"(?:\b{}\s*[#:]?\s*|[$€£#])\Z")
_BOUND_BEFORE = pattern("time_bound_before", r"(?:\b{}\s*(?:about |around |the |les |los )?\s*|[<>≥≤≧≦]\s*)\Z")
_BOUND_AFTER = pattern("time_bound_after", r"\s*{}(?!\s+(?:the )?(?:start|beginning|video|film|clip|begin))")
_DOUBTED = pattern("doubted", r"(?:{}|\bif\b)")
_START = pattern("time_start")


def compare(question: Question, answer: str) -> Grade:
    """`correct` within `TOLERANCE_S` of the true time, or inside an evidence window that contains the true time.

    A span is correct only if both its ends are. Windows that do not contain the true time do not count: they may show
    something the question only compares with. `unknown` where the answer bounds the time ('after 62 s'), denies it,
    corrects it, or has a figure that is no time ('frame 62').
    """
    expected = committed(question.answer)
    if isinstance(expected, str) or len(expected) != 1:
        return graded("unknown", NAME, f"the question's own answer {question.answer!r} is not one time")
    right, given = expected[0], committed(answer)
    if isinstance(given, str):
        none = given == "gives no answer"
        return graded("wrong" if none else "unknown", NAME, f"{answer[:200]!r} {given}; expected {right:g} s")
    fits = [_near(time_s, right, question.evidence) for time_s in given]
    detail = f"{', '.join(f'{time_s:g}' for time_s in given)} s, expected {right:g} s"
    if all(fits):
        return graded("correct", NAME, detail)
    spans = len(given) > 1 and min(given) - TOLERANCE_S <= right <= max(given) + TOLERANCE_S
    return graded("unknown" if spans else "wrong", NAME, detail)


def committed(answer: str) -> list[float] | str:
    """Every time that an answer commits to, in seconds, or why there is none; a bare number counts as seconds."""
    text = undress(answer)
    if not text.strip(" .?!-"):
        return "gives no answer"
    if len(re.findall(r"\d+", text)) > MOST_FIGURES:
        return "states many times"
    said = conclude(text)
    body = said.said.strip().strip("[]()").rstrip(".!。 ")
    if said.doubt:
        return said.doubt
    if _START.fullmatch(body.strip()) and not said.rest:
        return [0.0]
    figures = _with_figures(body)
    found = list(_TIME.finditer(figures))
    if not found:
        return "gives no answer" if gives_none(text) and not re.search(r"\d", text) else "states no time"
    if len(_ANY_FIGURE.findall(_TIME.sub(" ", figures))):
        return "has a figure that is no time"
    if (
        _DOUBTED.search(said.whole)
        or NEGATED.search(said.whole)
        or CORRECTED.search(said.whole)
        or ABSTAINS.search(said.whole)
    ):
        return "denies, corrects or doubts its time"
    united = any(one["clock"] or one["united"] for one in found)
    for one in found:
        before, after = figures[: one.start()], figures[one.end() :]
        if one["bare"] and (
            _NOT_A_TIME_AFTER.match(after)
            or re.match(
                r"\s*(?!s\b|sec|to\b|and\b|or\b|mark|into|in\b|until|through|bis|a\b|at\b|when|as\b|where|because|since|for\b|of\b|on\b|is\b|-)[^\W\d_]{2,}",
                after,
            )
        ):
            return "has a figure that is no time"
        if _NOT_A_TIME_BEFORE.search(before) or (_NOT_A_TIME_AFTER.match(after) and not one["united"]):
            return "has a figure that is no time"
        if re.match(r"\s*(?:[ap]\.?m\b)", after, re.I):
            return "has a time of day"
        inside = (
            len(found) == 2
            and one is found[0]
            and re.search(r"(?:from|between|von|de|entre|du|da|с)\s*\Z", before, re.I)
        )
        if (
            _BOUND_BEFORE.search(before)
            and not inside
            and not (
                one is found[-1]
                and len(found) == 2
                and re.search(r"\b(?:to|until|till|bis|à|and|hasta|a)\s*\Z", before, re.I)
            )
        ):
            return "bounds its time"
        if _BOUND_AFTER.match(after):
            return "bounds its time"
    if re.search(r"\b(?:or|oder|ou|или)\b|或|또는|または", figures) and len(found) > 1:
        return [_value(one) for one in found]
    if said.rest and _TIME.search(_with_figures(said.rest)):
        others = [_value(one) for one in _TIME.finditer(_with_figures(said.rest)) if not one["bare"]]
        first = [_value(one) for one in found]
        if any(not any(abs(other - time_s) <= TOLERANCE_S for time_s in first) for other in others):
            return "goes on with other times"
    if united:
        found = [one for one in found if one["clock"] or one["united"] or len(found) == 2] or found
    return _spanned(figures, found)


def seconds(text: str) -> list[float]:
    """Every time in a text, in seconds, whatever is said of it; a bare number counts as seconds."""
    return [_value(found) for found in _TIME.finditer(_with_figures(undress(text)))]


def _spanned(text: str, found: Sequence[re.Match[str]]) -> list[float]:
    """The times; in '61-63 s' and '1 to 2 minutes' a bare first figure has the unit of the last."""
    values = [_value(one) for one in found]
    if (
        len(found) == 2
        and found[0]["bare"]
        and found[1]["united"]
        and re.fullmatch(r"\s*(?:-|~|to|and|until|bis|à|a|до)\s*", text[found[0].end() : found[1].start()])
    ):
        unit = _UNIT.search(found[1]["united"])
        if unit is not None:
            values[0] *= _factor(unit)
    return values


def _with_figures(text: str) -> str:
    """Words as figures, thousands without their comma, and no dash that could be a minus before the end of a span."""
    text = re.sub(r"\bhalf a (minute|hour)\b", r"0.5 \1", text, flags=re.I)
    text = re.sub(r"\b(?:a|an|one) (minute|hour|second)s? and a half\b", r"1.5 \1", text, flags=re.I)
    text = re.sub(r"\b(?:a|an) (?=(?:minute|hour|second)\b)", "1 ", text, flags=re.I)
    text = as_digits(text)
    text = re.sub(r"(\d) (minutes?|hours?) and a half\b", r"\1.5 \2", text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text) if not re.search(r":\d\d,\d", text) else text
    text = re.sub(r"(?<=\d),(?=\d{1,2}\s*(?:s|m|h)\b)", ".", text)
    text = re.sub(r"(\d+)(?:st|nd|rd|th)(?=\s+(?:second|minute)\b)", r"\1", text)
    text = re.sub(r"(?<!\d )(?<!\d)\b(second|sekunde|segundo|seconde)\s+(\d+)\b(?!\s*:)", r"\2 \1", text, flags=re.I)
    text = re.sub(
        r"(?<!\d )(?<!\d)\b(minute)\s+(\d+)(?:\s*,?\s*(?:and\s+)?(second)\s+(\d+))?\b(?!\s*:)",
        r"\2 minute \4 \3",
        text,
        flags=re.I,
    )
    return re.sub(r"(?<=[\d\"'a-z])\s*(?:-|~|to)\s*(?=\d)", " - ", text)


def _factor(unit: re.Match[str]) -> float:
    return 0.001 if unit["ms"] else 3600.0 if unit["h"] else 1.0 if unit["s"] else 60.0


def _value(found: re.Match[str]) -> float:
    if found["clock"]:
        value = 0.0
        for part in found["clock"].replace(",", ".").split(":"):
            value = value * 60 + float(part)
        return value
    if found["united"]:
        return sum(float(unit[1]) * _factor(unit) for unit in _UNIT.finditer(found["united"]))
    return float(found["bare"])


def _near(time_s: float, right_s: float, evidence: Sequence[Window]) -> bool:
    if abs(time_s - right_s) <= TOLERANCE_S + 1e-9:
        return True
    windows = [w for w in evidence if w.start_s - TOLERANCE_S <= right_s <= w.end_s + TOLERANCE_S]
    return any(window.covers(time_s) for window in windows)
