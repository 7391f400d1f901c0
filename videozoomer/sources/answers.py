"""The right answer of a question: which option it names, and whether it can be one of its type at all."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from videozoomer.protocol.number_words import states_number
from videozoomer.protocol.options import letter_of
from videozoomer.sources.choices import Options, Unusable, by_letter, by_text, index_given, is_letter, letter_named

_YES_NO = frozenset({"yes", "yeah", "yep", "true", "no", "nope", "false"})


@dataclass(frozen=True, slots=True)
class Convention:
    """How one file gives its right answers."""

    base: int | None = None
    """What the first option's index is; None where nothing settles it."""
    why: str = ""
    count: int = 0
    """Answers that are an index."""
    texts: int = 0
    """Answers that are a number and read as an option's text."""
    always: bool = False
    """Whether a number is an index even where it is also an option's text."""
    letters: bool | None = None
    """Whether an answer that is one option's letter and another's text is the letter; None where nothing settles it."""


def settled(answers: Sequence[tuple[str, Options]], base: int | None, why: str) -> Convention:
    """How a file gives the answers of its multiple-choice questions.

    `base` is what the recipe or the layout says: then a number is always an index. Otherwise the answers of the file
    settle it: an index can be 0 only if the first option is 0, and the number of options only if the first is 1.
    Letters and texts are settled by the answers that can be only one of them: 'B' may also be an option's text.
    """
    letters = _letters_or_texts(answers)
    numbers = [(number, answer, options) for answer, options in answers if (number := index_given(answer)) is not None]
    if base is not None:
        return Convention(base, why, len(numbers), always=True, letters=letters)
    given = [(number, options) for number, answer, options in numbers if not _is_text(answer, options)]
    settled_base, why = None, ""
    if any(number == 0 for number, _ in given):
        settled_base, why = 0, "a row has 0"
    elif any(number == len(options.texts) for number, options in given):
        settled_base, why = 1, "no row has 0 and a row has its number of options"
    return Convention(settled_base, why, len(given), len(numbers) - len(given), letters=letters)


def _letters_or_texts(answers: Sequence[tuple[str, Options]]) -> bool | None:
    letters = texts = False
    for answer, options in answers:
        if is_letter(answer) and options.texts:
            is_text, named = _is_text(answer, options), by_letter(answer, options) is not None
            letters, texts = letters or (named and not is_text), texts or (is_text and not named)
        else:
            texts = texts or _is_text(answer, options)
    return None if letters == texts else letters


def _is_text(answer: str, options: Options) -> bool:
    try:
        return by_text(answer, options) is not None
    except Unusable:
        return True  # `choice_letter` meets the same contradiction and reports it.


def choice_letter(answer: str, options: Options, convention: Convention) -> str:
    """Letter of the correct option.

    Raises:
        Unusable: the answer names no option, is an index whose base is not known, or may be an index or a text.
    """
    number = index_given(answer)
    named = (
        None if number is not None and convention.always else letter_named(answer, options, letters=convention.letters)
    )
    if number is None or (named and not convention.count):
        if named is None:
            raise _not_in(answer, options)
        return named
    if named is None and convention.base is None:
        raise Unusable(
            "unknown_index_base",
            f"answer {answer} may count from 0 or from 1; say `index_base: 0` or `1` in the recipe's source",
        )
    place = number - (convention.base or 0)
    letter = letter_of(place) if 0 <= place < len(options.texts) else None
    if named and (letter != named or convention.base is None):
        raise Unusable(
            "ambiguous_answer",
            f"answer {answer} is the text of an option, and other rows of the file answer with an index; write the "
            "letter, or say `index_base: 0` or `1` in the recipe's source if all answers are indices",
        )
    if letter is None:
        raise _not_in(answer, options)
    return letter


def _not_in(answer: str, options: Options) -> Unusable:
    return Unusable("answer_not_in_options", f"answer {answer!r} is none of its {len(options.texts)} options")


def kind_of(options: Options, answer: str) -> str:
    """The answer type of a question that names none."""
    if options.texts:
        return "choice"
    if answer.lower().rstrip(".") in ("yes", "no"):
        return "yes_no"
    try:
        return "number" if math.isfinite(float(answer)) else "text"
    except ValueError:
        return "text"


def check_open(answer: str, kind: str, *, given_kind: bool) -> None:
    """Refuse an answer that nobody could give to an open question of its type.

    `given_kind` is whether the row or the recipe says that the question is open.

    Raises:
        Unusable: `bad_answer`, or `no_options` where the answer is the letter of an option that the row does not have.
    """
    if kind == "yes_no" and re.split(r"\W", answer.lower().strip("\"'*_ "))[0] not in _YES_NO:
        raise Unusable("bad_answer", f"answer {answer!r} is neither yes nor no")
    if kind == "time" and not re.search(r"\d", answer):
        raise Unusable("bad_answer", f"answer {answer!r} is no time; write seconds or mm:ss")
    if kind == "number" and not states_number(answer):
        raise Unusable("bad_answer", f"answer {answer!r} is no number; write figures or number words, or type: text")
    if kind == "text" and not given_kind and is_letter(answer):
        raise Unusable(
            "no_options",
            f"answer {answer!r} is an option's letter, but the row has no options that can be read; name their column "
            "in the recipe's source (`columns: {options: ...}`), or say `columns: {options: null}` if the letter "
            "itself is the answer",
        )
