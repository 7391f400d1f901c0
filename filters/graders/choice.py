"""Multiple choice: the option that the answer commits to, by its letter or by its own text.

A letter counts only where it stands as a letter, and only if nothing after it names another option, takes it back or
gives another option's text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from filters.graders import yes_no
from filters.graders.dress import spaced, undress
from filters.graders.grade import Grade, graded, words
from filters.graders.number_words import as_digits
from filters.graders.phrases import (
    ABSTAINS,
    AFFIRMED,
    BECAUSE,
    CORRECTED,
    EVALUATED,
    HEDGED,
    NEGATED,
    TAKEN_BACK,
    pattern,
)
from filters.graders.statement import conclude, gives_none, without_leads
from videozoomer.protocol.options import index_of, letter_of
from videozoomer.protocol.question import Question

NAME = "choice"

_LABEL = re.compile(r"^\s*[(\[]?[A-Z][)\].:]+\s+(?=\S)")
_LABELLED = re.compile(r"\s*(?:[(\[]\s*[A-Za-z]\s*[)\]]|[A-Za-z]\s*[.):,])")
_DOUBTED = pattern("doubted")
_LONE = re.compile(r"(?:option|choice|answer)?\s*[:#]?\s*[(\[{<]*\s*([A-Za-z])\s*[)\]}>]*\s*[.:),!。、;]*", re.I)
_LED = re.compile(
    r"[(\[{<]\s*(?P<held>[A-Za-z])\s*[)\]}>]\s*(?P<held_delim>[-.:,;)!。、=→]*)"
    r"|(?P<bare>[A-Z])(?P<delim>\s*[.):,;。、=!]+|\s+-+(?=\s)|-(?=[A-Za-z]{2})|\s*\n|(?=\s|$)|(?=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]))"
    r"|(?P<small>[a-z])(?P<small_delim>\s*[.):]+)(?=\s|$)"
)
_SEVERAL = pattern(
    "joins_letters",
    r"(?:both |either |options? |between )?[(\[]?[A-Za-z][)\]]?\.?(?:\s*{}\s*(?:option )?[(\[]?[A-Za-z][)\]]?\.?)+",
)
_MENTION = re.compile(r"(?<![A-Za-z0-9_'])(?P<letter>[A-Z])(?![A-Za-z0-9_'])(?!\.\w)")
_COMPARED = pattern("compared")
_COPULA = pattern("copulas", r"{}\s*\Z")
_VERB = re.compile(
    r"\A\s*(?:[.,!;:(\n]|\b(?:is|are|was|were|has|have|can be|appears?|because|since|which|who|that)\b|\Z)", re.I
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer to a multiple choice says."""

    kind: Literal["option", "several", "none", "unclear"]
    index: int = -1
    why: str = ""


def compare(question: Question, answer: str) -> Grade:
    """`correct` or `wrong` where the answer commits to one option; `wrong` too where it names an option that does not
    exist, lists several, or says that it gives none."""
    options = list(question.options)
    truth = read(question.answer, options)
    if truth.kind != "option":
        return graded("unknown", NAME, f"the question's own answer {question.answer!r} names none of its options")
    expected = f"expected {letter_of(truth.index)}"
    given = read(answer, options)
    if given.kind == "option":
        right = given.index == truth.index
        return graded("correct" if right else "wrong", NAME, f"option {letter_of(given.index)}, {expected}")
    verdict: Literal["unknown", "wrong"] = "unknown" if given.kind == "unclear" else "wrong"
    return graded(verdict, NAME, f"{answer[:200]!r} {given.why}; {expected}")


def read(answer: str, options: Sequence[str]) -> Reading:
    """The one option that an answer commits to; if options are letters themselves, the option's letter wins."""
    text = undress(answer)
    if not text.strip(" .?!-"):
        return Reading("none", why="gives no answer")
    if lone := _LONE.fullmatch(text):
        return _by_letter(lone[1], options)
    if list(options).count(text) == 1:
        return Reading("option", options.index(text))
    forms = [normal(_LABEL.sub("", option)) for option in options]
    for form in (text, without_leads(text)):
        if (own := _own_text(form, options, forms)) is not None:
            return own
    if _SEVERAL.fullmatch(text.strip(" .")) and not _same_letter(text):
        return Reading("several", why="names several options")
    if (polar := _polar(text, options)) is not None:
        return polar
    said = conclude(text)
    if said.doubt:
        return Reading("unclear", why=said.doubt)
    whole = said.whole
    if _SEVERAL.fullmatch(said.said.strip(" .")) and not _same_letter(said.said):
        return Reading("several", why="names several options")
    if not said.rest and (own := _own_text(said.said, options, forms)) is not None:
        return own
    if led := _LED.match(whole):
        reading = _from_letter(led, whole, options, forms, marked=said.marked)
        if reading is not None:
            return reading
    if lone := _LONE.fullmatch(said.said.strip()):
        return _checked(_by_letter(lone[1], options), said.rest, options, forms)
    reading = _affirmed_letter(whole, options, forms) or _in_a_sentence(said.said, said.rest, options, forms)
    if reading is not None:
        return reading
    if gives_none(text) and not _mentions(text, options) and not _named(text, forms):
        return Reading("none", why="says that it gives no answer")
    return Reading("unclear", why="names no option clearly")


