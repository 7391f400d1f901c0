"""Whether two questions are the same one: the rules, and the evidence of every pair that meets one.

All rules demand the same answer, by its text. Weights are those of `corpus.build`.

- `equal`: the same words in the same order, without boilerplate, and the same options; or one side has no options, and
  the answer is not generic.
- `options`: the same options, and half of the lighter question's words if the options are rare; seven tenths of the
  heavier one's if they are not.
- `answer`: open questions with a rare answer and half of the heavier one's words.
- `words`: seven tenths of the lighter question's words. That is listed for a person, unless the films are alike too.

A template is no leak: a wording with its options that is asked elsewhere with another answer (`What is the man doing?`
about a hundred films) is listed only, and so are options that are a menu (`red, blue, green, black`).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import sparse

from filters.question_leaks.candidates import candidates, same_items
from filters.question_leaks.corpus import Corpus, Items
from filters.question_leaks.tokens import mixed

CONTAINMENT = 0.7
"""Weighted share of the lighter question's words from which a pair with one answer is listed."""
HALF = 0.5
RARE_OPTIONS = 8.0
"""Weight of common options from which they are rare: three options that one question in 15 has each, or more rarely."""
SHARED_WEIGHT = 12.0
"""Weight of common words where neither options nor answer prove much: three words of one question in 55."""
RARE_ANSWER = 3
"""Questions, the pair among them, that may have a rare answer."""
RARE_ANSWER_WEIGHT = 5.5
"""Its least weight: two of 600 questions have it. In smaller sets no answer is known to be rare."""
OTHER_ANSWERS = 2
"""Questions with another answer from which a wording with its options is a template, and generic options a menu."""
CHUNK = 400_000
"""Pairs that are compared at once."""
RULES = ("equal", "options", "answer", "words")


def compare(corpus: Corpus) -> pl.DataFrame:
    """(train, evaluation, rule, verdict, template, score): the pairs of items that meet a rule; the first counts.

    `score` is the weighted share of the lighter question's words that the other has; `verdict` is false for what is
    only listed.
    """
    train, evaluation = corpus.train, corpus.evaluation
    pairs = _pairs(train, evaluation)
    one, other = pairs
    shared, rare = _shared(train.words, evaluation.words, pairs), _shared(train.rare, evaluation.rare, pairs)
    weights = np.stack([train.words.sum(axis=1)[one], evaluation.words.sum(axis=1)[other]])
    of_lighter, of_heavier = (
        shared / np.maximum(weights.min(axis=0), 1e-9),
        shared / np.maximum(weights.max(axis=0), 1e-9),
    )
    same_words = train.wording[one] == evaluation.wording[other]
    same_options = train.options[one] == evaluation.options[other]
    open_side = (train.options[one] == 0) | (evaluation.options[other] == 0)
    both_open = (train.options[one] == 0) & (evaluation.options[other] == 0)
    generic = corpus.generic[evaluation.answer[other]]
    template = (_others(corpus, by_wording=True) >= OTHER_ANSWERS)[other]
    menu = np.where(both_open, OTHER_ANSWERS + 1, _others(corpus, by_wording=False)[other])
    same_options &= ~both_open

    equal = same_words & (same_options | both_open | open_side & ~generic)
    rare_options = same_options & (menu == 0) & (rare >= RARE_OPTIONS) & (of_lighter >= HALF)
    common = same_options & (menu <= OTHER_ANSWERS) & (shared >= SHARED_WEIGHT) & (of_heavier >= CONTAINMENT)
    rare_answer = open_side & ~generic & _rare_answers(corpus)[other]
    rare_answer &= (shared >= SHARED_WEIGHT) & (of_heavier >= HALF)
    rules = [equal, rare_options | common & ~template, rare_answer, of_lighter >= CONTAINMENT]
    rule = np.select(rules, np.arange(len(rules)), len(rules))
    verdict = (rule < RULES.index("words")) & ~(template & (rule == RULES.index("equal")))
    met = rule < len(rules)
    return pl.DataFrame(
        {
            "train": one[met],
            "evaluation": other[met],
            "rule": np.array(RULES)[rule[met]],
            "verdict": verdict[met],
            "template": template[met],
            "score": np.where(same_words, 1.0, np.minimum(of_lighter, 1.0))[met],
        }
    )


