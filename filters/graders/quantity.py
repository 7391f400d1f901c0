"""Finds numbers in a text, with their units and what stands beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from filters.graders.grade import singular
from filters.graders.number_words import (
    ARTICLES,
    COUNTED,
    ORDINALS,
    PARTS,
    SCALES,
    SMALL,
    chinese,
    foreign,
    part,
    spelt,
)
from filters.graders.phrases import lines, pairs
from filters.graders.units import CURRENCY, measure

_FIGURE = (
    r"\d{1,3}(?:[ ']\d{3})+(?![\d])(?:[.,]\d+)?|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}"
    r"|\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?|\d+(?:[.,]\d+)?|\.\d+"
)
"""12 500, 12'500, 1.234,5, 1.234.567, 12,500, 1,00,000, 12.5 and .5"""
_TOKEN = re.compile(
    rf"(?P<clock>\d+(?::\d+){{1,3}}(?:\.\d+)?)"
    rf"|(?P<dotted>\d+(?:\.\d+){{2,}}(?!,))(?<!\.\d{{3}})"
    rf"|(?P<figure>(?:{_FIGURE})(?:[eE][+-]?\d{{1,3}})?)(?P<joined>°\s?[CcFf]\b|°|[^\W\d_]+(?:/[^\W\d_]+)?)?"
    r"|(?P<han>[〇零一二两兩三四五六七八九十百千万億亿廿]+)|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)?(?:/[^\W\d_]+)?(?:-[^\W\d_]+)*)|(?P<sign>[^\s])"
)
_SCALE_LETTER = {letter: int(factor) for letter, factor in pairs("scale_letters").items()}
_SCALE_WORD = SCALES | {word: int(factor) for word, factor in pairs("scale_words").items()}
_MINUS = {"minus", "negative", "moins", "meno", "menos", "минус", "负", "負", "マイナス", "마이너스"}
_ORDINAL = {"st", "nd", "rd", "th", "º", "ª"}
_COUNTERS = set(lines("counters"))
_SKIP = set(lines("no_units"))

Kind = Literal["cardinal", "ordinal", "article", "clock", "label"]


@dataclass(frozen=True, slots=True)
class Quantity:
    value: Fraction
    unit: str | None
    """The word or sign after the number, in the singular; None without one."""
    start: int
    end: int
    """Where it stands in the text, with its unit."""
    kind: Kind = "cardinal"
    """`article`: 'one' or 'un' before a noun; `clock`: 1:02; `label`: figures that are no number, as in 1.1.1."""

    @property
    def dimension(self) -> str | None:
        found = measure(self.unit)
        return found[0] if found else None


def quantities(text: str) -> list[Quantity]:
    """Every number in an undressed text, in order."""
    tokens = list(_TOKEN.finditer(text))
    found: list[Quantity] = []
    index = 0
    while index < len(tokens):
        quantity, used = _at(text, tokens, index)
        if quantity is not None:
            found.append(quantity)
        index += max(used, 1)
    return found


def _at(text: str, tokens: list[re.Match[str]], index: int) -> tuple[Quantity | None, int]:
    """The number that starts at a token (None without one) and how many tokens it takes."""
    first = tokens[index]
    if first["clock"] or first["dotted"]:
        return Quantity(Fraction(0), None, first.start(), first.end(), "clock" if first["clock"] else "label"), 1
    negative, start, used = False, first.start(), 0
    word = (first["word"] or "").lower()
    if (word in _MINUS or first["sign"] == "-") and index + 1 < len(tokens):
        after = tokens[index + 1]
        touches = after.start() == first.end()
        before = text[: first.start()]
        if (after["figure"] or word) and (word in _MINUS or (touches and not re.search(r"[\w)]\s*\Z", before))):
            negative, used = True, 1
    money = None
    here = index + used
    if (
        tokens[here]["sign"]
        and tokens[here]["sign"] in CURRENCY
        and here + 1 < len(tokens)
        and tokens[here + 1]["figure"]
    ):
        money, used = tokens[here]["sign"], used + 1
    here = index + used
    if here >= len(tokens):
        return None, used
    value, taken, kind, unit = _value(tokens, here)
    if value is None:
        return None, used + max(taken, 1)
    used += taken
    if unit is None and money is None and kind != "ordinal":
        unit, more = _unit(tokens, index + used)
        used += more
    end = tokens[index + used - 1].end()
    below = re.match(r"\s*(?:degrees?|°\s?[CcFf]?)?\s*below (?:zero|freezing)", text[end:])
    if below:
        end += below.end()
        while index + used < len(tokens) and tokens[index + used].start() < end:
            used += 1
    return Quantity(-value if negative or below else value, money or unit, start, end, kind), used


