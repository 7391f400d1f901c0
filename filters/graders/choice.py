"""Multiple choice: the letter in any usual form, or the option's own text; never a letter inside other words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from filters.graders.grade import Grade, Verdict, graded, plain, words
from videozoomer.protocol.options import index_of, letter_of
from videozoomer.protocol.question import Question

NAME = "choice"
GREY = 85.0
"""Likeness (rapidfuzz, 0 to 100) to the right option from which a judge decides about an answer in other words."""

_LONE = re.compile(r"(?:option|choice|answer)?\s*[(\[]?\s*([A-Za-z])\s*[)\]]?\s*[.:)]?", re.I)
_LED = re.compile(
    r"(?:option\s+|choice\s+)?"
    r"(?:[(\[]\s*([A-Za-z])\s*[)\]]|([A-Za-z])\s*[.:)]|([A-Z])(?=,?\s+(?:because|since)\b))\s*[-:.,]?\s*(\S.*)"
)
_SEVERAL = re.compile(r"[(\[]?[A-Z][)\]]?(?:\s*(?:,|/|&|\+|\bor\b|\band\b)\s*[(\[]?[A-Z][)\]]?)+\.?")


class _Unreadable(Exception):
    """The answer does not name exactly one option; the message says why."""


def compare(question: Question, answer: str) -> Grade:
    options = list(question.options)
    try:
        expected = _option(question.answer, options)
    except _Unreadable:
        return graded("unknown", NAME, f"the question's own answer {question.answer!r} names none of its options")
    try:
        given = _option(answer, options)
    except _Unreadable as error:
        return _in_other_words(str(error), answer, options[expected])
    verdict: Verdict = "correct" if given == expected else "wrong"
    return graded(verdict, NAME, f"option {letter_of(given)}, expected {letter_of(expected)}")


def _option(answer: str, options: Sequence[str]) -> int:
    """Index of the one option that an answer names; if options are letters themselves, the option's letter wins."""
    text = plain(answer)
    if lone := _LONE.fullmatch(text):
        return _index(lone[1], options)
    if text in options and options.count(text) == 1:
        return options.index(text)
    if _SEVERAL.fullmatch(text):
        raise _Unreadable("names several options")
    if led := _LED.fullmatch(text):
        index = _index(led[1] or led[2] or led[3], options)
        others = [option for i, option in enumerate(options) if i != index and words(option) == words(led[4])]
        if others and words(options[index]) != words(led[4]):
            raise _Unreadable("gives one option's letter with another option's text")
        return index
    named = [index for index, option in enumerate(options) if words(option) == words(text)]
    if len(named) == 1:
        return named[0]
    raise _Unreadable("names no option")


def _index(letter: str, options: Sequence[str]) -> int:
    index = index_of(letter.upper(), len(options))
    if index is None:
        raise _Unreadable(f"names option {letter.upper()}, which does not exist")
    return index


def _in_other_words(why: str, answer: str, right: str) -> Grade:
    from rapidfuzz import fuzz

    given, expected = " ".join(words(plain(answer))), " ".join(words(right))
    near = why == "names no option" and max(fuzz.ratio(given, expected), fuzz.token_set_ratio(given, expected)) >= GREY
    return graded("unknown" if near else "wrong", NAME, f"{answer!r} {why}; expected {right!r}")
