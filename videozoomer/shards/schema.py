"""The rows of each kind of data set, declared as the tables of the lake are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import polars as pl

from videozoomer.lake.catalog import FLOAT, INT, MESSAGE, TEXT, TEXTS, WINDOW
from videozoomer.lake.schema import Column, Table

Kind = Literal["sft", "rl", "evaluation"]

SPLIT = Column("split", TEXT, "`train`, `validation` or `evaluation`; every row of a video has the same")

SFT = Table(
    "sft",
    "one verified trajectory to imitate",
    ("id",),
    (
        Column("id", TEXT, "id of the trajectory"),
        Column("question_id", TEXT, "the question"),
        Column("video_id", TEXT, "hash of the source video"),
        Column("kind", TEXT, "`exemplar`, `reflection` or `rollout`"),
        SPLIT,
        Column(
            "messages",
            pl.List(MESSAGE),
            "the conversation as it was played, frames by id; the loss covers the assistant messages with `train` true",
        ),
        Column("zooms", INT, "zooms that returned frames"),
        Column("answer", TEXT, "the final answer"),
    ),
    row="sft_shard",
)
_QUESTION = (
    Column("question_id", TEXT, "the question"),
    Column("video_id", TEXT, "hash of the source video"),
    Column("video_uri", TEXT, "path or URL of the video, for zooms"),
    Column("duration_s", FLOAT, "length of the video in seconds"),
    Column(
        "bad_spans",
        pl.List(WINDOW),
        "spans of the video that cannot be read, in seconds; a zoom into one is refused. Null or empty for most videos",
        required=False,
    ),
    Column("batch", TEXT, "ingest batch of the video"),
    SPLIT,
    Column("question", TEXT, "the question"),
    Column("options", TEXTS, "options of a multiple choice, in order; empty for an open question"),
    Column("answer", TEXT, "the correct answer; a letter for a multiple choice"),
    Column("answer_type", TEXT, "`choice`, `number`, `time`, `yes_no`, `order` or `text`"),
    Column("topic", TEXT, "kind of question, for metrics by topic", required=False),
    Column("evidence", pl.List(WINDOW), "windows of the video that show the answer, in seconds; empty if unknown"),
    Column("overview_frame_ids", TEXTS, "frames of the overview, in order"),
    Column("overview_times_s", pl.List(FLOAT), "their presentation times in seconds"),
)
RL = Table(
    "rl",
    "one question to play episodes on",
    ("question_id",),
    (
        *_QUESTION,
        Column(
            "pass_rate",
            FLOAT,
            "the teacher's correct answers divided by its judged answers; null if none was judged",
            required=False,
        ),
        Column("valid", INT, "the teacher's judged answers"),
        Column("correct", INT, "how many of them were correct"),
        Column(
            "evidence_source",
            TEXT,
            "where `evidence` is from: `given` with the question, or `probe` (frames that sufficed to answer it); null "
            "where it is empty",
            required=False,
        ),
    ),
    row="rl_shard",
)
EVALUATION = Table(
    "evaluation",
    "one question to evaluate on, never to train on",
    ("question_id",),
    _QUESTION,
    row="evaluation_shard",
)

ROWS: dict[str, Table] = {"sft": SFT, "rl": RL, "evaluation": EVALUATION}
"""Kind of data set -> declaration of its rows."""
SPLITS: dict[str, tuple[str, ...]] = {
    "sft": ("train", "validation"),
    "rl": ("train", "validation"),
    "evaluation": ("evaluation",),
}
"""Kind of data set -> the splits of its rows."""


def frame_ids(kind: str, row: Mapping[str, Any]) -> list[str]:
    """Ids of the frames that a row shows, in order, with repetitions."""
    return [frame_id for frame_id, _ in shown_frames(kind, row)]


def shown_frames(kind: str, row: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Id and presentation time in seconds of the frames that a row shows, in order, with repetitions."""
    if kind == "sft":
        parts = (part for message in row["messages"] for part in message["parts"] if part["type"] == "image")
        return [(part["frame_id"], part["time_s"]) for part in parts]
    return list(zip(row["overview_frame_ids"], row["overview_times_s"], strict=True))


def places_of(kind: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[str, float]]]:
    """Frame id -> where the rows show it, as (video, presentation time in seconds), sorted.

    One JPEG may be seen in several films, and at several times of one: a black frame, a title card.
    """
    places: dict[str, set[tuple[str, float]]] = defaultdict(set)
    for row in rows:
        for frame_id, time_s in shown_frames(kind, row):
            places[frame_id].add((row["video_id"], time_s))
    return {frame_id: sorted(found) for frame_id, found in places.items()}
