"""Which items of both sides are worth a comparison, in time that grows with the number of items, not of pairs.

All three joins demand the same answer. Keys that too many evaluation items have are left out: they prove nothing, and
without that limit two sets of formulaic questions would be compared pair by pair.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from filters.question_leaks.corpus import Items
from filters.question_leaks.tokens import mixed

MOST = 256
"""Evaluation items with one key, from which the key is left out."""


def candidates(train: Items, evaluation: Items, containment: float) -> np.ndarray:
    """(2, pairs) items of both sides, each pair once: all with equal wordings, those that share a rare option, and
    those whose shared words may weigh `containment` of the lighter side."""
    heavy_train, heavy_evaluation = (_heavy(side.words, 1 - containment) for side in (train, evaluation))
    found = [
        _join(*_keys(train, _wordings(train)), *_keys(evaluation, _wordings(evaluation))),
        _join(*_keys(train, _cells(train.rare)), *_keys(evaluation, _cells(evaluation.rare))),
        _join(*_keys(train, heavy_train), *_keys(evaluation, _cells(evaluation.words))),
        _join(*_keys(train, _cells(train.words)), *_keys(evaluation, heavy_evaluation)),
    ]
    pairs = np.unique(np.concatenate([left * len(evaluation) + right for left, right in found]))
    return np.stack([pairs // max(1, len(evaluation)), pairs % max(1, len(evaluation))])


def same_items(train: Items, evaluation: Items) -> np.ndarray:
    """(2, pairs) items with equal wordings, options and answers, however many there are."""
    keys = [mixed(mixed(_with_answer(side.wording, side.answer)) ^ side.options) for side in (train, evaluation)]
    return np.stack(_join(keys[0], np.arange(len(train)), keys[1], np.arange(len(evaluation)), most=None))


def _wordings(items: Items) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(items)), items.wording


def _cells(matrix: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every cell with a weight."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    weighs = matrix.data > 0
    return rows[weighs], matrix.indices[weighs].astype(np.int64)


def _heavy(matrix: sparse.csr_array, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The heaviest words of each row, until the others weigh less than 1 - `share` of it.

    Two rows that share more than that share one of these words.
    """
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    rows, columns, weights = rows[order], matrix.indices[order].astype(np.int64), matrix.data[order]
    totals = np.concatenate([[0.0], np.cumsum(weights)])
    before = totals[:-1] - totals[matrix.indptr[rows]]
    whole = (totals[matrix.indptr[1:]] - totals[matrix.indptr[:-1]])[rows]
    needed = before <= share * whole
    return rows[needed], columns[needed]


def _keys(items: Items, cells: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = cells
    return _with_answer(columns.astype(np.uint64), items.answer[rows]), rows


def _with_answer(values: np.ndarray, answers: np.ndarray) -> np.ndarray:
    # Mixed twice on one side: options and answers are numbered alike, and (x, y) is not (y, x).
    return mixed(mixed(values)) ^ mixed(answers.astype(np.uint64))


def _join(
    left: np.ndarray, left_rows: np.ndarray, right: np.ndarray, right_rows: np.ndarray, most: int | None = MOST
) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(right, kind="stable")
    right, right_rows = right[order], right_rows[order]
    start, end = np.searchsorted(right, left, side="left"), np.searchsorted(right, left, side="right")
    count = end - start
    if most is not None:
        count[count > most] = 0
    at = np.repeat(start - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
    return np.repeat(left_rows, count), right_rows[at]
