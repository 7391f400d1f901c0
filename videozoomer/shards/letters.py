"""Moves the option letters in what a player wrote, where it is beyond doubt that a letter names an option.

"B" may be an option, a team, a platform or a letter on a wall, "A" an article, and "the first option" names one without
a letter. A text in which anything is left open is refused with the reason; whoever asks leaves the whole row alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from videozoomer.protocol.options import LETTERS

_NAMES = (
    r"options?|choices?|answers?|alternatives?|opci[oó]n(?:es)?|respuestas?|réponses?|antwort(?:en)?|optionen|"
    r"opzion[ei]|rispost[ae]|opção|opções|respostas?|opties?|antwoord(?:en)?|вариант[а-я]*|ответ[а-я]*|"
    r"选项|答案|选择|選項|選擇|選択肢|答え|선택지|정답"
)
_BEFORE = re.compile(
    rf"(?:{_NAMES})(?:\s+(?:is|are|was|be|ist|es|est|è|é)|是|为|は)?[\s:：]*[(\[（\"'‘“*]*$", re.I
)  # fmt: skip
"""What stands before a letter that names an option: `option (`, `the answer is `, `答案是`."""
_AND = r"(?:and|or|nor|und|oder|y|et|ou|e|en|of)"
_JOINED = re.compile(rf"[)\]）\"'’”*]*(?:\s*[,/、]\s*(?:{_AND}\s+)?|\s+{_AND}\s+)[(\[（\"'‘“*]*", re.I)
"""What stands between such a letter and the next of a list: `options A, B and C`."""
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(?<![A-Za-z]['’])(?<![A-Z]\.)[A-Z](?![A-Za-z0-9])(?!-[a-z]{2})(?!\.[A-Za-z])")
_RANGE = re.compile(r"(?<![A-Za-z0-9])[A-Z]\s?[-–—~～至到.]\s?[A-Z](?![A-Za-z0-9])")
_ARTICLE = re.compile(r"A [a-z]{2,}")
_ENDS = re.compile(r"[)\]\"'’”*]*(?:\s*[,.;:)]|\s+(?:and|or|are|is)\b|\s*$)")
"""What stands after an A in a list that is no article."""
_AFTER_NOUN = frozenset(
    "can could would must might may will shall should cannot and or nor but to in for because since as with if than "
    "then seem fit match also only too not had did does do be been being which that while where when so over rather"
    .split()
)  # fmt: skip
"""Words after which "A" may be an option; so may it be before words in -s and -ed, which may be verbs."""
_SMALL = re.compile(
    rf"(?:(?i:{_NAMES})(?![A-Za-zÀ-ÿ])\s*(?:(?:is|are)\s|:)?\s*[(\[\"'*]*(?:[b-z](?![\w'’])|a(?:[).,;:\]\"'*]|\s*$)))"
    r"|\([a-z]\)|(?:^|[^\d\s]\s+)[b-hj-z][).:](?:\s|$)"
)
_ORDINAL = (
    r"(?:first|second|third|fourth|fifth|sixth|last|former|latter|next|previous|remaining|other|top|bottom|upper|lower|"
    r"final|middle|\d(?:st|nd|rd|th))"
)
_PLACES = re.compile(
    rf"\b{_ORDINAL}\s+(?:\w+\s+)?(?:{_NAMES}|ones?|two|three)\b|\b(?:former|latter)\b|\b(?:of )?the (?:above|below)\b|"
    rf"(?:{_NAMES})\s*(?:number|no\.?|nr\.?|#)?\s*\d|(?:{_NAMES})\s+(?:above|below)\b|"
    rf"\bthe {_ORDINAL}(?:\s+(?:is|are|was|and|or|nor|does|has|seems|fits|matches)\b|\s*[,.;:)])",
    re.I,
)
"""An option named by its place."""
_NAME = re.compile(_NAMES, re.I)
_ENGLISH_NAME = re.compile(r"options?|choices?|answers?|alternatives?", re.I)
_SEVERAL = re.compile(r"\b(?:all|none|both|neither|either|any|some) of\b|\b(?:both|neither)\b", re.I)
_ANSWER = re.compile(r"(?<=<answer>)(.*?)(?=</answer>)", re.S)
_THEN_TEXT = re.compile(r"[)\]）]*\s*[.:：)\]）]\s*[(\"'‘“]?")
"""What stands between a letter and its option's text: `B. `, `(B) `, `B: `."""
_BARE = re.compile(r"\s*[(\[]?([A-Z])[)\].:]?\s*")


