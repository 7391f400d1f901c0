"""Items in order: the same items in the same places, however they are listed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from filters.graders.dress import loaded, undress
from filters.graders.grade import Grade, graded, words
from filters.graders.phrases import lines
from filters.graders.statement import conclude, gives_none
from videozoomer.protocol.options import index_of, letter_of
from videozoomer.protocol.question import Question

NAME = "order"
_STRONG = re.compile(r"\s*(?:-+>|=>|→|;|,|>|\||、|\bthen\b)\s*|\n+", re.I)
_NUMBERED = re.compile(r"(?:^|\s)\(?\d{1,2}[.):]\s+")
_TOKEN = re.compile(r"[^\W_]+(?:[.'][^\W\d_]+)*|[<←]|=(?!>)|\?|\+")
_LISTED = {name: words.casefold().split() for name, words in (line.split(": ", 1) for line in lines("order_words"))}
_LAST, _BETWEEN = set(_LISTED.pop("last")), set(_LISTED.pop("between"))
_ORDINALS = [set(names) for names in _LISTED.values()]
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CJK_WORDS = sorted(
    (word for word in {*_LAST, *_BETWEEN, *(w for place in _ORDINALS for w in place)} if _CJK.search(word)),
    key=len,
    reverse=True,
)


def compare(question: Question, answer: str) -> Grade:
    """`correct` for exactly the expected items in order, `wrong` for these items in another one, or for some of them;
    `unknown` if the answer says anything else than items and the words between them."""
    options = list(question.options)
    expected = _expected(question.answer, options)
    if len(expected) < 2:
        return graded("unknown", NAME, f"the question's own answer {question.answer!r} is not a list")
    text = undress(answer)
    if not text.strip(" .?!-"):
        return graded("wrong", NAME, f"{answer[:200]!r} gives no answer; expected {expected}")
    given = _given(text, expected, options)
    detail = f"{given if isinstance(given, list) else answer[:200]!r}, expected {expected}"
    if isinstance(given, str):
        none = gives_none(text) and not _named_any(text, expected)
        return graded("wrong" if none else "unknown", NAME, f"{detail}: it {given}")
    right = [words(item) for item in expected]
    return graded("correct" if [words(item) for item in given] == right else "wrong", NAME, detail)


def _named_any(text: str, items: Sequence[str]) -> bool:
    found = set(words(text))
    return any(set(words(item)) <= found for item in items)


def _expected(answer: str, options: Sequence[str]) -> list[str]:
    """The items of the right answer, which is a list with commas, arrows or numbers, or letters of the options."""
    text = undress(answer)
    listed = loaded(text) if text.startswith("[") else None
    if isinstance(listed, list):
        items = [str(item) for item in listed]
    elif (codes := _codes(text, len(options))) is not None and options:
        return [options[index] for index in codes]
    else:
        lines = _NUMBERED.sub(" , ", text).strip().strip("[](){}.")
        items = [part.strip(" ,.;") for part in _STRONG.split(lines) if part.strip(" ,.;")]
        items = [re.sub(r"^(?:and|then|first|finally|lastly)\s+", "", item, flags=re.I) for item in items]
        if len(items) < 2:
            items = [part.strip() for part in re.split(r"\s*(?:-|/|\band\b)\s*", lines) if part.strip()]
    codes_of = [index_of(item.upper(), len(options)) if re.fullmatch(r"[A-Za-z]", item) else None for item in items]
    return [item if index is None else options[index] for item, index in zip(items, codes_of, strict=True)]


def _given(text: str, expected: Sequence[str], options: Sequence[str]) -> list[str] | str:
    """The items that an answer lists, or why it is no list of them."""
    listed = loaded(text) if text.startswith("[") else None
    if isinstance(listed, list):
        if any(isinstance(item, list | dict) for item in listed):
            return "is a list of lists"
        text = ", ".join(map(str, listed))
    known = list(dict.fromkeys([*expected, *options]))
    said = conclude(text)
    if said.doubt:
        return said.doubt
    body = text if not said.marked else said.whole
    for form in (body, said.whole):
        codes = _codes(form, len(options) or len(expected))
        if codes is not None and not any(re.fullmatch(r"\w", item) for item in expected):
            return (
                [options[index] if options else expected[index] for index in codes]
                if options
                else "lists letters without options"
            )
        read = _scan(form, known, options)
        if isinstance(read, list):
            return read
    return read


def _codes(text: str, count: int) -> list[int] | None:
    """Indices in a list of letters ('A, B, C', 'A->B->C', 'ABC') or of numbers from 1 ('1→2→3', '123')."""
    body = re.sub(r"\b(?:then|and|option|number|step)\b|-+>|[→,;>\-|/、()\[\].\s&]+", " ", text, flags=re.I).strip()
    parts = body.split()
    if len(parts) == 1 and 2 <= len(parts[0]) <= count + 2 and re.fullmatch(r"[A-Z]+|\d+", parts[0]):
        parts = list(parts[0])
    if len(parts) < 2 or "<" in text:
        return None
    if all(re.fullmatch(r"[A-Za-z]", part) for part in parts):
        found = [index_of(part.upper(), count) for part in parts]
    elif all(re.fullmatch(r"\d{1,2}", part) for part in parts):
        found = [int(part) - 1 if 1 <= int(part) <= count else None for part in parts]
    else:
        return None
    return None if None in found else [index for index in found if index is not None]


def _scan(text: str, known: Sequence[str], options: Sequence[str]) -> list[str] | str:
    """Items in the order of a text in which every other word is an ordinal in its place or a word between items."""
    text = re.sub(r"(?<!\d)(\d{1,2})[.)、:](?=[^\W\d])", r"\1 ", text)
    text = re.sub(r"\bafter (?:that|this|which)\b", " next ", text, flags=re.I)
    text = re.sub(
        r"\bfollowed by\b|\bten slotte\b|\bals nächstes\b|\bpor último\b|\bal final\b|\bto start\b",
        " next ",
        text,
        flags=re.I,
    )
    if _CJK.search(text):
        for item in sorted(known, key=len, reverse=True):
            if _CJK.search(item):
                text = text.replace(item, f" {item} ")
        text = re.sub("|".join(map(re.escape, _CJK_WORDS)), lambda found: f" {found[0]} ", text)
    tokens = [found[0].casefold() for found in _TOKEN.finditer(text)]
    forms = sorted(((words(item), item) for item in known), key=lambda pair: -len(pair[0]))
    found: list[str] = []
    pending: int | None = None
    index = 0
    while index < len(tokens):
        for form, item in forms:
            if form and (used := _matches(tokens, index, form)):
                if pending is not None and pending != len(found):
                    return "numbers its items in another order"
                found.append(item)
                pending = None
                index += used
                break
        else:
            token = tokens[index]
            place = next((at for at, names in enumerate(_ORDINALS) if token in names), None)
            if place is not None:
                # 'first cat' or 'cat first'
                if place not in (len(found) - 1, len(found)):
                    return "numbers its items in another order"
                pending = place if place == len(found) else None
            elif len(token) == 1 and token.isalpha() and options and _labels(token, tokens, index, options):
                pass
            elif token in _LAST or token in _BETWEEN:
                if (token == "before" and not found) or token in ("no",):
                    return f"says {token!r}"
            else:
                return f"says {token!r}"
            index += 1
    return found if found else "names no item"


def _matches(tokens: Sequence[str], index: int, form: tuple[str, ...]) -> int:
    """How many tokens from an index spell an item; articles inside count and need not match. 0 if they do not."""
    at = index
    for place, part in enumerate(form):
        while at < len(tokens) and place and tokens[at] in ("a", "an", "the") and part not in ("a", "an", "the"):
            at += 1
        if at >= len(tokens) or words(tokens[at]) != (part,):
            return 0
        at += 1
    return at - index


def _labels(token: str, tokens: Sequence[str], index: int, options: Sequence[str]) -> bool:
    """Whether a letter is the label of the option that follows it."""
    at = index_of(token.upper(), len(options))
    return at is not None and letter_of(at) == token.upper() and bool(_matches(tokens, index + 1, words(options[at])))
