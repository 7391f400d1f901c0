"""Questions of both sides as sparse rows of weighted words and options."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from filters.question_leaks import boilerplate, phrases
from filters.question_leaks.tokens import Tokens, combined, mixed, tokenise


@dataclass(frozen=True, slots=True)
class Items:
    """The different items of one side. An item is a wording with its options, in any order, and its answer's text."""

    of_question: np.ndarray
    """(questions,) int64: the item that each question is."""
    wording: np.ndarray
    """(items,) uint64: equal for equal words without boilerplate."""
    options: np.ndarray
    """(items,) uint64: equal for the same options; 0 without any."""
    answer: np.ndarray
    """(items,) int64: number of the answer's text in `Corpus.phrases`."""
    words: sparse.csr_array
    """(items, vocabulary) weight of each word of the wording."""
    rare: sparse.csr_array
    """(items, phrases) weight of each option; those of generic ones are 0."""

    def __len__(self) -> int:
        return len(self.wording)


@dataclass(frozen=True, slots=True)
class Corpus:
    train: Items
    evaluation: Items
    vocabulary: list[str]
    generic: np.ndarray
    """(phrases,) bool: whether a phrase says nothing about its question."""
    openings: tuple[str, ...]
    closings: tuple[str, ...]


def build(train: pl.DataFrame, evaluation: pl.DataFrame) -> Corpus:
    """Both have the columns `question`, `options` (list of texts) and `answer` (the answer's text, never a letter).

    Words and options are weighed by their rarity in both sides together: ln((n + 1) / (k + 1/2)) for one that k of n
    different wordings have.
    """
    both = pl.concat([frame.select("question", "options", "answer") for frame in (train, evaluation)])
    height = train.height
    texts = both["question"].unique(maintain_order=True)
    stripped = boilerplate.strip(tokenise(texts.to_list()))
    wording, first = _numbered(stripped.tokens.hashes())
    said = _rows(stripped.tokens, first)
    weighed = _weighed(said, len(first))

    options = both["options"].fill_null([])
    counts = options.list.len().to_numpy().astype(np.int64)
    offered = options.explode(empty_as_null=False).cast(pl.String)
    spelt = pl.concat([offered, both["answer"]]).unique(maintain_order=True)
    tokens = tokenise(spelt.to_list())
    number, first_phrase = _numbered(tokens.hashes())
    generic = phrases.generic(tokens)[first_phrase]
    option = number[_places(offered, spelt)]
    answer = number[_places(both["answer"], spelt)]

    question = wording[_places(both["question"], texts)]
    owner = np.repeat(np.arange(both.height), counts)
    pairs = np.unique(owner * len(first_phrase) + option)
    owner, option = pairs // len(first_phrase), pairs % len(first_phrase)
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=both.height))])
    chosen = combined(mixed(option.astype(np.uint64)), starts, ordered=False)
    held = sparse.csr_array(
        (np.ones(len(option)), option, starts), shape=(both.height, len(first_phrase)), dtype=np.float64
    )
    key = mixed(mixed(mixed(question.astype(np.uint64)) ^ chosen) ^ answer.astype(np.uint64))
    asked = mixed(question.astype(np.uint64)) ^ chosen
    # A copied question counts once on the training side; on the other, every question is about a film of its own.
    counted = np.concatenate([np.unique(asked[:height], return_index=True)[1], np.arange(height, both.height)])
    rarity = _rarity(held[counted], len(counted)) * ~generic
    held = held * rarity[None, :]

    def side(start: int, end: int) -> Items:
        _, one, items = np.unique(key[start:end], return_index=True, return_inverse=True)
        one = one + start
        return Items(
            items, question[one].astype(np.uint64), chosen[one], answer[one], weighed[question[one]], held.tocsr()[one]
        )

    return Corpus(
        side(0, height), side(height, both.height), stripped.tokens.vocabulary, generic,
        stripped.openings, stripped.closings,
    )  # fmt: skip


def _places(values: pl.Series, different: pl.Series) -> np.ndarray:
    """Where each value is among the different ones."""
    known = pl.DataFrame({"value": different}).with_row_index("place")
    found = pl.DataFrame({"value": values}).join(known, on="value", how="left", maintain_order="left")
    return found["place"].to_numpy().astype(np.int64)


def _numbered(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of each text, equal for equal hashes, and the first text of each number."""
    _, first, numbers = np.unique(hashes, return_index=True, return_inverse=True)
    return numbers, first


def _rows(tokens: Tokens, texts: np.ndarray) -> sparse.csr_array:
    """(texts, vocabulary) 1 for each word of the given texts."""
    matrix = sparse.csr_array(
        (np.ones(len(tokens.words)), tokens.words, tokens.starts), shape=(len(tokens), len(tokens.vocabulary))
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix[texts]


def _rarity(rows: sparse.csr_array, count: int) -> np.ndarray:
    held = np.bincount(rows.indices, minlength=rows.shape[1])
    return np.log((count + 1) / (held + 0.5))


def _weighed(rows: sparse.csr_array, count: int) -> sparse.csr_array:
    weights = _rarity(rows, count)
    return sparse.csr_array((weights[rows.indices], rows.indices, rows.indptr), shape=rows.shape)
