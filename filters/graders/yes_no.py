"""Yes or no, in the languages that models answer in, as a word or as a short sentence ('He does not')."""

from __future__ import annotations

import re

from filters.graders.dress import undress
from filters.graders.grade import Grade, graded
from filters.graders.phrases import BECAUSE, CORRECTED, HEDGED, lines
from filters.graders.statement import conclude, gives_none
from videozoomer.protocol.question import Question

NAME = "yes_no"


def _words(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Every answer of a list, and those after its bar, which may also open a sentence."""
    listed = lines(name)
    bar = listed.index("|")
    return frozenset(listed) - {"|"}, frozenset(listed[bar + 1 :])


_YES, _STRONG_YES = _words("yes")
_NO, _STRONG_NO = _words("no")
_LABEL = re.compile(r"^[(\[]?[A-D][)\].:]+\s*(?=\S)")
_FIRST = re.compile(r"\s*([^\W\d_]+|[01](?!\d))", re.I)
_ADVERB = re.compile(
    r"^(?:definitely|certainly|absolutely|clearly|probably|most likely|likely|oh|well|i think|i believe|i would say"
    r"|i'd say|so|it seems|most definitely|almost certainly)[,\s]+(?=(?:yes|no|true|false|not|yep|nope|yeah)\b)",
    re.I,
)
_AUX = r"(?:does|do|did|is|are|was|were|has|have|had|can|could|will|would|should)"
_NOUN = r"(?!never|not|no\b|hardly|rarely|seldom|barely|answer|option|choice|response|question|opposite)\w+"
_SUBJECT = (
    rf"(?:he|she|it|they|we|you|i|there|this|that|these|those|(?:the|a|an|his|her|their)\s+{_NOUN}(?:\s+{_NOUN})?)"
)
_ELLIPSIS = re.compile(
    rf"{_SUBJECT}\s+(?P<aux>{_AUX})\s*(?P<no>n't|\s+not|\s+never)?(?:\s+(?:indeed|so|at all|one|any))?", re.I
)
_SENTENCE = re.compile(rf"{_SUBJECT}(?:\s+|(?='))(?:{_AUX}|'s|'re|'m)\s*(?:n't|not\b|never\b)", re.I)
_STRESSED = re.compile(
    rf"{_SUBJECT}\s+(?:really|indeed|actually|definitely|certainly|clearly)\s"
    r"|(?:he|she|it|they) (?:does|do|did) [a-z]+",
    re.I,
)
"""'He does open it': after a no, a contradiction."""
_OTHER = re.compile(
    r"\b(?:yes|no|true|false|yep|yeah|nope|correct|incorrect|wrong|oui|nein|sí|да|нет)\b|是的|不是|はい|いいえ|네(?!\w)|아니",
    re.I,
)
_BEGINS = re.compile(
    r"\s*(?:[,;:.!\-(]|\n|\Z|because\b|since\b|as\b|the\b|there\b|he\b|she\b|it\b|they\b|this\b|that\b|we\b|you\b|i\b|as\b|a\b|sir\b|indeed\b|definitely\b|(?=[^\x00-\x7f]))",
    re.I,
)


def compare(question: Question, answer: str) -> Grade:
    """`correct` or `wrong` where the answer is yes or no, alone or with an explanation that does not contradict it."""
    expected, given = value(question.answer), value(answer)
    if expected is None:
        return graded("unknown", NAME, f"the question's own answer {question.answer!r} is neither yes nor no")
    if given is not None:
        verdict = "correct" if given == expected else "wrong"
        return graded(verdict, NAME, f"{answer[:200]!r}, expected {question.answer!r}")  # type: ignore[arg-type]
    text = undress(answer)
    if not text.strip(" .?!-") or (gives_none(text) and _FIRST.match(text) and not _stated(text)):
        return graded("wrong", NAME, f"{answer[:200]!r} gives no answer")
    if re.fullmatch(r"(?:both )?(?:yes|no|true|false)\s*(?:/|or|and|,)\s*(?:yes|no|true|false)\.?", text, re.I):
        return graded("wrong", NAME, f"{answer[:200]!r} says both")
    return graded("unknown", NAME, f"{answer[:200]!r} is not clearly yes or no")


def _stated(text: str) -> bool:
    return (
        bool(re.search(r"\b(?:yes|true|probably|likely|lean)\b", text, re.I)) or _ELLIPSIS.fullmatch(text) is not None
    )


def value(text: str) -> bool | None:
    """True for yes, False for no, None for anything else."""
    text = undress(text).strip()
    said = conclude(text)
    if said.doubt:
        return None
    first = _LABEL.sub("", said.whole if said.marked else text).strip()
    if (whole := _exact(first)) is not None:
        return whole
    if (whole := _exact(_LABEL.sub("", said.whole).strip())) is not None and not _FIRST_WORD_NO.match(first):
        return whole
    first = _ADVERB.sub("", first)
    first = _ADVERB.sub("", first)
    if (whole := _exact(first)) is not None:
        return whole
    return _led(first)


_FIRST_WORD_NO = re.compile(r"\s*(?:yes|no|not)\b", re.I)


def _exact(text: str) -> bool | None:
    text = re.sub(r"\s+", " ", text.strip(" .!,;:。！-*\"'")).casefold()
    if text in _YES:
        return True
    if text in _NO:
        return False
    if (short := _ELLIPSIS.fullmatch(text)) is not None:
        return short["no"] is None
    words = re.split(r"[,;.!\s]+", text)
    if len(words) > 1 and all(word in _STRONG_YES for word in words):
        return True
    if len(words) > 1 and all(word in _STRONG_NO for word in words):
        return False
    return None


def _led(text: str) -> bool | None:
    """Yes or no as the first word, with an explanation after it that does not take it back."""
    found = _FIRST.match(text)
    if found is None:
        return None
    word, rest = found[1].casefold(), text[found.end() :]
    said = True if word in _STRONG_YES else False if word in _STRONG_NO else None
    if said is None or not _BEGINS.match(rest):
        return None
    if word in (
        "true",
        "false",
        "correct",
        "incorrect",
        "right",
        "wrong",
        "never",
        "definitely",
        "certainly",
        "absolutely",
        "indeed",
    ) and not re.match(r"\s*[,;:.!\n(]|\s+-\s|\s*\Z|\s+because\b", rest):
        return None
    tail = re.sub(r"^[\s,;:.!\-(]+", "", rest)
    if not tail:
        return said
    if re.match(r"(?:except|unless|if|only|until|apart|other than)\b|\d", tail, re.I):
        return None
    opening = re.split(r"(?<=[.!?;])\s|\n|,\s", tail)[0].strip(" .!)")
    short = _ELLIPSIS.fullmatch(opening)
    if short is not None and (short["no"] is None) != said:
        return None
    if said and (_SENTENCE.match(opening) or re.match(r"(?:not|never|nobody|none)\b", opening, re.I)):
        return None
    if not said and _STRESSED.match(opening) and not re.search(r"\bnot\b|n't\b|never", opening):
        return None
    if _OTHER.search(tail) or re.search(r"\?", rest[:3]):
        return None
    if (
        (HEDGED.search(tail) and not BECAUSE.match(rest))
        or CORRECTED.search(re.split(r"(?<=[.!?])\s|\n", tail)[0])
        or re.search(r"\b(?:wait|actually|correction|scratch|sorry|mistake|instead|on second thought)\b", tail, re.I)
    ):
        return None
    return None if gives_none(tail) else said
