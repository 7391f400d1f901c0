"""Rows of table `question_leaks`: the pairs of questions that are alike, with the evidence and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import polars as pl

from filters.question_leaks.comparing import compare
from filters.question_leaks.content import content_id, pair_id
from filters.question_leaks.corpus import build
from filters.question_leaks.tokens import tokenise
from videozoomer.lake import CATALOG
from videozoomer.protocol.options import index_of

Decision = Literal["confirm", "refuse"]
MOST = 3
"""Pairs of a training question that are kept, the most certain first; those with a decision and those on copied films
are kept all."""
CANDIDATES = 8
"""Items of an evaluation set that stand for a training item before decisions are looked up."""


def find_pairs(
    train: pl.DataFrame,
    evaluation: pl.DataFrame,
    films: Iterable[tuple[str, str]] = (),
    decisions: Mapping[str, Decision] | None = None,
) -> pl.DataFrame:
    """Rows of table `question_leaks`.

    `train` and `evaluation` have the columns `question_id`, `source`, `question`, `options`, `answer` and `video_id`
    (null where no film is known); `films` are the pairs of films, (training, evaluation), that are the same or copies;
    `decisions` are a person's, by pair (`content.pair_id`).
    """
    train, evaluation = _with_answers(train), _with_answers(evaluation)
    corpus = build(train, evaluation)
    pairs = compare(corpus).rename({"train": "train_item", "evaluation": "evaluation_item"})
    asked, measured = (
        side.select(
            pl.col("question_id").alias(f"{name}_id"),
            pl.col("video_id").alias(f"{name}_film"),
            pl.Series(f"{name}_item", items.of_question, dtype=pl.Int64),
        )
        for side, name, items in zip(
            (train, evaluation), ("train", "evaluation"), (corpus.train, corpus.evaluation), strict=True
        )
    )
    alike = pl.DataFrame(
        list(films), schema={"train_film": pl.String, "evaluation_film": pl.String}, orient="row"
    ).unique()
    both = ["train_item", "evaluation_item"]
    near = asked.join(alike, on="train_film").join(measured, on="evaluation_film").join(pairs, on=both)
    near = near.with_columns(film_evidence=pl.lit(True))
    best = pairs.sort("verdict", "score", "evaluation_item", descending=[True, True, False])
    first = measured.sort("evaluation_id").unique("evaluation_item", keep="first", maintain_order=True)
    far = asked.join(best.group_by("train_item", maintain_order=True).head(CANDIDATES), on="train_item")
    far = far.join(first, on="evaluation_item").with_columns(film_evidence=pl.lit(False))
    found = pl.concat([near.select(far.columns), far]).unique(["train_id", *both], keep="first", maintain_order=True)
    return _rows(found, train, evaluation, decisions or {})


def _with_answers(side: pl.DataFrame) -> pl.DataFrame:
    """The answer as a text; for multiple choice it is the option's, because the options' order may differ."""
    texts = [
        answer if (index := index_of(answer, len(options or ()))) is None else options[index]
        for answer, options in side.select("answer", "options").iter_rows()
    ]
    return side.with_columns(answer=pl.Series(texts, dtype=pl.String), options=pl.col("options").fill_null([]))


def _rows(
    found: pl.DataFrame, train: pl.DataFrame, evaluation: pl.DataFrame, decisions: Mapping[str, Decision]
) -> pl.DataFrame:
    columns = ["source", "question", "options", "answer"]
    texts = {
        name: {
            row["question_id"]: row
            for row in side.select("question_id", *columns)
            .filter(pl.col("question_id").is_in(found[f"{name}_id"].unique().to_list()))
            .iter_rows(named=True)
        }
        for name, side in (("train", train), ("evaluation", evaluation))
    }
    contents = {
        name: {key: content_id(row["question"], row["options"], row["answer"]) for key, row in side.items()}
        for name, side in texts.items()
    }
    rows = []
    for row in found.iter_rows(named=True):
        ids = {name: contents[name][row[f"{name}_id"]] for name in texts}
        pair = pair_id(ids["train"], ids["evaluation"])
        decision = decisions.get(pair)
        certain = row["verdict"] or row["film_evidence"]
        rows.append(
            {
                "train_id": row["train_id"],
                "evaluation_id": row["evaluation_id"],
                "pair_id": pair,
                "train_content": ids["train"],
                "evaluation_content": ids["evaluation"],
                "evaluation_set": texts["evaluation"][row["evaluation_id"]]["source"],
                "status": {"confirm": "confirmed", "refuse": "refused"}.get(
                    decision or "", "verdict" if certain else "listed"
                ),
                "rule": row["rule"],
                "score": row["score"],
                "template": row["template"],
                "film_evidence": row["film_evidence"],
            }
        )
    kept = pl.DataFrame(rows, schema_overrides={"score": pl.Float64}) if rows else CATALOG["question_leaks"].conform([])
    if rows:
        kept = _cut(kept)
        kept = kept.with_columns(
            pl.Series("shared_words", _shared_words(kept, texts), dtype=pl.List(pl.String)),
            pl.Series("shared_options", _shared_options(kept, texts), dtype=pl.Int64),
        )
    return CATALOG["question_leaks"].conform(kept).sort("train_id", "evaluation_id")


def _cut(rows: pl.DataFrame) -> pl.DataFrame:
    order = pl.col("status").replace_strict(
        {"confirmed": 0, "verdict": 1, "listed": 2, "refused": 3}, return_dtype=pl.Int64
    )
    rows = rows.with_columns(order=order).sort(
        "train_id", "order", pl.col("score") * -1, "evaluation_id", maintain_order=True
    )
    decided = pl.col("status").is_in(["confirmed", "refused"])
    keep = decided | pl.col("film_evidence") | (pl.int_range(pl.len()).over("train_id") < MOST)
    return rows.filter(keep).drop("order")


def _shared_words(rows: pl.DataFrame, texts: Mapping[str, Mapping[str, dict]]) -> list[list[str]]:
    """The words of the training question that the evaluation question has too, as they are compared."""
    sides = [[texts[name][key]["question"] for key in rows[f"{name}_id"].to_list()] for name in ("train", "evaluation")]
    different = list(dict.fromkeys(sides[0] + sides[1]))
    tokens = tokenise(different)
    words = {text: tokens.of(number) for number, text in enumerate(different)}
    return [
        [word for word in dict.fromkeys(words[left]) if word in set(words[right])]
        for left, right in zip(*sides, strict=True)
    ]


def _shared_options(rows: pl.DataFrame, texts: Mapping[str, Mapping[str, dict]]) -> list[int]:
    found = []
    for train, evaluation in rows.select("train_id", "evaluation_id").iter_rows():
        left, right = (
            {option.casefold().strip(" .") for option in texts[name][key]["options"]}
            for name, key in (("train", train), ("evaluation", evaluation))
        )
        found.append(len(left & right))
    return found