def _pairs(train: Items, evaluation: Items) -> np.ndarray:
    found = np.concatenate([candidates(train, evaluation, CONTAINMENT), same_items(train, evaluation)], axis=1)
    width = max(1, len(evaluation))
    numbers = np.unique(found[0] * width + found[1])
    return np.stack([numbers // width, numbers % width])


def _shared(left: sparse.csr_array, right: sparse.csr_array, pairs: np.ndarray) -> np.ndarray:
    """(pairs,) weight of what both rows have."""
    held = sparse.csr_array(((right.data > 0).astype(np.float64), right.indices, right.indptr), shape=right.shape)
    found = [
        left[pairs[0, at : at + CHUNK]].multiply(held[pairs[1, at : at + CHUNK]]).sum(axis=1)
        for at in range(0, pairs.shape[1], CHUNK)
    ]
    return np.concatenate(found) if found else np.empty(0)


def _others(corpus: Corpus, *, by_wording: bool) -> np.ndarray:
    """(evaluation items,) questions that have the item's options, and its wording if that counts, but another answer.

    On the evaluation side every question counts, on the training side every item, so that copies count once; for
    wordings every question counts on either side, less those with the most frequent answer there.
    """
    sides = (corpus.train, corpus.evaluation)
    keys = [mixed(side.wording) ^ side.options if by_wording else side.options for side in sides]
    counts = [
        np.bincount(side.of_question, minlength=len(side))
        if by_wording or side is corpus.evaluation
        else np.ones(len(side))
        for side in sides
    ]
    tallies = [
        pl.DataFrame({"key": key, "answer": side.answer, "n": count.astype(np.int64)})
        .group_by("key", "answer")
        .agg(pl.sum("n"))
        for key, side, count in zip(keys, sides, counts, strict=True)
    ]
    items = pl.DataFrame({"key": keys[1], "answer": corpus.evaluation.answer})
    if by_wording:
        other = [
            tally.group_by("key").agg(pl.sum("n") - pl.max("n")).rename({"n": f"n{number}"})
            for number, tally in enumerate(tallies)
        ]
        found = items.join(other[0], on="key", how="left", maintain_order="left")
        found = found.join(other[1], on="key", how="left", maintain_order="left")
        return (
            found.select(pl.max_horizontal(pl.col("n0").fill_null(0), pl.col("n1").fill_null(0))).to_series().to_numpy()
        )
    tally = pl.concat(tallies).group_by("key", "answer").agg(pl.sum("n"))
    whole = tally.group_by("key").agg(pl.sum("n").alias("all"))
    found = items.join(whole, on="key", how="left", maintain_order="left")
    found = found.join(tally, on=["key", "answer"], how="left", maintain_order="left")
    return found.select(pl.col("all") - pl.col("n")).to_series().to_numpy()


def _rare_answers(corpus: Corpus) -> np.ndarray:
    """(evaluation items,) whether few evaluation questions and different training wordings have the item's answer."""
    train, evaluation = corpus.train, corpus.evaluation
    wordings = np.unique(np.stack([train.wording, train.answer.astype(np.uint64)]), axis=1)[1].astype(np.int64)
    held = np.bincount(evaluation.answer[evaluation.of_question], minlength=len(corpus.generic))
    held += np.bincount(wordings, minlength=len(corpus.generic))
    weights = np.log((len(evaluation.of_question) + len(wordings) + 1) / (held + 0.5))
    return ((held <= RARE_ANSWER) & (weights >= RARE_ANSWER_WEIGHT))[evaluation.answer]
