"""The result of a grader, and the normal form of text that all graders share."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

VERSION = "2"
"""Raised when any grader changes its verdict on some answer; recorded in every grade."""

Verdict = Literal["correct", "wrong", "unknown"]

_ARTICLES = {"a", "an", "the"}
_LEAD = re.compile(
    r"^(?:so|therefore|thus|hence)?[\s,]*(?:(?:my|the)\s+)?(?:final\s+|correct\s+|right\s+|best\s+)?(?:answer|option|choice)"
    r"(?:\s+(?:is|would\s+be|should\s+be|must\s+be))?\s*:?\s+",
    re.I,
)
_WORD = re.compile(r"[^\W_]+(?:[.'][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Grade:
    verdict: Verdict
    grader: str
    """Name and version of the grader."""
    detail: str
    """What was compared, in one sentence."""


def graded(verdict: Verdict, name: str, detail: str) -> Grade:
    return Grade(verdict, f"{name}-{VERSION}", detail)


def plain(text: str) -> str:
    """One line without markup, surrounding quotes or a lead such as 'The answer is'; case is kept."""
    text = unicodedata.normalize("NFKC", text).replace("−", "-").replace("–", "-").replace("—", "-")
    text = re.sub(r"\\text\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"[*`_$\"“”]+|\s+", " ", text).strip()
    return _LEAD.sub("", text, count=1).strip()


def words(text: str) -> tuple[str, ...]:
    """Singular words in lower case, without articles and punctuation: the form in which texts are compared."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    found = [singular(word) for word in _WORD.findall(text)]
    return tuple(word for word in found if word not in _ARTICLES) or tuple(found)


def singular(word: str) -> str:
    """A rough singular of an English noun. It need not be a word, only the same for the singular and the plural."""
    word = word.removesuffix("'s")
    if len(word) > 3 and not word.endswith(("ss", "us", "is")):
        if word.endswith(("ches", "shes", "sses", "xes", "zes")):
            return word[:-2]
        word = word.removesuffix("s")
    return word[:-2] + "y" if word.endswith("ie") else word
