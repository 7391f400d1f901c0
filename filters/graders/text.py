"""A few words: equal in normal form, or wrong; what lies between is left to a judge."""

from __future__ import annotations

import re
from typing import Any

from filters.graders.grade import Grade, Verdict, graded, plain, words

NAME = "text"
GREY = 80.0
"""Likeness (rapidfuzz, 0 to 100, order of words ignored) from which other words may mean the same."""


def compare(question: dict[str, Any], answer: str) -> Grade:
    expected = question["answer"]
    return graded(verdict(expected, answer), NAME, f"{answer!r}, expected {expected!r}")


def verdict(expected: str, given: str) -> Verdict:
    """`correct` where the words are the same up to case, punctuation, articles and number.

    `unknown` where one holds all words of the other, or where they are spelt much alike; a likeness never makes
    an answer right. Different figures are different facts, however alike the words around them.
    """
    from rapidfuzz import fuzz

    left, right = words(plain(expected)), words(plain(given))
    if left == right or words(expected) == words(given):
        return "correct"
    if not left or not right:
        return "wrong"
    if set(left) <= set(right) or set(right) <= set(left):
        return "unknown"
    if re.findall(r"\d+", " ".join(left)) != re.findall(r"\d+", " ".join(right)):
        return "wrong"
    return "unknown" if fuzz.token_sort_ratio(" ".join(left), " ".join(right)) >= GREY else "wrong"
