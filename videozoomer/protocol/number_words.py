"""Numbers written out in English, from `no` to `two billion`."""

from __future__ import annotations

import re

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
SMALL = (
    {word: value for value, word in enumerate(_UNITS)}
    | {word: 20 + 10 * index for index, word in enumerate(_TENS)}
    | {"no": 0, "none": 0, "never": 0, "once": 1, "twice": 2, "thrice": 3, "dozen": 12}
)


def states_number(text: str) -> bool:
    """Whether a text has a figure or a number word, so that it can be read as a number."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return any(character.isdigit() for character in text) or any(word in SMALL or word in SCALES for word in words)
