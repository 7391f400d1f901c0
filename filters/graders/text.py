"""A few words: correct if equal in normal form, wrong if they differ in a word that excludes the other; a judge
decides the rest."""

from __future__ import annotations

import re
import unicodedata

from filters.graders.dress import undress
from filters.graders.grade import Grade, Verdict, graded
from filters.graders.number_words import as_digits
from filters.graders.phrases import MARKER
from filters.graders.spellings import PLURALS, SHORT, one_spelling, opposite
from filters.graders.statement import gives_none
from videozoomer.protocol.question import Question

NAME = "text"

_ARTICLES = {"a", "an", "the"}
_OWNER = {"his", "her", "its", "their", "my", "your", "our"}
_PLACE = {"in", "on", "at", "inside", "into", "with", "by", "to", "from"}
_WORD = re.compile(
    r"-?[$€£]?\d+(?:[.,:]\d+)*(?:%|°[cf]?)?|\d+|(?:[^\W\d_]\.){2,}|[^\W_]+(?:\+\+|#)|[^\W_]+(?:'[^\W_]+)*|[%$€£#@<>=&+]",
    re.I,
)
_LEAD = re.compile(
    r"(?:(?:it|that|this|these|those|they|he|she|there)\s*(?:'s|'re|\bis|\bare|\bwas|\bwere)"
    r"|i (?:think|believe|see|would say|saw)(?: (?:that|it is|it's))?"
    r"|(?:the|his|her|its|their) (?!answer|opposite|other|second|wrong|false)[a-z]+ (?:is|are|was|were)"
    r"|so|therefore|in the (?:video|clip)|clearly|c'est|es ist|è|es|é)\b[\s,:]*(?=\S)",
    re.I,
)
_CONTRACTED = [
    (re.compile(r"\b(can)'?not\b|\bcan't\b", re.I), "can not"),
    (re.compile(r"\bwon't\b", re.I), "will not"),
    (re.compile(r"n't\b", re.I), " not"),
    (re.compile(r"\b(he|she|it|that|there|who|what|where|here)'s\b", re.I), r"\1 is"),
    (re.compile(r"'re\b", re.I), " are"),
    (re.compile(r"\bi'm\b", re.I), "i am"),
    (re.compile(r"'ll\b", re.I), " will"),
    (re.compile(r"'ve\b", re.I), " have"),
    (re.compile(r"(?<=\w)'s\b", re.I), ""),
    (re.compile(r"(?<=s)'(?=\s|$)", re.I), ""),
]
_WORDS_IN_CAPITALS = {
    "it",
    "us",
    "who",
    "am",
    "or",
    "in",
    "on",
    "is",
    "no",
    "so",
    "he",
    "me",
    "we",
    "may",
    "can",
    "will",
    "at",
    "as",
    "be",
}


def compare(question: Question, answer: str) -> Grade:
    expected = question.answer
    return graded(verdict(expected, answer), NAME, f"{answer[:200]!r}, expected {expected!r}")


def verdict(expected: str, given: str) -> Verdict:
    """`correct` if the words are the same up to case, punctuation, articles, spelling and the plural of plain nouns.

    `wrong` if nothing is given, or if all words are the same except for some that exclude each other: figures,
    colours, sides, a negation. Anything else is `unknown`: likeness decides nothing, and a synonym looks like nothing.
    """
    left_text, right_text = undress(expected), undress(given)
    if left_text == right_text.strip() and left_text:
        return "correct"
    left = tokens(left_text)
    if not right_text.strip(" .?!"):
        return "unknown" if not left else "wrong"
    if not left:
        return "unknown"
    for form in _forms(right_text):
        if _equal(left, tokens(form), left_text, form):
            return "correct"
    if gives_none(right_text) and not gives_none(left_text) and not set(left) & set(tokens(right_text)):
        return "wrong"
    return "wrong" if any(_excludes(left, tokens(form)) for form in _forms(right_text)) else "unknown"