def _value(tokens: list[re.Match[str]], index: int) -> tuple[Fraction | None, int, Kind, str | None]:
    first = tokens[index]
    if first["figure"]:
        return _from_figure(tokens, index)
    if first["han"]:
        figures = chinese(first["han"])
        return None if figures is None else Fraction(figures), 1, "cardinal", None
    word = (first["word"] or "").lower()
    if word in ARTICLES and word not in SMALL:
        return Fraction(1), 1, "article", None
    value, used = _from_words(tokens, index)
    if value is not None:
        return value, used, "article" if word == "one" and used == 1 else "cardinal", None
    if word in ORDINALS:
        return Fraction(ORDINALS[word]), 1, "ordinal", None
    if word in foreign():
        scaled = Fraction(foreign()[word])
        return scaled, 1, "cardinal", None
    return None, 1, "cardinal", None


def _from_figure(tokens: list[re.Match[str]], index: int) -> tuple[Fraction | None, int, Kind, str | None]:
    first = tokens[index]
    value, used, unit = _number(first["figure"]), 1, None
    joined = first["joined"]
    if joined:
        if joined.lower() in _ORDINAL:
            return value, 1, "ordinal", None
        if joined in _SCALE_LETTER:
            return value * _SCALE_LETTER[joined], 1, "cardinal", None
        if joined in _COUNTERS or (joined[0] in _COUNTERS and not joined.isascii()):
            return value, 1, "cardinal", None
        if measure(joined.replace(" ", "")) or joined == "°":
            return value, 1, "cardinal", joined.replace(" ", "")
        return (value, 1, "cardinal", None) if not joined.isascii() else (None, 1, "label", None)
    # 3 1/2, 3/4, 3 and a half
    if (
        _signs(tokens, index + 1, "/")
        and index + 2 < len(tokens)
        and tokens[index + 2]["figure"]
        and not tokens[index + 2]["joined"]
    ):
        below = _number(tokens[index + 2]["figure"])
        dozen = 12 if _words(tokens, index + 3, 1) == ["dozen"] else 1
        return (value / below * dozen if below else None), 3 + (dozen > 1), "cardinal", None
    if (
        index + 3 < len(tokens)
        and tokens[index + 1]["figure"]
        and not tokens[index + 1]["joined"]
        and _signs(tokens, index + 2, "/")
        and tokens[index + 3]["figure"]
        and (below := _number(tokens[index + 3]["figure"]))
    ):
        return value + _number(tokens[index + 1]["figure"]) / below, 4, "cardinal", None
    half, taken = _and_part(tokens, index + used)
    if half is not None:
        value, used = value + half, used + taken
    while index + used < len(tokens) and (scale := _SCALE_WORD.get((tokens[index + used]["word"] or "").lower())):
        value, used = value * scale, used + 1
    if index + used < len(tokens) and tokens[index + used]["han"] in ("万", "億", "亿", "千", "百"):
        value, used = value * (chinese("一" + tokens[index + used]["han"]) or 1), used + 1
    if index + used < len(tokens) and (tokens[index + used]["word"] or "").lower() in ("dozen", "dozens"):
        value, used = value * 12, used + 1
    return value, used, "cardinal", unit


def _from_words(tokens: list[re.Match[str]], index: int) -> tuple[Fraction | None, int]:
    """English words from a token: 'twenty-one', 'three and a half', 'half a dozen', 'two thirds', 'a couple'."""
    spelling: list[str] = []
    best: tuple[Fraction | None, int] = (None, 0)
    for token in tokens[index : index + 14]:
        words = (token["word"] or "").lower().split("-")
        if not all(word in SMALL or word in SCALES or word == "and" for word in words):
            break
        spelling += words
        if (whole := spelt(spelling)) is not None:
            best = (Fraction(whole), spelling.count("") + _count(tokens, index, token))
    following = _words(tokens, index + best[1], 3)
    if best[0] is None:
        start = [word for word in _words(tokens, index, 4)]
        if start[:1] in (["a"], ["an"]) and start[1:2] and start[1] in SCALES | COUNTED:
            value, used = _from_words(tokens, index + 1)
            return (value, used + 1) if value is not None else (None, 0)
        if start[:2] == ["half", "a"] and start[2:3] == ["dozen"]:
            return Fraction(6), 3
        if start[:1] == ["half"]:
            return Fraction(1, 2), 1
        if start[:1] == ["a"] and start[1:2] and start[1] in PARTS:
            return part(start[1]), 2
        if start[:1] and start[0] in COUNTED:
            return Fraction(COUNTED[start[0]]), 1
        if start[:1] and start[0] in SCALES:
            return Fraction(SCALES[start[0]]), 1
        return best
    if following[:1] == ["dozen"]:
        return best[0] * 12, best[1] + 1
    if following[:1] and following[0] in PARTS and following[0] not in ("half",) and best[0] < 100:
        plural = following[0].endswith("s")
        if plural != (best[0] == 1):
            return best[0] / PARTS[following[0]], best[1] + 1
    if best[0] == 1 and following[:1] == ["half"]:
        return Fraction(1, 2), best[1] + 1
    half, taken = _and_part(tokens, index + best[1])
    if half is not None:
        return best[0] + half, best[1] + taken
    # 'two point five'
    if following[:1] == ["point"]:
        digits: list[str] = []
        at = index + best[1] + 1
        while at < len(tokens) and (SMALL.get((tokens[at]["word"] or "").lower(), 10)) < 10:
            digits.append(str(SMALL[tokens[at]["word"].lower()]))
            at += 1
        if digits:
            return best[0] + Fraction(f"0.{''.join(digits)}"), at - index
    return best


