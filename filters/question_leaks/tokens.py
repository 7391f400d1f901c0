"""Many texts as numbered words: what all comparisons of questions, options and answers work on.

Polars splits all texts at once, and each different word is normalised once: 2 CPU microseconds a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from filters.graders.grade import singular
from videozoomer.protocol.number_words import SMALL

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts without spaces between words. Two neighbouring characters of them count as a word."""
_MARKS = ".?!;:,\n。？！；：，、…)]"
"""They end a clause."""
_PATTERN = "|".join(
    (
        rf"[{UNSPACED}]",
        r"\d+(?:[.,:]\d+)*",
        rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}\d]]+(?:'[\p{{L}}\p{{M}}]+)?",
        r"[+#%°$€£¥=<>]",
        r"[.?!;:,\n。？！；：，、…)\]]",
    )
)
_UNSPACED_CHARACTER = re.compile(
    "[\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
    "\U00020000-\U0003ffff]"
)
_ARTICLES = frozenset(("a", "an", "the"))
_NO_FIGURES = frozenset(("no", "none", "never", "once"))
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Words of many texts, one after the other."""

    words: np.ndarray
    """int64: the number of each word in `vocabulary`."""
    starts: np.ndarray
    """(texts + 1) int64: text i has `words[starts[i]:starts[i + 1]]`."""
    ends_clause: np.ndarray
    """bool: whether a mark such as a comma or a question mark follows the word."""
    vocabulary: list[str]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.starts)

    def of(self, text: int) -> list[str]:
        return [self.vocabulary[word] for word in self.words[self.starts[text] : self.starts[text + 1]]]

    def kept(self, keep: np.ndarray) -> Tokens:
        """The same texts with only the words where `keep` is true."""
        counts = np.concatenate([[0], np.cumsum(keep)])
        return Tokens(self.words[keep], counts[self.starts], self.ends_clause[keep], self.vocabulary)

    def hashes(self) -> np.ndarray:
        """(texts,) uint64: equal for the same words in the same order."""
        return combined(mixed(self.words.astype(np.uint64)), self.starts, ordered=True)


def mixed(values: np.ndarray) -> np.ndarray:
    """Well-spread uint64 of numbers (the finaliser of SplitMix64)."""
    values = (values + np.uint64(1)) * _FACTOR
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def combined(values: np.ndarray, starts: np.ndarray, *, ordered: bool) -> np.ndarray:
    """One uint64 for each stretch of hashes; 0 for an empty one."""
    if ordered:
        place = np.arange(len(values)) - np.repeat(starts[:-1], np.diff(starts))
        values = mixed(values + place.astype(np.uint64) * _FACTOR)
    totals = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)])
    return totals[starts[1:]] - totals[starts[:-1]]


def tokenise(texts: Sequence[str]) -> Tokens:
    """Words in lower case, singular, without articles, number words as figures; a text without words is one word."""
    plain = pl.Series("word", texts, dtype=pl.String).str.normalize("NFKC").str.to_lowercase()
    found = plain.str.replace_all("[’‘`]", "'").str.extract_all(_PATTERN)
    found = pl.select(pl.when(found.list.len() > 0).then(found).otherwise(pl.concat_list(plain))).to_series()
    counts = found.list.len().to_numpy().astype(np.int64)
    exploded = found.explode() if len(texts) else pl.Series("word", [], dtype=pl.String)
    exploded = exploded.rename("word")
    different = exploded.unique(maintain_order=True)
    codes = exploded.to_frame().join(
        different.to_frame().with_row_index("code"), on="word", how="left", maintain_order="left"
    )
    return _tokens(different.to_list(), codes["code"].to_numpy().astype(np.int64), counts)


def _tokens(spelt: list[str], codes: np.ndarray, counts: np.ndarray) -> Tokens:
    """`spelt` are the different words as they were found, `codes` their order in all texts."""
    numbers: dict[str, int] = {}
    form = np.array([numbers.setdefault(normal(word), len(numbers)) for word in spelt], np.int64)
    is_mark = np.array([word in _MARKS for word in spelt], bool)
    is_article = np.array([word in _ARTICLES for word in spelt], bool)
    unspaced = np.array([len(word) == 1 and bool(_UNSPACED_CHARACTER.match(word)) for word in spelt], bool)
    text = np.repeat(np.arange(len(counts)), counts)
    # A mark is no word; it says of the word before it that it ends a clause. A text of nothing else keeps its words.
    bare = np.bincount(text, ~(is_mark | is_article)[codes], minlength=len(counts)) == 0
    keep = ~(is_mark | is_article)[codes] | bare[text]
    ends = np.zeros(len(codes), bool)
    ends[:-1] = is_mark[codes[1:]] & (text[:-1] == text[1:])
    ends |= np.append(text[1:] != text[:-1], True) if len(text) else ends
    kept = np.flatnonzero(keep)
    words, text, ends, unspaced = form[codes[kept]], text[kept], ends[kept], unspaced[codes[kept]]
    follows = np.zeros(len(words), bool)
    if len(words):
        follows[:-1] = unspaced[:-1] & unspaced[1:] & (text[:-1] == text[1:])
    vocabulary = list(numbers)
    if follows.any():
        pairs, inverse = np.unique(
            words[:-1][follows[:-1]] * len(vocabulary) + words[1:][follows[:-1]], return_inverse=True
        )
        joined = words.copy()
        joined[np.flatnonzero(follows)] = len(vocabulary) + inverse
        # The last character of a run is in the pair before it already.
        last = np.zeros(len(words), bool)
        last[1:] = follows[:-1] & ~follows[1:]
        ends[:-1] |= last[1:] & ends[1:]
        vocabulary += [vocabulary[pair // len(numbers)] + vocabulary[pair % len(numbers)] for pair in pairs]
        words, text, ends = joined[~last], text[~last], ends[~last]
    starts = np.concatenate([[0], np.cumsum(np.bincount(text, minlength=len(counts)))]).astype(np.int64)
    return Tokens(words, starts, ends, vocabulary)


def normal(word: str) -> str:
    """The form in which a lower-case word is compared."""
    if word in SMALL and word not in _NO_FIGURES:
        return str(SMALL[word])
    return singular(word) or word