def _forms(text: str) -> list[str]:
    """The text, and without its marker and leads ('The answer is', 'It is', 'The car is')."""
    forms = [text]
    marked = MARKER.match(text)
    bare = text[marked.end() :].strip() if marked and text[marked.end() :].strip(" .:") else text
    forms.append(bare.strip(" :"))
    for _ in range(3):
        found = _LEAD.match(bare)
        if found is None:
            break
        bare = bare[found.end() :].strip()
        forms.append(bare)
    return list(dict.fromkeys(forms))


def tokens(text: str) -> tuple[str, ...]:
    """Words in lower case in one spelling, figures with their signs."""
    text = as_digits(text)
    for pattern, full in _CONTRACTED:
        text = pattern.sub(full, text)
    text = re.sub(r"(?<=\d)\s+(?=%)", "", text)
    found = [word.casefold() for word in _WORD.findall(text)]
    found = [word.replace(".", "") if re.fullmatch(r"(?:[^\W\d_]\.){2,}", word) else word for word in found]
    joined = " ".join(one_spelling(word) for word in found)
    joined = SHORT.get(joined, joined)
    parts = joined.split()
    return tuple(SHORT.get(part, part) if len(parts) > 1 else part for part in parts)


def _equal(left: tuple[str, ...], right: tuple[str, ...], left_text: str, right_text: str) -> bool:
    if not right or _acronym(left_text, right_text):
        return False
    if left == right:
        return True
    bare_left, bare_right = _bare(left), _bare(right)
    if not bare_left or not bare_right:
        return False
    if bare_left == bare_right:
        return _same_articles(left, right)
    if [_folded(word) for word in bare_left] == [_folded(word) for word in bare_right]:
        return True
    for loose in (_OWNER, _PLACE, _PLACE | _OWNER):
        # A word that only one of them opens with says nothing that the other denies.
        extra = bare_right if len(bare_right) > len(bare_left) else bare_left
        short = bare_left if extra is bare_right else bare_right
        opened = extra
        while opened and opened[0] in loose:
            opened = opened[1:]
        if opened and opened == short and short[0] not in _PLACE | _OWNER:
            return True
    if (
        ("-" in left_text or "-" in right_text)
        and "".join(bare_left) == "".join(bare_right)
        and not any(c.isdigit() for c in "".join(left))
    ):
        return True
    if (
        left_text[:1].isupper()
        and not right_text[:1].isupper()
        and right_text.casefold() != left_text.casefold()
        and len(left) == 1
    ):
        return False
    proper = len(left) == 1 and left_text[:1].isupper()
    return (
        len(bare_left) == len(bare_right)
        and not proper
        and all(
            one == other or (PLURALS.get(one, one)) == (PLURALS.get(other, other))
            for one, other in zip(bare_left, bare_right, strict=True)
        )
    )


def _same_articles(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """Articles may be missing, not changed where nothing else is there."""
    return set(left) - _ARTICLES != set() and set(right) - _ARTICLES != set()


def _bare(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in _ARTICLES)


def _folded(word: str) -> str:
    for umlaut, two in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), ("æ", "ae"), ("ø", "oe"), ("å", "aa")):
        if umlaut in word:
            word = word.replace(umlaut, two)
    folded = "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))
    return folded if re.fullmatch(r"[\x00-\x7f]*", folded) else word


def _acronym(left: str, right: str) -> bool:
    """IT is not it: a word in capitals that is another word in small letters."""
    return any(
        one.isupper() and one.casefold() in _WORDS_IN_CAPITALS and other == other.casefold() and one.casefold() == other
        for one, other in ((left, right), (right, left))
    )


def _excludes(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """Whether two texts are the same but for words that cannot both be true."""
    one, other = _bare(left), _bare(right)
    if len(one) == len(other):
        pairs = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
        if pairs and all(_apart(a, b) for a, b in pairs):
            return True
    denials = {"not", "no", "never", "without"}
    return bool(set(one) & denials) != bool(set(other) & denials) and [w for w in one if w not in denials] == [
        w for w in other if w not in denials
    ]


def _apart(one: str, other: str) -> bool:
    if re.fullmatch(r"\d+", one) and re.fullmatch(r"\d+", other):
        return True
    return opposite(one, other)