def _count(tokens: list[re.Match[str]], index: int, last: re.Match[str]) -> int:
    return next(at for at in range(index, len(tokens)) if tokens[at] is last) - index + 1


def _words(tokens: list[re.Match[str]], index: int, count: int) -> list[str]:
    return [(token["word"] or "").lower() for token in tokens[index : index + count]]


def _and_part(tokens: list[re.Match[str]], index: int) -> tuple[Fraction | None, int]:
    """The part of 'and a half', 'and three quarters' at a token."""
    words = _words(tokens, index, 3)
    if words[:1] == ["and"] and words[1:2] and words[1] in ("a", "one") and words[2:3] and words[2] in PARTS:
        return Fraction(1, PARTS[words[2]]), 3
    if (
        words[:1] == ["and"]
        and words[1:2]
        and words[1] in SMALL
        and words[2:3]
        and words[2] in PARTS
        and words[2].endswith("s")
    ):
        return Fraction(SMALL[words[1]], PARTS[words[2]]), 3
    return None, 0


def _signs(tokens: list[re.Match[str]], index: int, sign: str) -> bool:
    return index < len(tokens) and tokens[index]["sign"] == sign


def _number(text: str) -> Fraction:
    """A figure with either kind of separators: three figures after a comma are thousands, after a point a fraction."""
    body, _, power = text.lower().partition("e")
    body = body.replace(" ", "").replace("'", "")
    if re.fullmatch(r"\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}", body):
        body = body.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?", body) and not body.startswith("0"):
        body = body.replace(",", "")
    else:
        body = body.replace(",", ".")
    return Fraction(body if body[0] != "." else f"0{body}") * Fraction(10) ** int(power or 0)


def _unit(tokens: list[re.Match[str]], index: int) -> tuple[str | None, int]:
    """The unit at a token and how many tokens it takes: '%', 'km/h', 'degrees Celsius', '公里', or a noun."""
    if index >= len(tokens):
        return None, 0
    token = tokens[index]
    sign = token["sign"]
    if (
        sign in ("-", "(")
        and index + 1 < len(tokens)
        and (tokens[index + 1]["word"] or "").lower() in ("year", "minute", "second")
    ):
        return _unit(tokens, index + 1)[0], 2
    if sign == "°":
        word = tokens[index + 1]["word"] if index + 1 < len(tokens) else None
        return (f"°{word.lower()}", 2) if word and word.lower() in ("c", "f") else ("°", 1)
    if sign and ((measure(sign) and sign not in "\"'") or sign in "%℃℉"):
        return sign, 1
    word = token["word"] or ""
    if word.lower() in ("degrees", "degree", "deg") and index + 1 < len(tokens):
        scale = (tokens[index + 1]["word"] or "").lower()
        if scale in ("celsius", "centigrade", "c", "fahrenheit", "f", "kelvin"):
            return {"c": "celsius", "f": "fahrenheit"}.get(scale, scale), 2
    if word.lower() in ("c", "f") and len(word) == 1:
        return f"°{word.lower()}", 1
    if word.lower() in (
        "kilometers",
        "kilometres",
        "kilometer",
        "kilometre",
        "km",
        "miles",
        "meters",
        "metres",
        "m",
        "feet",
    ) and _words(tokens, index + 1, 2) in (
        ["per", "hour"],
        ["an", "hour"],
        ["per", "second"],
        ["per", "h"],
    ):
        metric = {"k": "km", "m": "mile", "f": "ft"}["f" if word[0] == "f" else "k" if word[0] == "k" else "m"]
        per = _words(tokens, index + 2, 1)[0]
        if metric == "mile" and not word.lower().startswith("mile"):
            metric = "m"
        return {"km": "km/h", "mile": "mph", "m": "m/s", "ft": "ft/s"}[metric] if per[0] in "hs" else None, 3
    if word.lower() == "per" and _words(tokens, index + 1, 1) == ["cent"]:
        return "percent", 2
    if not word or word.lower() in _SKIP or word in _COUNTERS:
        return None, 1 if word in _COUNTERS or word.lower() in ("times", "time") else 0
    return (word if measure(word) else singular(word.lower())), 1
