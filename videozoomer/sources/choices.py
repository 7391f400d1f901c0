"""Options and right answers in any usual form become a list of texts and a letter."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from videozoomer.protocol.options import LETTERS, index_of, letter_of

_LETTERED = re.compile(r"\s*(?:\(([A-Za-z])\)(?!\([A-Za-z]\))|([A-Za-z])\s*[.):])\s*(.*?)\s*", re.S)
_LETTER = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+)?(?:answer|option|choice)\s*(?:is\s*)?:?\s*)?[(\[]?([A-Za-z])[)\]]?\s*[.):]?", re.I
)
_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.S | re.I)
_BOXED = re.compile(r"\$?\\boxed\{(?:\\text\{)?([^{}]*)\}?\}\$?")
_MARKED = re.compile(r"(\*\*|__|`)(.+)\1", re.S)
_LINE_END = re.compile(r"\r\n?|\n")
_INDEX = re.compile(r"\(?(\d{1,2})(?:\.0+)?[.)]?")
_NUMPY = re.compile(r"""['"]\s+['"]""")
_REQUEST = re.compile(
    r"(?:please|(?:directly )?answer with|respond with|only give|select|choose|provide|the best answer is)\b", re.I
)
_NAMED = re.compile(r"([A-Za-z]{3,12}) ([A-Za-z]|\d{1,2})\s*[:.)]\s*(\S.*)", re.S)
"""An option that starts with a word and its letter or number: `Option 1: red`, `Sentence A: It is red.`"""
INLINE = "lines of the question"
KEYED = ("a dict", "columns of their own")
_MISSING = ("", "nan", "n/a")


class Unusable(ValueError):
    """A cell cannot be used: the reason as table `questions` keeps it, and a sentence."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Options:
    texts: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    """As the file has them, with their letters and in the same order; a question's default id depends on these."""
    form: str = ""
    """How the file gives them, for people."""


def options_of(value: Any) -> Options:
    """Options of one cell: a list, a dict from letters or numbers, or a text that holds either, lines or `x|y|z`.

    Raises:
        Unusable: `bad_options`.
    """
    if isinstance(value, str):
        value, form = _from_text(value.strip())
    else:
        form = "a dict" if isinstance(value, dict) else "a list"
    if isinstance(value, dict):
        value, form = _from_dict(value), "a dict"
    if value is None:
        return Options()
    if not isinstance(value, list):
        raise Unusable("bad_options", f"options {value!r} are no list; write a JSON list, or x|y|z")
    return _checked(value, form)


def options_of_series(cells: Sequence[Any]) -> Options:
    """Options in columns of their own, of which the last ones may be empty."""
    return _checked(list(cells), "columns of their own")


def _checked(values: list[Any], form: str) -> Options:
    if any(isinstance(value, list | dict) for value in values):
        raise Unusable("bad_options", "an option is no text")
    given = ["" if value is None or value != value else str(value).strip() for value in values]
    while given and (not given[-1] or (given[-1].casefold() in _MISSING and form == "columns of their own")):
        given.pop()
    if not all(given):
        raise Unusable("bad_options", f"option {given.index('') + 1} is empty")
    if len(given) == 1:
        raise Unusable("bad_options", "it has one option only; a choice needs two")
    if len(given) > len(LETTERS):
        raise Unusable("bad_options", f"a question can have at most {len(LETTERS)} options, this one has {len(given)}")
    if form in KEYED:
        # The key or column is the letter, whatever the text starts with.
        texts = in_order(given)[0] if _letters(given) == list(LETTERS[: len(given)]) else given
        return Options(tuple(texts), tuple(given), form)
    named, few = _letters(given), LETTERS[: len(given) + 2]
    if "A" in named and set(named) <= set(few) and len(set(named)) > 1 and sorted(named) != list(few[:-2]):
        raise Unusable("bad_options", f"options are lettered {', '.join(named)}; letter them from A, each once")
    texts, given = in_order(given)
    return Options(tuple(texts), tuple(given), form)


