"""A few words: correct if equal in normal form, wrong if clearly different; a judge decides the rest."""

from __future__ import annotations

import re

from filters.graders.grade import Grade, Verdict, graded, plain, words
from videozoomer.protocol.question import Question

NAME = "text"
GREY = 80.0
"""Likeness (rapidfuzz, 0 to 100, ignoring word order) from which different words may mean the same."""


def compare(question: Question, answer: str) -> Grade:
    expected = question.answer
    return graded(verdict(expected, answer), NAME, f"{answer!r}, expected {expected!r}")


def verdict(expected: str, given: str) -> Verdict:
    """`correct` if the words are the same up to case, punctuation, articles and singular or plural.

    `unknown` if one text contains all words of the other or both are spelt alike; likeness alone never makes an answer
    correct. Different digits mean different facts, however similar the words around them.
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
