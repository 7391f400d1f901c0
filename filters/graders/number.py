"""A number: figures, number words, fractions and formulas, compared exactly."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from filters.graders.grade import Grade, graded, plain, singular
from videozoomer.protocol.number_words import SCALES, SMALL, spelt
from videozoomer.protocol.question import Question

NAME = "number"

_FIGURE = re.compile(
    r"(?<![\w.])(?P<sign>-\s?)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:[eE](?P<power>[+-]?\d{1,2}))?"
    r"(?:\s*/\s*(?P<below>\d+))?"
)
_TOKEN = re.compile(rf"(?P<figure>{_FIGURE.pattern})|(?P<word>[^\W\d_]+)|(?P<percent>%)|(?P<other>[^\s\-])")
_FORMULA = re.compile(r"[\d\s.,+\-*/^(){}\\a-z]{1,60}")
_HEDGE = re.compile(r"\b(?:or|to|between)\b|\d\s*-\s*\d", re.I)
_NEGATIVE = {"minus", "negative"}
_NO_UNIT = {
    "and",
    "or",
    "to",
    "in",
    "of",
    "at",
    "on",
    "is",
    "are",
    "per",
    "times",
    "time",
    "with",
    "for",
    "then",
    "but",
}


@dataclass(frozen=True, slots=True)
class Quantity:
    value: Fraction
    unit: str | None
    """The word after the number, in the singular; None without one."""


def compare(question: Question, answer: str) -> Grade:
    """`correct` if the answer states exactly the expected number.

    With several numbers it is `wrong` if the expected one is not among them or if it hedges ('3 or 4'), otherwise
    `unknown`, because the others may be an aside ('3, at 12 s and 15 s'). The right number with another unit is
    `unknown` too.
    """
    expected, given = quantities(question.answer), quantities(answer)
    if len({quantity.value for quantity in expected}) != 1:
        return graded("unknown", NAME, f"the question's own answer {question.answer!r} is not one number")
    right = expected[0]
    detail = f"{answer!r}, expected {question.answer!r}"
    same = [quantity for quantity in given if quantity.value == right.value]
    if not same:
        return graded("wrong", NAME, detail)
    if len({quantity.value for quantity in given}) > 1:
        hedged = _HEDGE.search(plain(answer)) is not None
        return graded("wrong" if hedged else "unknown", NAME, f"{detail}: it states several numbers")
    if right.unit and all(quantity.unit and quantity.unit != right.unit for quantity in same):
        return graded("unknown", NAME, f"{detail}: the units differ")
    return graded("correct", NAME, detail)


def quantities(text: str) -> list[Quantity]:
    """Every number in a text with the unit after it."""
    if "\\" in text or "^" in text:
        formula = _formula(text)
        if formula is not None:
            return [Quantity(formula, None)]
    tokens = list(_TOKEN.finditer(plain(text)))
    found: list[Quantity] = []
    index = 0
    while index < len(tokens):
        value, used = _number_at(tokens, index)
        if value is None:
            index += 1
            continue
        index += used
        found.append(Quantity(value, _unit(tokens[index]) if index < len(tokens) else None))
    return found


def _number_at(tokens: list[re.Match[str]], index: int) -> tuple[Fraction | None, int]:
    """The number that starts at a token (None without one) and how many tokens it takes."""
    first = tokens[index]
    if first["word"] and first["word"].lower() in _NEGATIVE and index + 1 < len(tokens):
        positive, used = _number_at(tokens, index + 1)
        return (None if positive is None else -positive), used + 1
    if first["figure"]:
        value, used = _figure(first["figure"]), 1
        while index + used < len(tokens) and (tokens[index + used]["word"] or "").lower() in SCALES:
            value *= SCALES[tokens[index + used]["word"].lower()]
            used += 1
        return value, used
    spelling: list[str] = []
    best: tuple[Fraction | None, int] = (None, 0)
    for token in tokens[index:]:
        word = (token["word"] or "").lower()
        if word not in SMALL and word not in SCALES and word != "and":
            break
        spelling.append(word)
        if (whole := spelt(spelling)) is not None:
            best = (Fraction(whole), len(spelling))
    return best


def _figure(text: str) -> Fraction:
    found = _FIGURE.fullmatch(text)
    assert found is not None, text
    value = Fraction(found["digits"].replace(",", "")) * Fraction(10) ** int(found["power"] or 0)
    if found["below"] and int(found["below"]):
        value /= int(found["below"])
    return -value if found["sign"] else value


def _unit(token: re.Match[str]) -> str | None:
    if token["percent"]:
        return "percent"
    word = (token["word"] or "").lower()
    return singular(word) if word and word not in _NO_UNIT else None


def _formula(text: str) -> Fraction | None:
    """The value of a formula such as \\frac{1}{2} or 2^10, by math-verify; None if it is none or has no value.

    math-verify's own time limit works only in the main thread, so the form limits the cost instead: one line of at
    most 60 characters with one power of at most two digits.
    """
    from math_verify import LatexExtractionConfig, parse

    body = text.strip().strip("$").strip()
    if (
        not _FORMULA.fullmatch(body)
        or body.count("^") > 1
        or not re.fullmatch(r"[^^]*(\^\{?-?\d{1,2}\}?(?!\d)[^^]*)?", body)
    ):
        return None
    logging.getLogger("math_verify.parser").setLevel(logging.ERROR)
    parsed = parse(f"${body}$", extraction_config=[LatexExtractionConfig()], parsing_timeout=None)
    value: Any = parsed[0] if parsed else None
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))
    value = value.doit() if hasattr(value, "doit") else None
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))
    return Fraction(str(value)) if getattr(value, "is_Float", False) else None
