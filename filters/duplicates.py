"""Whether two questions ask the same: a function that a rule calls from SQL.

Two questions about one film with one answer may still ask different things: 'the red disc' and 'the blue disc', 'left
of' and 'right of', 'open' and 'not open'. So the words that carry the meaning are compared, not the letters. Some
decide alone: negations, numbers, names, and words of order, place and quality, each with the word that follows it. Of
the others, one that only one side has makes the questions less alike, and one in place of another makes them
different.

Paraphrases in other words need an embedding, for which no recipe names a model; both questions are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+(?:[.,:]\d+)*")
WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
"""Scripts without spaces between words; each of their characters counts as a word."""

EMPTY = frozenset(
    """
    a an the is are was were be been being am do does did done doing has have had having can could will would shall
    should may might must of in on at to into onto by for from with as that which what who whom whose when where why
    how this these those it its he she they them his her their there here then and so but than too very please just
    right exact exactly actually precisely another each video film clip footage scene question following option
    answer many much number amount count total time moment point second seconds which kind sort type name happen
    occur one ones some any all shape shapes object objects thing things item items figure figures symbol symbols
    """.split()
)
"""Words that ask or join, those that mean the film itself, and nouns that any other noun may stand for."""
NEGATIONS = frozenset("not no never none nobody nothing neither nor without cannot except hardly".split())
NUMBERS = frozenset(
    """
    zero two three four five six seven eight nine ten eleven twelve first third fourth fifth sixth seventh eighth ninth
    tenth last final initial once twice thrice half double both
    """.split()
)
RELATIONS = frozenset(
    """
    before after during while until since left above below under over behind beside inside outside up down top bottom
    front back east west north south more less fewer most least earlier later next previous between against near far out
    off
    """.split()
)
QUALITIES = frozenset(
    """
    red blue green yellow white black orange purple grey pink brown teal cyan magenta gold silver violet turquoise light
    dark bright big small tall short long wide narrow old young new hot cold open closed full empty high low fast slow
    male female man woman boy girl
    """.split()
)
DECIDERS = NEGATIONS | NUMBERS | RELATIONS | QUALITIES
SYNONYMS = {
    word: group.split()[0]
    for group in (
        "appear shown show seen see visible emerge display",
        "begin start commence",
        "end finish stop conclude",
        "color colour",
        "grey gray",
        "big large huge",
        "small little tiny",
        "car automobile",
        "picture image photo",
        "paint draw drawn drew",
        "wear dress worn wore",
        "hold carry held",
        "person people individual",
        "speak talk",
        "kid child children",
        "closed shut",
        "bike bicycle",
        "television tv",
        "movie film",
        "left lefthand",
        "final last",
        "initial first",
    )
    for word in group.split()
}
SYNONYM_WEIGHT = 0.95
"""How alike two synonyms are; words are 1."""
ADDED_WEIGHT = 0.25
"""Weight of a word that only one side has: it narrows the question, but the answer is the same."""
MISSPELT = 6
"""Letters from which a word with one letter more or less is a misspelling."""


@dataclass(frozen=True, slots=True)
class Meaning:
    words: frozenset[str]
    """Words that are neither empty nor deciding, without their endings."""
    spelt: frozenset[str]
    """The same before synonyms were replaced."""
    decided: frozenset[tuple[str, str]]
    """Deciding words and names, each with the word that follows it."""


@lru_cache(50_000)
def meaning(question: str) -> Meaning:
    tokens = _tokens(question)
    words, spelt, decided = set(), set(), set()
    for place, (token, name) in enumerate(tokens):
        if token in DECIDERS or name or token[0].isdigit() or token.endswith(("n't", "n’t")):
            decided.add((SYNONYMS.get(token, token), _following(tokens, place)))
        elif token not in EMPTY:
            spelt.add(_stem(token))
            words.add(_stem(SYNONYMS.get(token, SYNONYMS.get(_stem(token), token))))
    return Meaning(frozenset(words), frozenset(spelt), frozenset(decided))


def sameness(left: str, right: str) -> float:
    """How much two questions ask the same, from 0 (something else) to 100 (the same words with meaning)."""
    one, other = meaning(left), meaning(right)
    if one.decided != other.decided:
        return 0.0
    only_one, only_other = one.words - other.words, other.words - one.words
    matched = float(len(one.words & other.words) + len(one.decided))
    if one.spelt != other.spelt and one.words == other.words:
        matched -= (1 - SYNONYM_WEIGHT) * len(one.spelt - other.spelt)
    for word in sorted(only_one):
        alike = {near: score for near in only_other if (score := _misspelt(word, near))}
        if alike:
            near = max(sorted(alike), key=lambda one: alike[one])
            only_one, only_other = only_one - {word}, only_other - {near}
            matched += alike[near]
    if only_one and only_other:
        return 0.0
    shared = len(one.words) - len(only_one) + len(one.decided)
    size = shared + ADDED_WEIGHT * (len(only_one) + len(only_other))
    return 100 * matched / size if size else 100.0


def _tokens(question: str) -> list[tuple[str, bool]]:
    """Words in lower case, and whether each is a name: a capital within a sentence."""
    found = []
    begins = True
    for match in WORD.finditer(question):
        word, gap = match[0], question[: match.start()].rstrip()
        begins = not gap or gap[-1] in ".?!:\"'“("
        if WITHOUT_SPACES.search(word):
            found += [(character, False) for character in word]
        else:
            name = word[0].isupper() and not begins and word != "I" and not question.isupper()
            found.append((word.lower(), name))
    return found


def _following(tokens: list[tuple[str, bool]], place: int) -> str:
    """The next word with meaning, which a deciding word is about; a word of place or order begins something else."""
    for token, _ in tokens[place + 1 :]:
        if token in RELATIONS:
            break
        if token not in EMPTY:
            return _stem(SYNONYMS.get(token, token))
    return ""


def _stem(word: str) -> str:
    """The word without the endings of English plurals and verbs."""
    for ending, least in (("ing", 6), ("ed", 5), ("es", 5), ("s", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiousl":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


def _misspelt(word: str, other: str) -> float:
    """Likeness of two spellings of one word, 0 for different words."""
    from rapidfuzz.distance import Indel

    if min(len(word), len(other)) < MISSPELT or Indel.distance(word, other) > 1 or word[0] != other[0]:
        return 0.0
    return float(Indel.normalized_similarity(word, other))


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the comparison callable from SQL under its own name."""
    connection.create_function("sameness", sameness, ["VARCHAR", "VARCHAR"], "DOUBLE")
