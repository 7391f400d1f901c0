"""Words with two spellings, plain nouns whose plural is only more of them, and words that exclude each other."""

from __future__ import annotations

import re

from filters.graders.phrases import lines, pairs


def _plurals() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines("plain_nouns"):
        plural, _, noun = line.rpartition(" = ")
        found[plural or noun + ("es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s")] = noun
    return found


SPELLING = pairs("spellings")
SHORT = pairs("short_forms")
PLURALS = _plurals()
"""Plural -> singular of nouns whose plural means several of the same. A list of what is safe, because a list of what is
not (glasses, goods, customs, arms, spirits, ...) is never complete; the rest is `unknown`."""
OPPOSITES = tuple(frozenset(line.split()) for line in lines("opposites"))
_OUR = re.compile(r"(?<=[a-z]{3})our(?=s?$|ed$|ing$|ful$|ite$)")
_NOT_OUR = re.compile(r"(?:^|[^l])(?:hour|four|pour|tour|sour|devour|detour|contour)")
_ISE = re.compile(r"(?<=[aoierg][lrnc]i)s(?=(?:e|ed|es|ing|ation)$)")


def one_spelling(word: str) -> str:
    """The word as it is compared: American where British and American English differ."""
    if word in SPELLING:
        return SPELLING[word]
    if len(word) > 5:
        word = word if _NOT_OUR.search(word) else _OUR.sub("or", word)
        word = _ISE.sub("z", word)
    return word


def opposite(one: str, other: str) -> bool:
    """Whether two different words cannot both be true."""
    return one != other and any(one in group and other in group for group in OPPOSITES)