def normal(text: str) -> tuple[str, ...]:
    """The words of a text, numbers as digits."""
    return words(as_digits(spaced(text)))


def _equal(text: str, forms: Sequence[tuple[str, ...]]) -> int | None:
    """The one option whose words these are. Ordered figures may be joined ('1234'), a lone figure may have 'times'."""
    given = normal(text)
    if given[-1:] and len(given) == 2 and given[0].isdigit() and given[1] in ("time", "回"):
        given = given[:1] if given[:1] in forms else given
    equal = [index for index, form in enumerate(forms) if form == given]
    if not equal and len(given) == 1 and given[0].isdigit() and len(given[0]) > 1:
        joined = [index for index, form in enumerate(forms) if len(form) > 1 and "".join(form) == given[0]]
        equal = joined if all(len(part) == 1 for form in forms for part in form) else []
    return equal[0] if len(equal) == 1 and given else None


def _own_text(text: str, options: Sequence[str], forms: Sequence[tuple[str, ...]]) -> Reading | None:
    """The reading of a text that is one option's own; None if it is none's."""
    found = None if _LABELLED.match(text) else _equal(text, forms)
    if found is None:
        return None
    if not text.isupper() and _mentions(text, options) - {found}:
        return Reading("unclear", why="gives one option's text with another option's letter")
    return Reading("option", found)


def _by_letter(letter: str, options: Sequence[str]) -> Reading:
    index = index_of(letter.upper(), len(options))
    if index is None:
        return Reading("none", why=f"names option {letter.upper()}, which does not exist")
    return Reading("option", index)


def _same_letter(text: str) -> bool:
    return len({found["letter"] for found in _MENTION.finditer(text)}) == 1


def _polar(text: str, options: Sequence[str]) -> Reading | None:
    """Where the options are yes and no, an answer may be a sentence that says so."""
    values = [yes_no.value(option) for option in options]
    if len(options) != 2 or set(values) != {True, False}:
        return None
    said = yes_no.value(text)
    return None if said is None else Reading("option", values.index(said))


def _from_letter(
    led: re.Match[str], text: str, options: Sequence[str], forms: Sequence[tuple[str, ...]], *, marked: bool
) -> Reading | None:
    """The reading of an answer that starts with a letter; None if that is an article or a pronoun."""
    letter = led["held"] or led["bare"] or led["small"]
    after = text[led.end() :]
    parted = led["delim"] or led["held_delim"] or led["small_delim"] or ""
    delimiter = parted.strip()
    if led["bare"] in ("A", "I") and not parted and not AFFIRMED.match(after):
        follows = BECAUSE.match(after) if letter == "A" else None
        if (follows is None and after.strip(" .!")) or (letter == "I" and after.strip(" .!")):
            return None
    if led["bare"] == "I" and delimiter not in (".", ")", ".)", "") and after.strip(" .!"):
        return Reading("unclear", why="may begin with the pronoun I")
    reading = _by_letter(letter, options)
    return _checked(reading, after, options, forms, joined=parted in ("", "-") and led["bare"] is not None)


def _checked(
    reading: Reading, after: str, options: Sequence[str], forms: Sequence[tuple[str, ...]], *, joined: bool = False
) -> Reading:
    """The reading, if what follows the letter gives its own text, affirms it or explains it."""
    after = after.strip().lstrip("-.:,;)!。、=→").strip()
    if not after.strip(" .!\"'"):
        return reading
    if reading.kind != "option":
        return Reading("unclear", why="names an option that does not exist, and goes on")
    own = forms[reading.index]
    said = _unquoted(after, options)
    if _mentions(said, options) - {reading.index}:
        return Reading("unclear", why="names several options")
    if normal(after) == own or AFFIRMED.fullmatch(after.rstrip(" .!。")):
        return reading
    affirmed, explained = AFFIRMED.match(after), BECAUSE.match(after)
    none = ABSTAINS.search(options[reading.index]) is None and ABSTAINS.search(said)
    if EVALUATED.search(said) or TAKEN_BACK.search(said) or _DOUBTED.search(after) or none:
        return Reading("unclear", why="takes its option back, or doubts it")
    named = _named(after, forms)
    if named - {reading.index}:
        return Reading("unclear", why="gives one option's letter with another option's text")
    if reading.index in named or affirmed or explained:
        clash = _other_figures(after, own) if not explained else False
        return Reading("unclear", why="gives another figure than its option's text") if clash else reading
    if joined:
        return Reading("unclear", why="has a letter that may belong to the words after it")
    head = re.split(r"(?<=[.!?;。])\s|\n", after)[0]
    if _nearer(normal(head), reading.index, forms):
        return Reading("unclear", why="gives a text that is nearer to another option's")
    if (
        len(normal(head)) <= 4
        and not (set(normal(head)) & set(own))
        and not re.match(r"(?:explanation|reason|the frames|evidence)\b", head, re.I)
    ):
        return Reading("unclear", why="gives a text that is not its option's")
    if _other_figures(after, own):
        return Reading("unclear", why="gives another figure than its option's text")
    return reading


