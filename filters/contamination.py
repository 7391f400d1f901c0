"""Finds training items that are also in an evaluation set: the same file, a copy of it, or the same question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import polars as pl

from filters.graders.grade import words
from videozoomer.lake import CATALOG, Lake
from videozoomer.protocol.options import index_of
from videozoomer.settings.model import FilterSettings

SHARED_WORDS = 13
"""A run of this many words shared by a training and an evaluation question counts as a leak. Contamination reports of
language models use the same length (Brown et al. 2020, arXiv 2005.14165, appendix C)."""


def find_leaks(lake: Lake, settings: FilterSettings) -> pl.DataFrame:
    """Rows of table `leaks`, from tables `questions`, `videos` and `copies`. A video belongs to the splits of its
    questions.

    `video_id`: the same content on both sides. `video_signature`: a copy (see `filters.copies`); the score
    is the share of the shorter video that the other one shows. `question_text`: on leaked videos, questions whose
    likeness reaches `settings.text_ratio`; on any videos, questions with the same answer that share a run of
    `SHARED_WORDS` words found in no other video's questions. Short formulaic questions recur across videos and do not
    count as leaks.
    """
    videos = _videos(lake)
    questions = (
        lake.read("questions", columns=["question_id", "video_uri", "split", "question", "options", "answer", "status"])
        .filter(pl.col("status") == "ok")
        .join(videos.select("uri", "video_id"), left_on="video_uri", right_on="uri", how="left")
    )
    sides = {split: questions.filter(pl.col("split") == split) for split in ("train", "evaluation")}
    copied = list(_copied_videos(lake, sides))
    shared = {(train, evaluation) for _, train, evaluation, _ in copied}
    texts = [*_alike_texts(sides, shared, settings.text_ratio), *_shared_wording(sides)]
    best: dict[tuple[str, str, str], float] = {}
    for kind, train, evaluation, score in [*copied, *texts]:
        best[kind, train, evaluation] = max(score, best.get((kind, train, evaluation), 0.0))
    rows = [{"kind": k, "train_id": t, "evaluation_id": e, "score": score} for (k, t, e), score in best.items()]
    return CATALOG["leaks"].conform(rows).sort("kind", "train_id", "evaluation_id")


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


def _shared_wording(sides: dict[str, pl.DataFrame]) -> Iterator[tuple[str, str, str, float]]:
    """Pairs of questions with the same answer that share a long run of words used for no other video."""
    holders: dict[str, dict[tuple[str, ...], dict[str, set[str]]]] = {}
    answers: dict[str, tuple[str, ...]] = {}
    for split, side in sides.items():
        holders[split] = defaultdict(lambda: defaultdict(set))
        for row in side.iter_rows(named=True):
            answers[row["question_id"]] = words(_answer_text(row))
            asked = words(row["question"])
            for at in range(len(asked) - SHARED_WORDS + 1):
                holders[split][asked[at : at + SHARED_WORDS]][row["video_uri"]].add(row["question_id"])
    for run, by_train_video in holders["train"].items():
        by_evaluation_video = holders["evaluation"].get(run, {})
        if len(by_train_video) != 1 or len(by_evaluation_video) != 1:
            continue
        (trained,), (evaluated,) = by_train_video.values(), by_evaluation_video.values()
        for train in sorted(trained):
            for evaluation in sorted(evaluated):
                if answers[train] == answers[evaluation]:
                    yield "question_text", train, evaluation, 1.0


def _answer_text(row: dict) -> str:
    """The answer in words. For multiple choice this is the option's text, because the options' order may differ."""
    options = row["options"] or []
    index = index_of(row["answer"], len(options))
    return row["answer"] if index is None else options[index]
