"""A number: figures, number words, fractions and formulas, compared exactly, with units and signs."""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from typing import Any

from filters.graders.dress import spaced, undress
from filters.graders.grade import Grade, Verdict, graded
from filters.graders.number_words import chinese, foreign, roman
from filters.graders.phrases import ABSTAINS, CORRECTED, HEDGED, NEGATED, pattern
from filters.graders.quantity import Quantity, quantities
from filters.graders.statement import conclude, gives_none
from filters.graders.units import in_kelvin, measure
from videozoomer.protocol.question import Question

NAME = "number"
MOST_FIGURES = 60
"""A text with more figures than this commits to none of them, and would take long to read."""

_FORMULA = re.compile(r"[\d\s.,+\-*/^(){}\\a-z×]{1,60}")
_ZERO = pattern("zero", r"(?:there (?:are|is|were|was) |i (?:see|saw|count) )?{}")
_RANGE = pattern(
    "joins_range",
    r"(?:it is |it's |there are )?(?:between |either |from |maybe |perhaps )?"
    r"(?P<a>[\w.,]+)\s*{}\s*(?P<b>[\w.,]+)(?: [a-z]+)?[.!]?",
)
_BOUND_BEFORE = pattern("bound", r"{}(?:\s+(?:of|number of|is|the|a|an|total of))*[\s(:]*\Z")
_BOUND_AFTER = pattern(
    "bound",
    r"\s*(?:{}|\+|[^\W\d_]?(?:以上|以下|左右|多|未満|程度)|or (?:more|so|less|fewer)|-?ish\b|and (?:more|up)\b"
    r"|plus\b(?! \d))",
)
_BOUND_WORD = re.compile(r"(?=以上|以下|左右|未満|程度|이상|이하|미만)")
_NAMED = pattern("named", r"(?:\b{}\s*[.#:]?\s*|#|[A-Za-z]\s?-)\Z")
_IDIOM = pattern("idioms_of_one", r"\A\s*{}")
_TOTAL = pattern("total", r"{}\s*[:,]?\s*(?:of |is |that's |it's )?\Z")
_IN_TOTAL = re.compile(r"\s*(?:in total|altogether|in all|total|all told|overall)\b", re.I)
_ASIDE = re.compile(
    r"(?:\b(?:at|around|from|between|frames?|times?|timestamps?|about|to|and|near|,)\s*(?:\d+(?::\d+)*\s*,?\s*)*"
    r"|[(\[,;]\s*)\Z",
    re.I,
)
_SENTENCE_OPENS = pattern("opens_number", r"\A{}?[\s:=]*\Z")
_REASON = re.compile(
    r",?\s+(?:because|since|given that|due to|weil|denn|car|parce que|porque|perché|omdat|потому что)\b|因为|なぜなら",
    re.I,
)


def compare(question: Question, answer: str) -> Grade:
    """`correct` if the answer commits to exactly the expected number, in the same unit or one that converts to it.

    `wrong` if it commits to another one, gives a range, or says that it gives none. A bound ('at least 3'), a denial, a
    correction, several numbers of which none is the total, or a figure that names something ('video 3') is `unknown`.
    """
    expected = committed(question.answer)
    if not isinstance(expected, Quantity):
        return graded("unknown", NAME, f"the question's own answer {question.answer!r} is not one number")
    given = committed(answer)
    detail = f"{answer[:200]!r}, expected {question.answer!r}"
    if isinstance(given, Quantity):
        verdict, why = _same(expected, given)
        return graded(verdict, NAME, f"{detail}{why}")
    none = given in ("gives no answer", "gives a range")
    return graded("wrong" if none else "unknown", NAME, f"{detail}: it {given}")


