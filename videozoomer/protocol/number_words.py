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


def spelt(words: list[str]) -> int | None:
    """The value of words that spell one number ('two', 'hundred', 'and', 'five'); None if they do not."""
    if not words or words[0] == "and" or words[-1] == "and":
        return None
    total, group = 0, 0
    for word in words:
        if word == "and":
            continue
        if word in SMALL:
            if group % 100 and not (group % 10 == 0 and group % 100 >= 20 and 0 < SMALL[word] < 10):
                return None
            group += SMALL[word]
        elif word == "hundred":
            group = (group or 1) * 100
        elif word in SCALES:
            total, group = total + (group or 1) * SCALES[word], 0
        else:
            return None
    return total + group


def states_number(text: str) -> bool:
    """Whether a text has a figure or a number word, so that it can be read as a number."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return any(character.isdigit() for character in text) or any(word in SMALL or word in SCALES for word in words)
