"""Numbers written out: English of any length, other languages from 0 to 100, Chinese figures, Roman figures."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import cache

from filters.graders.phrases import lines, pairs

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "trillion": 10**12}
SMALL = {word: value for value, word in enumerate(_UNITS)} | {word: 20 + 10 * index for index, word in enumerate(_TENS)}
COUNTED = {"once": 1, "twice": 2, "thrice": 3, "dozen": 12, "couple": 2, "pair": 2, "single": 1}
"""Words for a number that join no others, except `half a dozen` and `two dozen`."""
_PARTS = "half third quarter fifth sixth seventh eighth ninth tenth".split()
PARTS = (
    {word: value for value, word in enumerate(_PARTS, start=2)}
    | {f"{word}s": value for value, word in enumerate(_PARTS, start=2)}
    | {"halves": 2, "fourth": 4, "fourths": 4}
)
ORDINALS = {
    word: value + 1
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
        " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split()
    )
}

_LOOKS_ENGLISH = {"to", "on", "no", "fire", "once", "hat", "sex", "ti", "ni", "die"}
ARTICLES = {
    "un",
    "uno",
    "una",
    "une",
    "ein",
    "eine",
    "einen",
    "um",
    "uma",
    "een",
    "en",
    "ett",
    "bir",
    "egy",
    "một",
    "én",
}
"""One and the indefinite article are the same word: a number only where the answer is that word alone."""
_CHINESE = re.compile(r"[〇零一二两兩三四五六七八九十百千万萬億亿廿壱弐参]+")
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_WORD_RUN = re.compile(r"[^\W\d_]+(?:[- ]+[^\W\d_]+)*")


@cache
def foreign() -> dict[str, int]:
    """Words of other languages, with and without accents; each means one number in every language that has it."""
    found: dict[str, set[int]] = {}
    listed = dict(line.split(": ", 1) for line in lines("number_words"))
    for line in listed.values():
        values = [*range(21), *range(30, 101, 10)]
        named = dict(zip(line.split(), values, strict=False))
        for word, value in named.items():
            for form in {word, _plain(word)}:
                found.setdefault(form, set()).add(value)
    for word, value in pairs("more_number_words").items():
        found.setdefault(word, set()).add(int(value))
    german = listed["de"].split()
    for tens, name in zip(range(20, 100, 10), german[20:28], strict=True):
        for unit, short in enumerate(["ein", *german[2:10]], start=1):
            for form in {f"{short}und{name}", _plain(f"{short}und{name}")}:
                found[form] = {tens + unit}
    known = {*SMALL, *SCALES, *COUNTED, *_LOOKS_ENGLISH, "-"}
    return {word: values.copy().pop() for word, values in found.items() if len(values) == 1 and word not in known}


def _plain(word: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign)).replace(
        "ß", "ss"
    )


def spelt(words: list[str]) -> int | None:
    """The value of words that spell one number ('two', 'hundred', 'and', 'five'); None if they do not."""
    if not words or words[0] == "and" or words[-1] == "and":
        return None
    total, group = 0, 0
    for word in words:
        if word == "and":
            if group % 100 and not total:
                return None
            continue
        if word in SMALL:
            if group % 100 and not (group % 10 == 0 and group % 100 >= 20 and 0 < SMALL[word] < 10):
                return None
            if (group and SMALL[word] == 0) or (total == 0 and group == 0 and word == "zero" and len(words) > 1):
                return None
            group += SMALL[word]
        elif word == "hundred":
            if group >= 100:
                return None
            group = (group or 1) * 100
        elif word in SCALES:
            total, group = (
                (total + group or 1) * SCALES[word] if group and total == 0 else total + (group or 1) * SCALES[word],
                0,
            )
        else:
            return None
    return total + group


def chinese(text: str) -> int | None:
    """The value of Chinese figures such as 三十五 or 二〇; None if they are none."""
    if not _CHINESE.fullmatch(text):
        return None
    text = text.replace("两", "二").replace("兩", "二").replace("廿", "二十")
    total = group = digit = 0
    digits: list[int] = []
    for sign in text:
        value = int(unicodedata.numeric(sign))
        if value < 10:
            digit = value
            digits.append(value)
        elif value < 10_000:
            group, digit, digits = group + (digit or 1) * value, 0, []
        else:
            total, group, digit, digits = (total + group + digit) * value, 0, 0, []
    if len(digits) > 1:
        return int("".join(map(str, digits))) if len(digits) == len(text) else None
    return total + group + digit


def roman(text: str) -> int | None:
    """The value of a Roman numeral in capitals; None if it is none."""
    if not text or not _ROMAN.fullmatch(text):
        return None
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[sign] for sign in text]
    return sum(
        -value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True)
    )


def as_digits(text: str) -> str:
    """The text with each spelt number of English as figures ('twenty-one cars' becomes '21 cars')."""

    def figures(run: re.Match[str]) -> str:
        parts = re.findall(r"[^\W\d_]+|[- ]+", run[0])
        made: list[str] = []
        index = 0
        while index < len(parts):
            best = 0
            for end in range(index + 1, min(len(parts), index + 15) + 1, 2):
                if spelt([part.lower() for part in parts[index:end:2]]) is not None:
                    best = end
                elif parts[end - 1].lower() not in SMALL | SCALES | {"and": 0}:
                    break
            if best:
                made.append(str(spelt([part.lower() for part in parts[index:best:2]])))
                index = best
            else:
                made.append(parts[index])
                index += 1
        return "".join(made)

    return _WORD_RUN.sub(figures, text) if any(word in text.lower() for word in _STEMS) else text


_STEMS = (*_UNITS[:13], "teen", *_TENS, *SCALES)


def part(word: str) -> Fraction | None:
    """1/2 for `half`, 1/3 for `third` or `thirds`."""
    return Fraction(1, PARTS[word]) if word in PARTS else None
