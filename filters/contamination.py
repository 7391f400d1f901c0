"""Finds training items that are also in an evaluation set: the same file, a copy of it, or the same question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from filters.graders.grade import words
from filters.question_leaks.files import read_files
from filters.question_leaks.table import Decision, find_pairs
from videozoomer.lake import CATALOG, Lake
from videozoomer.settings.model import FilterSettings


@dataclass(frozen=True, slots=True)
class Leaks:
    leaks: pl.DataFrame
    """Rows of table `leaks`: what training must not use."""
    questions: pl.DataFrame
    """Rows of table `question_leaks`: pairs of questions with their evidence, also those that a person should judge."""
    unusable: dict[str, int]
    """Questions of each further evaluation file that cannot be compared, where there are any."""


def find_leaks(lake: Lake, settings: FilterSettings, decisions: Mapping[str, Decision] | None = None) -> Leaks:
    """What training and evaluation share, from tables `questions` and `videos` and the recipe's further evaluation
    sets. A video belongs to the splits of its questions.

    `video_id`: the same content on both sides. `video_signature`: a copy (see `filters.copies`); the
    score is the share of the shorter video that the other one shows. `question_text`: questions that are the same by
    the rules of `filters.question_leaks`, whatever video they are about, and on leaked videos also those whose likeness
    reaches `settings.text_ratio`. `decisions` are a person's, by pair of questions
    (`filters.question_leaks.content.pair_id`): what is refused is no leak, what is confirmed is one.

    Raises:
        SourceError: a file of `settings.evaluation_questions` cannot be read.
    """
    videos = _videos(lake)
    questions = (
        lake.read(
            "questions",
            columns=["question_id", "source", "video_uri", "split", "question", "options", "answer", "status"],
        )
        .filter(pl.col("status") == "ok")
        .join(videos.select("uri", "video_id"), left_on="video_uri", right_on="uri", how="left")
    )
    sides = {split: questions.filter(pl.col("split") == split) for split in ("train", "evaluation")}
    copied = list(_copied_videos(lake, sides))
    films = {(train, evaluation) for _, train, evaluation, _ in copied}
    further, unusable = read_files(settings.evaluation_questions)
    compared = pl.concat([sides["evaluation"], further], how="diagonal")
    pairs = find_pairs(sides["train"], compared, films, decisions)
    certain = pairs.filter(pl.col("status").is_in(["verdict", "confirmed"]))
    texts = [
        ("question_text", *pair) for pair in certain.select("train_id", "evaluation_id", "score").iter_rows()
    ] + list(_alike_texts(sides, films, settings.text_ratio))
    refused = set(pairs.filter(pl.col("status") == "refused").select("train_id", "evaluation_id").iter_rows())
    best: dict[tuple[str, str, str], float] = {}
    for kind, train, evaluation, score in [*copied, *texts]:
        if kind != "question_text" or (train, evaluation) not in refused:
            best[kind, train, evaluation] = max(score, best.get((kind, train, evaluation), 0.0))
    rows = [{"kind": k, "train_id": t, "evaluation_id": e, "score": score} for (k, t, e), score in best.items()]
    table = CATALOG["leaks"].conform(rows).sort("kind", "train_id", "evaluation_id")
    return Leaks(table, pairs, {place: count for place, count in unusable.items() if count})


def _videos(lake: Lake) -> pl.DataFrame:
    frame = lake.read("videos", columns=["uri", "video_id", "status"])
    return frame.filter(pl.col("status") == "ok").unique("uri", keep="first", maintain_order=True)


def _copied_videos(lake: Lake, sides: dict[str, pl.DataFrame]) -> Iterator[tuple[str, str, str, float]]:
    ids = {split: set(side["video_id"].drop_nulls()) for split, side in sides.items()}
    for video_id in sorted(ids["train"] & ids["evaluation"]):
        yield "video_id", video_id, video_id, 1.0
    copies = lake.read("copies").filter(pl.col("status").is_in(["verdict", "confirmed"]))
    for train_id, evaluation_id, share in copies.select("train_id", "evaluation_id", "share").iter_rows():
        if train_id in ids["train"] and evaluation_id in ids["evaluation"]:
            yield "video_signature", train_id, evaluation_id, share


def _alike_texts(
    sides: dict[str, pl.DataFrame], shared: set[tuple[str, str]], ratio: float
) -> Iterator[tuple[str, str, str, float]]:
    """Pairs of similarly worded questions about the two sides of a leaked video."""
    from rapidfuzz import fuzz

    by_video: dict[str, dict[str, list[dict]]] = {split: defaultdict(list) for split in sides}
    for split, side in sides.items():
        for row in side.iter_rows(named=True):
            by_video[split][row["video_id"]].append(row)
    for train_video, evaluation_video in sorted(shared):
        for train in by_video["train"][train_video]:
            for evaluation in by_video["evaluation"][evaluation_video]:
                score = fuzz.ratio(" ".join(words(train["question"])), " ".join(words(evaluation["question"])))
                if score >= ratio:
                    yield "question_text", train["question_id"], evaluation["question_id"], score / 100