def committed(answer: str) -> Quantity | str:
    """The one number that a text commits to, or why there is none."""
    text = undress(answer)
    if not text.strip(" .?!-"):
        return "gives no answer"
    if len(re.findall(r"\d+|\b\w\b", text)) > MOST_FIGURES:
        return "states several numbers"
    if (formula := _formula(text)) is not None:
        return Quantity(formula, None, 0, len(text))
    said = conclude(text)
    body, reason = _because(said.said.strip().rstrip(".!。 "))
    if body != (alone := re.sub(r"^[=:]\s*|\s*[=:]$", "", body)):
        body = alone
    if _ZERO.fullmatch(body) and not said.rest:
        return Quantity(Fraction(0), None, 0, len(body))
    if (numeral := roman(body)) is not None:
        return Quantity(Fraction(numeral), None, 0, len(body))
    if (word := body.lower()) in foreign():
        return Quantity(Fraction(foreign()[word]), None, 0, len(body))
    if (han := chinese(body)) is not None:
        return Quantity(Fraction(han), None, 0, len(body))
    body = _BOUND_WORD.sub(" ", spaced(body))
    found = quantities(body)
    if (
        (ranged := _RANGE.fullmatch(body))
        and len(quantities(ranged["a"])) == 1
        and len(quantities(ranged["b"])) == 1
        and len(found) == 2
    ):
        return (
            "gives a range"
            if not re.fullmatch(r".* and .*", body) or re.match("between", body, re.I)
            else "states several numbers"
        )
    if said.doubt:
        return said.doubt
    if not found:
        return "gives no answer" if gives_none(text) and not quantities(text) else "states no number"
    if ABSTAINS.search(text) or HEDGED.search(body) or CORRECTED.search(said.whole):
        return "doubts or corrects its number"
    if NEGATED.search(body if said.marked else said.whole):
        return "denies something"
    return _of(body, found, f"{reason} {said.rest}".strip())


def _because(body: str) -> tuple[str, str]:
    """A statement and the reason that follows it."""
    found = _REASON.search(body)
    return (body, "") if found is None or not found.start() else (body[: found.start()], body[found.end() :])


def _of(body: str, found: list[Quantity], rest: str) -> Quantity | str:
    """The number that a statement is about: the only one, the total, or the first with asides after it."""
    if "分之" in body:
        return "states a part"
    if any(one.kind == "label" for one in found):
        return "has a figure that is no number"
    totals = [one for one in found if _TOTAL.search(body[: one.start])]
    first, others = found[0], found[1:]
    total = (totals and totals[-1] is found[-1]) or _IN_TOTAL.match(body[found[-1].end :])
    if total and len(found) > 1:
        chosen = found[-1]
    elif re.search(r"\d\s+\d", body) and not re.search(r"\d\s+\d+/\d", body) and len(found) > 1:
        return "states several numbers"
    elif first.kind == "article" and any(one.kind == "article" for one in others):
        return "may use 'one' as a pronoun"
    elif (
        not others
        or all(_same(first, one)[0] == "correct" for one in others)
        or all(_aside(body, one) for one in others)
        or _adds_up(body, first, others)
    ):
        chosen = first
    elif sum(not _aside(body, one) for one in found) == 1 and not _aside(body, found[-1]) and found[-1].kind != "clock":
        chosen = found[-1]
    else:
        return "states several numbers"
    if chosen.kind == "clock":
        return "states a time"
    before, after = body[: chosen.start].rstrip(), body[chosen.end :]
    if _BOUND_BEFORE.search(before) or _BOUND_AFTER.match(after):
        return "gives a bound or an estimate"
    if _NAMED.search(before) or _NAMED.search(f"{before} ") or re.search(r"[A-Za-z]\Z", body[: chosen.start]):
        return "has a figure that may be a name"
    if re.match(r"\s*[+*×/^]|\s*x\s*\d|\s+times\s+\w", body[chosen.end :]) and chosen is not found[-1]:
        return "is a calculation"
    opens = _SENTENCE_OPENS.fullmatch(before)
    if chosen.kind == "article":
        noun = chosen.unit is None or not _IDIOM.match(chosen.unit)
        if not opens or not noun or _IDIOM.match(after) or re.match(r"\s*of\b", after):
            return "may use 'one' as a pronoun or an article"
        if (
            chosen.unit is not None
            and body[chosen.start : chosen.start + 3].lower() != "one"
            and not re.fullmatch(r"\s*", after)
        ):
            return "may use an article"
    if chosen.kind == "ordinal" and (
        not opens or len(after.split()) > 1 or re.match(r"\s*of\b", after) or after.strip().startswith("-")
    ):
        return "has an ordinal that counts nothing"
    if _IDIOM.match(after) and chosen.kind == "article":
        return "is an idiom"
    if rest and not _agrees(rest, chosen):
        return "goes on with other numbers"
    return chosen