def in_order(options: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options without the letters they start with, and as given, both in the order of the letters.

    Published files also have 'C. ...' before 'A. ...': the right answer names the letter, not the place. Options that
    do not have the letters from A on, each once, are unchanged.
    """
    letters = _letters(options)
    if not letters or sorted(letters) != list(LETTERS[: len(options)]):
        return list(options), list(options)
    given = [option for _, option in sorted(zip(letters, options, strict=True))]
    return [match[3] for option in given if (match := _LETTERED.fullmatch(option))], given


def _letters(options: Sequence[str]) -> list[str]:
    """The letters that options start with; empty if one starts with none or has nothing after it."""
    found = [match for option in options if (match := _LETTERED.fullmatch(option)) and match[3]]
    return [(match[1] or match[2]).upper() for match in found] if len(found) == len(options) else []


def _from_text(text: str) -> tuple[Any, str]:
    if not text or text.casefold() == "nan":
        return None, ""
    if text[0] in "[{":
        try:
            return json.loads(text), "JSON text"
        except ValueError:
            pass
        if _NUMPY.search(text):
            raise Unusable("bad_options", "options are a printed array without commas; write a JSON list")
        try:
            printed = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise Unusable("bad_options", f"options {text[:60]!r} are neither JSON nor a printed list") from error
        return printed, "a printed Python list"
    lines = [line.strip() for line in _LINE_END.split(text) if line.strip()]
    if len(lines) > 1 and _letters(lines):
        return lines, "lettered lines"
    if "|" in text:
        return [part.strip() for part in text.split("|")], "x|y|z"
    raise Unusable("bad_options", f"options {text[:60]!r} are no list; write a JSON list, lines 'A. ...', or x|y|z")


def _from_dict(value: dict[Any, Any]) -> list[Any] | None:
    items = [(str(key).strip().upper().removeprefix("OPTION").strip(" _"), item) for key, item in value.items()]
    items = [(key, item) for key, item in sorted(items) if item not in (None, "")]
    if not items:
        return None
    keys = [key for key, _ in items]
    numbers = ([str(n) for n in range(start, start + len(keys))] for start in (0, 1))
    if keys != list(LETTERS[: len(keys)]) and all(sorted(names) != keys for names in numbers):
        raise Unusable("bad_options", f"options are named {', '.join(keys)}, neither A, B, ... nor 0, 1, ...")
    if keys[0].isdigit():
        items.sort(key=lambda item: int(item[0]))
    return [item for _, item in items]


def split_question(text: str) -> tuple[str, Options] | None:
    """A question and the options in its last lines, lettered from A on, each once; None if it has none.

    They may also start with one word and a letter or number: `Option 1: ...`, `Sentence A: ...`. A line after them that
    asks for an answer's form is left out.
    """
    lines = [line for line in _LINE_END.split(text) if line.strip()]
    if lines and _REQUEST.match(lines[-1].strip()):
        lines = lines[:-1]
    for first in range(1, len(lines) - 1):
        options = [line.strip() for line in lines[first:]]
        bare, given = in_order(options)
        if bare == options:
            bare = _under_words(options)
        if bare != options:
            question = [line for line in lines[:first] if line.strip().rstrip(":").casefold() != "options"]
            return "\n".join(question).strip(), Options(tuple(bare), tuple(given), INLINE)
    return None


def _under_words(options: Sequence[str]) -> list[str]:
    """Options without the word and the letter or number, counted from A or 1, that they start with; else unchanged."""
    found = [match for option in options if (match := _NAMED.fullmatch(option))]
    words, names = {match[1].casefold() for match in found}, [match[2].upper() for match in found]
    counted = names in (list(LETTERS[: len(options)]), [str(number) for number in range(1, len(options) + 1)])
    return [match[3] for match in found] if len(words) == 1 and counted else list(options)


def untagged(answer: str) -> str:
    """What is inside `<answer>`, `\\boxed{}` or marks for bold type."""
    if found := _TAGGED.search(answer):
        answer = found[1].strip()
    if boxed := _BOXED.fullmatch(answer):
        answer = boxed[1].strip()
    if marked := _MARKED.fullmatch(answer):
        answer = marked[2].strip()
    return answer


def by_text(answer: str, options: Options) -> str | None:
    """The letter of the option whose text an answer is, with or without its letter; None if it is none's.

    The closest reading counts: the very text, then any case, then without a final stop.

    Raises:
        Unusable: `ambiguous_answer`, where several options have that text.
    """
    for form in (str, str.casefold, _plain):
        places = {
            place
            for texts in (options.given, options.texts)
            for place, text in enumerate(texts)
            if form(text) == form(answer)
        }
        if len(places) > 1:
            raise Unusable("ambiguous_answer", f"answer {answer!r} is the text of several options; write its letter")
        if places:
            return letter_of(places.pop())
    return None


def by_letter(answer: str, options: Options) -> str | None:
    """The letter that an answer gives in any usual form, alone or before the option's text; None if it gives none.

    Raises:
        Unusable: `answer_not_in_options`, where letter and text name different options.
    """
    if found := _LETTER.fullmatch(answer):
        return found[1].upper() if index_of(found[1].upper(), len(options.texts)) is not None else None
    if found := _LETTERED.fullmatch(answer):
        letter, text = (found[1] or found[2]).upper(), _plain(found[3])
        place = index_of(letter, len(options.texts))
        if place is not None and _plain(options.texts[place]) == text:
            return letter
        if any(_plain(option) == text for option in options.texts):
            raise Unusable("answer_not_in_options", f"answer {answer!r} names one option and has the text of another")
    return None


def letter_named(answer: str, options: Options, *, letters: bool | None = None) -> str | None:
    """The letter of an answer that is an option's text, a letter in any usual form, or both; None if it is neither.

    `letters` says what counts where it is the letter of one option and the text of another: the letter or the text.

    Raises:
        Unusable: as `by_text` and `by_letter`; and `ambiguous_answer` where it may be either.
    """
    text = None if letters and by_letter(answer, options) else by_text(answer, options)
    letter = by_letter(answer, options) if text is None or _LETTER.fullmatch(answer) else text
    if text and letter and text != letter and letters is None:
        raise Unusable(
            "ambiguous_answer",
            f"answer {answer!r} is the text of option {text} and may be the letter of another; write both",
        )
    return text or letter


def index_given(answer: str) -> int | None:
    """The number that an answer may give in place of an option; None if it is something else."""
    found = _INDEX.fullmatch(answer)
    return int(found[1]) if found else None


def is_letter(answer: str) -> bool:
    """Whether an answer is nothing but an option's letter, in any usual form."""
    found = _LETTER.fullmatch(answer)
    return found is not None and found[1].upper() in LETTERS[:10]


def _plain(text: str) -> str:
    return text.casefold().strip().rstrip(".").strip()
