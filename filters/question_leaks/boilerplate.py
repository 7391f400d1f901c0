"""Openings and closings that are put to many questions, mined from the questions themselves.

`In this clip, ...`, `... Please answer with the letter.` A list of such phrases would know one language and one
author, so what counts is how a phrase is used: it stands before (or after) many different questions and is a clause of
its own, or some questions are there both with it and without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.question_leaks.tokens import Tokens, mixed

LONGEST = 16
"""Words of the longest opening or closing."""
LEAST_LEFT = 3
"""Words that must be left of a question."""
CLAUSE_USES = 5
"""Different questions that share a clause before (or after) them, from which it is boilerplate."""
CLAUSE_SHARE = 0.002
"""The same as a share of all questions; the larger of both decides."""
PAIR_WORDS = 2
"""Words, at least, of a phrase that is no clause of its own. It is boilerplate if as many different questions are there
both with it and without it."""
ROUNDS = 3
"""Phrases of one side that are taken off, one after the other."""
_BASE = np.uint64(0x100000001B3)


@dataclass(frozen=True, slots=True)
class Stripped:
    tokens: Tokens
    openings: tuple[str, ...]
    """The phrases that were taken off, most used first."""
    closings: tuple[str, ...]


def strip(tokens: Tokens) -> Stripped:
    """The texts, which should differ, without the boilerplate before and after them."""
    first, last = tokens.starts[:-1].copy(), tokens.starts[1:].copy()
    found: tuple[dict[int, tuple[int, str]], dict[int, tuple[int, str]]] = ({}, {})
    for _ in range(ROUNDS):
        changed = False
        for side in (0, 1):
            cut = _cuts(tokens, first, last, side, found[side])
            changed |= bool(cut.any())
            if side == 0:
                first += cut
            else:
                last -= cut
        if not changed:
            break
    spans = np.zeros(len(tokens.words) + 1, np.int64)
    np.add.at(spans, first, 1)
    np.add.at(spans, last, -1)
    keep = np.cumsum(spans)[:-1] > 0
    openings, closings = (tuple(text for _, text in sorted(side.values(), reverse=True)) for side in found)
    return Stripped(tokens.kept(keep), openings, closings)


def _cuts(
    tokens: Tokens, first: np.ndarray, last: np.ndarray, side: int, found: dict[int, tuple[int, str]]
) -> np.ndarray:
    """(texts,) words to take off each text: its longest phrase that is boilerplate."""
    lengths = last - first
    # sums[i] is a hash of all words before word i, so a stretch's hash takes two look-ups.
    powers = np.cumprod(np.full(len(tokens.words) + 1, _BASE), dtype=np.uint64)
    hashed = mixed(tokens.words.astype(np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashed * powers[1:], dtype=np.uint64)])

    def stretch(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        return mixed((sums[end] - sums[start]) * powers[len(powers) - 1 - start])

    whole = np.sort(stretch(first, last))
    least = max(CLAUSE_USES, int(np.ceil(CLAUSE_SHARE * len(first))))
    cuts = np.zeros(len(first), np.int64)
    known = tuple(found)
    for size in range(1, LONGEST + 1):
        at = np.flatnonzero(lengths >= size + LEAST_LEFT)
        if not len(at):
            break
        start, end = (first[at], first[at] + size) if side == 0 else (last[at] - size, last[at])
        rest = stretch(end, last[at]) if side == 0 else stretch(first[at], start)
        phrase = stretch(start, end)
        bounded = tokens.ends_clause[end - 1] if side == 0 else tokens.ends_clause[start - 1]
        alone = whole[np.minimum(np.searchsorted(whole, rest), len(whole) - 1)] == rest
        _, inverse = np.unique(phrase, return_inverse=True)
        clauses = _different(inverse[bounded], rest[bounded], inverse.max() + 1)
        pairs = _different(inverse[alone], rest[alone], inverse.max() + 1)
        is_boilerplate = (clauses[inverse] >= least) & bounded | (pairs[inverse] >= least) & (size >= PAIR_WORDS)
        # A phrase that an earlier round found may follow another one, too rarely to be found again.
        is_boilerplate |= np.isin(phrase, np.fromiter(known, np.uint64, len(known)))
        cuts[at[is_boilerplate]] = size
        for one in np.unique(inverse[is_boilerplate]):
            example = int(np.flatnonzero(inverse == one)[0])
            words = tokens.words[start[example] : end[example]]
            uses = int(max(clauses[one], pairs[one]))
            before = found.get(int(phrase[example]), (0, ""))[0]
            found[int(phrase[example])] = (max(uses, before), " ".join(tokens.vocabulary[word] for word in words))
    return cuts


def _different(groups: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """(count,) different values of each group."""
    pairs = np.unique(np.stack([groups.astype(np.uint64), values]), axis=1)
    return np.bincount(pairs[0].astype(np.int64), minlength=count)