def _aside(body: str, one: Quantity) -> bool:
    """Whether a number only says where in the video: a clock time, seconds, or a frame's number."""
    if one.kind == "clock" or one.dimension in ("time", "frames"):
        return True
    return (
        _ASIDE.search(body[: one.start]) is not None
        and re.search(r"\b(?:at|frames?|timestamps?)\b", body[: one.start]) is not None
    )


def _adds_up(body: str, first: Quantity, others: list[Quantity]) -> bool:
    """'5: 3 men and 2 women'."""
    between = body[first.end : others[0].start]
    return re.search(r"[:(,\-=]", between) is not None and sum(one.value for one in others) == first.value


def _agrees(rest: str, chosen: Quantity) -> bool:
    """Whether an explanation states no other number than the one chosen, asides, its parts and counts of other things
    left out."""
    others = [one for one in quantities(rest) if not _aside(rest, one) and one.kind not in ("article", "ordinal")]
    different = [
        one
        for one in others
        if one.value != chosen.value and not (chosen.unit and one.unit and one.unit != chosen.unit)
    ]
    return not different or sum(one.value for one in others) == chosen.value


def _same(expected: Quantity, given: Quantity) -> tuple[Verdict, str]:
    """Compare two numbers with their units; a unit that only one of them has is taken as understood."""
    left, right = measure(expected.unit), measure(given.unit)
    if left and right:
        kelvin = in_kelvin(expected.value, left[0]), in_kelvin(given.value, right[0])
        if kelvin[0] is not None and kelvin[1] is not None:
            return (
                ("correct", "") if abs(kelvin[0] - kelvin[1]) < Fraction(1, 10) else ("wrong", ": another temperature")
            )
        if left[0] == right[0]:
            same = _close(expected.value * left[1], given.value * right[1], exact=left[1] == right[1])
            return ("correct", "") if same else ("wrong", "")
        return (
            ("unknown", ": the units differ")
            if expected.value == given.value
            else ("wrong", ": another number and unit")
        )
    if right and right[0] == "ratio":
        return (
            ("correct", "")
            if expected.value == given.value * right[1] and abs(expected.value) < 1
            else ("unknown", ": a percentage")
        )
    if left and left[0] == "ratio":
        same = given.value in (expected.value, expected.value * left[1])
        return ("correct" if same and given.unit is None else "unknown" if same else "wrong"), ""
    if expected.value != given.value:
        return "wrong", ""
    if left and given.unit is not None and given.unit != expected.unit:
        return "unknown", ": the units differ"
    if right and expected.unit is not None:
        return "unknown", ": the units differ"
    if expected.unit and given.unit and expected.unit != given.unit and not left and not right:
        return "unknown", ": it counts something else"
    return "correct", ""


def _close(left: Fraction, right: Fraction, *, exact: bool) -> bool:
    """Equal, or within a thousandth where units were converted."""
    return left == right if exact else abs(left - right) <= max(abs(left), abs(right)) / 1000


def _formula(text: str) -> Fraction | None:
    """The value of a formula such as \\frac{1}{2} or 2^10, by math-verify; None if it is none or has no value.

    math-verify's own time limit works only in the main thread, so the form limits the cost instead: one line of at
    most 60 characters with one power of at most two digits.
    """
    body = text.strip().strip("$").strip().rstrip(".")
    if ("\\" not in body and "^" not in body) or not re.search(r"\d", body):
        return None
    if (
        not _FORMULA.fullmatch(body)
        or body.count("^") > 1
        or not re.fullmatch(r"[^^]*(\^\{?-?\d{1,2}\}?(?!\d)[^^]*)?", body)
    ):
        return None
    from math_verify import LatexExtractionConfig, parse

    logging.getLogger("math_verify.parser").setLevel(logging.ERROR)
    parsed = parse(f"${body}$", extraction_config=[LatexExtractionConfig()], parsing_timeout=None)
    value: Any = parsed[0] if parsed else None
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))
    value = value.doit() if hasattr(value, "doit") else None
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))
    return Fraction(str(value)) if getattr(value, "is_Float", False) else None