class Unclear(ValueError):
    """The text may name an option in a way that cannot be moved safely; the message says how."""


def moves_safely(question: str, options: Sequence[str]) -> bool:
    """Whether neither the question nor an option names options by letter or place, so that their order is free."""
    letters = LETTERS[: len(options)]
    for text in (question, *options):
        named = any(found[0] in letters and not _is_article(text, found.start()) for found in _TOKEN.finditer(text))
        if named or _RANGE.search(text) or _PLACES.search(text):
            return False
    return len(set(options)) == len(options) and not any(_SEVERAL.search(option) for option in options)


def moved(reply: str, options: Sequence[str], to: Mapping[str, str]) -> str:
    """A reply with every letter moved. `to`: letter -> new letter, for each option; `options` in their old order.

    Raises:
        Unclear: some letter, or a place such as "the last option", is not beyond doubt.
    """
    parts: list[str] = []
    done = 0
    for match in _ANSWER.finditer(reply):
        parts += [_thought(reply[done : match.start()], options, to), moved_answer(match[0], options, to)]
        done = match.end()
    return "".join([*parts, _thought(reply[done:], options, to)])


def moved_answer(answer: str, options: Sequence[str], to: Mapping[str, str]) -> str:
    """A final answer with its letter moved: `B`, `(B)`, `B. a red disc`; or an option's text, which stays.

    Raises:
        Unclear: it is none of these.
    """
    if bare := _BARE.fullmatch(answer):
        if bare[1] not in to:
            raise Unclear(f"its answer is {bare[1]!r}, which no option has")
        return answer[: bare.start(1)] + to[bare[1]] + answer[bare.end(1) :]
    plain = answer.strip().rstrip(".").casefold()
    if plain in {option.strip().rstrip(".").casefold() for option in options}:
        return answer
    changed = _thought(answer, options, to)
    if changed == answer and any(letter != new for letter, new in to.items()):
        raise Unclear(f"its answer {answer!r} names no option")
    return changed


def _thought(text: str, options: Sequence[str], to: Mapping[str, str]) -> str:
    if found := _PLACES.search(text):
        raise Unclear(f"it names an option by its place: {found[0]!r}")
    if found := _SMALL.search(text):
        raise Unclear(f"it may name an option by a small letter: {found[0].strip()!r}")
    if (found := _RANGE.search(text)) and {found[0][0], found[0][-1]} & to.keys():
        raise Unclear(f"it names several options at once: {found[0]!r}")
    parts: list[str] = []
    done, named = 0, -1
    attached: set[int] = set()
    for match in _TOKEN.finditer(text):
        start = match.start()
        if _names_option(text, match, options, to, named):
            parts += [text[done:start], to[match[0]]]
            done = named = match.end()
            if before := _BEFORE.search(text[:start]):
                attached.add(before.start())
        elif match[0] in to and not _is_article(text, start):
            raise Unclear(f"it is not clear what {text[max(0, start - 20) : start + 20]!r} names")
    for match in _NAME.finditer(text):
        if not _ENGLISH_NAME.fullmatch(match[0]) and match.start() not in attached:
            raise Unclear(f"it may name an option in words: {text[match.start() : match.end() + 15]!r}")
    return "".join([*parts, text[done:]])


def _names_option(text: str, match: re.Match[str], options: Sequence[str], to: Mapping[str, str], named: int) -> bool:
    letter, start, end = match[0], match.start(), match.end()
    if letter not in to:
        return False
    own = options[LETTERS.index(letter)].strip()
    after = _THEN_TEXT.match(text[end:])
    with_text = after is not None and own != "" and text[end + after.end() :].casefold().startswith(own.casefold())
    if letter == "A" and _is_article(text, start):
        return False
    listed = named >= 0 and _JOINED.fullmatch(text[named:start]) is not None
    if listed and letter == "A" and not _ENDS.match(text[end:]):
        return False
    return with_text or listed or _BEFORE.search(text[:start]) is not None


def _is_article(text: str, start: int) -> bool:
    """Whether an A at the start of a sentence is an article: a word that cannot be a verb follows."""
    begins = start == 0 or text[:start].rstrip(" \"'“(")[-1:] in "\n.!?:;>" or not text[:start].strip()
    found = _ARTICLE.match(text, start)
    if text[start] != "A" or not begins or not found:
        return False
    word = found[0][2:]
    return word == "red" or not (word in _AFTER_NOUN or word.endswith(("s", "ed")))