def _nearer(given: tuple[str, ...], index: int, forms: Sequence[tuple[str, ...]]) -> bool:
    """Whether a text shares more words with another option, of those that tell options apart, than with its own."""
    every = set.intersection(*(set(form) for form in forms)) if forms else set()
    shared = [len((set(form) & set(given)) - every - _STOP) for form in forms]
    return max(shared) > shared[index]


_STOP = frozenset(
    "he she it they we you is are was were the a an of in on at to and or with for by his her its their this that"
    " there".split()
)


def _unquoted(text: str, options: Sequence[str]) -> str:
    for option in sorted(options, key=len, reverse=True):
        text = re.sub(rf"(?<![\w]){re.escape(_LABEL.sub('', option))}(?![\w])", " ", text, flags=re.I)
    return text


def _mentions(text: str, options: Sequence[str]) -> set[int]:
    """Options whose letters stand alone in a text; A as an article and I as a pronoun do not count."""
    found: set[int] = set()
    for mention in _MENTION.finditer(text):
        index, after = index_of(mention["letter"], len(options)), text[mention.end() :]
        word = mention["letter"] in "AI" and re.match(r"\s+[a-z']", after) and not AFFIRMED.match(after)
        if index is not None and not word:
            found.add(index)
    return found


def _named(text: str, forms: Sequence[tuple[str, ...]]) -> set[int]:
    """Options whose words occur together in a text, without those inside a longer option's."""
    given = normal(text)
    spans = [
        (start, start + len(form), index)
        for index, form in enumerate(forms)
        if form
        for start in range(len(given) - len(form) + 1)
        if given[start : start + len(form)] == form
    ]
    inside = {
        (start, end, index)
        for start, end, index in spans
        if any(s <= start and end <= e and (s, e) != (start, end) for s, e, _ in spans)
    }
    return {index for start, end, index in spans if (start, end, index) not in inside}


def _other_figures(text: str, own: tuple[str, ...]) -> bool:
    """Whether an option with a figure is explained with the same noun and another figure."""
    figures = {part for part in own if part.isdigit()}
    nouns = {part for part in own if not part.isdigit()}
    given = normal(text)
    return bool(figures) and any(
        here.isdigit() and here not in figures and (not nouns or there in nouns)
        for here, there in zip(given, (*given[1:], ""), strict=False)
    )


def _affirmed_letter(text: str, options: Sequence[str], forms: Sequence[tuple[str, ...]]) -> Reading | None:
    """'Looking at the signs, B is correct' and 'my pick: B': one letter in all, and affirmed or last."""
    if len(found := _mentions(text, options)) != 1:
        return None
    index = found.pop()
    letter = letter_of(index)
    place = re.search(
        rf"(?<![\w'])(?:options?|choice|answer|选项|pick|is|:|be|ist|es|est|é|è|är|er|la|clearly|definitely|certainly|probably|obviously|=|→|->|with|for|to)\s*[(\[]?{letter}[)\]]?(?![\w'])",
        text,
    )
    alone = place is not None and not text[place.end() :].strip(" .!\"')")
    where = re.search(rf"(?<![\w'])[(\[]?{letter}[)\]]?(?![\w'])", text)
    affirmed = where is not None and AFFIRMED.match(text[where.end() :]) and not text[where.end() :].startswith(".")
    if not (alone or affirmed):
        return None
    if NEGATED.search(text) or HEDGED.search(text) or CORRECTED.search(text) or _named(text, forms) - {index}:
        return Reading("unclear", why="denies or doubts an option")
    return Reading("option", index)


def _in_a_sentence(said: str, rest: str, options: Sequence[str], forms: Sequence[tuple[str, ...]]) -> Reading | None:
    """One option's own text as the subject or the predicate of the only statement."""
    named = _named(said, forms)
    if len(named) != 1 or _named(rest, forms) - named:
        return None
    index = named.pop()
    if _mentions(f"{said} {rest}", options) - {index}:
        return Reading("unclear", why="gives one option's text with another option's letter")
    bare = _unquoted(said, [options[index]])
    taken = NEGATED.search(bare) or HEDGED.search(said) or CORRECTED.search(bare) or _COMPARED.search(bare)
    if (
        taken
        or EVALUATED.search(rest)
        or CORRECTED.search(rest)
        or HEDGED.search(rest)
        or ABSTAINS.search(f"{bare} {rest}")
    ):
        return Reading("unclear", why="denies, compares or doubts an option")
    own = re.sub(r"^(?:a|an|the)\s+", "", _LABEL.sub("", options[index]).strip(), flags=re.I)
    place = re.search(rf"(?<![\w'-]){re.escape(own)}(?:e?s)?(?![\w'-])", said, re.I)
    if place is None:
        return None
    before, after = said[: place.start()], said[place.end() :]
    subject = not re.sub(r"^(?:a|an|the)\b", "", before.strip(), flags=re.I).strip() and _VERB.match(after)
    predicate = _COPULA.search(before) and not after.strip(" .!\"')")
    return Reading("option", index) if subject or predicate else None
