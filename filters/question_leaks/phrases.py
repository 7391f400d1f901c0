"""Options and answers: which are equal, and which say nothing about the question that they belong to."""

from __future__ import annotations

import re

import numpy as np

from filters.question_leaks.tokens import Tokens, normal

GENERIC = frozenset(
    """
    yes no true false maybe unknown none neither both all any other unsure sure not above below following these those
    option answer choice cannot can't be determined determine tell say said known clear information given provided
    mentioned shown enough of the and or it is correct wrong right incorrect 0 1 2 3 4 5 6 7 8 9
    si sí non oui ja nein да нет 是 否 不是 没有 有 对 错 不对 正确 错误 以上 都是 全部 はい いいえ 예 아니요 네
    time times second seconds minute minutes hour hours day days once twice never always sometimes
    """.split()
)
"""Words of options that any question may have. An option of nothing else, of letters or of figures, is generic."""
_FIGURE = re.compile(r"[\d.,:%]+|[+\-=<>$€£¥°]|[a-z]|i{1,3}|i?vi{0,3}|st|nd|rd|th|am|pm")
_NORMAL = GENERIC | frozenset(normal(word) for word in GENERIC)


def generic(tokens: Tokens) -> np.ndarray:
    """(texts,) bool: whether a phrase is yes, no, a figure, a letter, `all of the above` or the like."""
    said = np.array([word in _NORMAL or bool(_FIGURE.fullmatch(word)) for word in tokens.vocabulary], bool)
    counts = np.concatenate([[0], np.cumsum(said[tokens.words])])
    return counts[tokens.starts[1:]] - counts[tokens.starts[:-1]] == tokens.lengths
